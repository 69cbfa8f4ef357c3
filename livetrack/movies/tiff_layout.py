"""Finds which images of a TIFF file are the frames, and in which order, and what is missing of those it declares."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import tifffile

from livetrack.errors import InputError
from livetrack.movies.movie import DamagedMovieError
from livetrack.movies.tiff_directories import all_directories, unused_bytes
from livetrack.movies.tiff_planes import (
    Planes,
    check_size,
    planes_in_a_row,
    planes_of_pages,
    samples_as_planes,
    without_log_lines,
)

__all__ = ["Layout", "find_layout"]

_WITHOUT_A_COUNT = ("shaped", "uniform", "generic")  # kinds of series that are as long as the file happens to be


class Layout(NamedTuple):
    """The frames of a file."""

    order: Any
    """(channels, frames) indices of the planes."""
    planes: Planes
    length: int | None
    """Frames that are expected; None if unknown."""
    missing: Callable[[], str]
    """Returns what is missing behind the last frame; empty if nothing is."""
    note: str = ""
    """What else is in the file, or may be meant; empty if nothing."""


@without_log_lines()
def find_layout(tif: tifffile.TiffFile, path: Path) -> Layout:
    """Return the frames of an open file. Raises `InputError`, `DamagedMovieError`, and what tifffile raises."""
    broken_at = _broken_at(tif)
    if broken_at is not None:
        return _truncated(tif, broken_at)
    series = _series(tif)
    if not series:
        return _pages(tif, path)
    longest = max(series, key=_planes_of)
    if longest.kind in _WITHOUT_A_COUNT:
        if tif.is_imagej and len(tif.pages) == 1 and longest.keyframe.is_contiguous and _declared(tif) > 1:
            return _cut_short(tif)
        written_singly = len(series) > 1 or _planes_of(longest) != len(tif.pages)
        if written_singly and _is_one_axis(longest) and not any(map(_is_in_a_row, series)):
            return _pages(tif, path)
    return _of_series(tif, longest, series, path)


def _series(tif: tifffile.TiffFile) -> list[Any]:
    """Return the series that tifffile finds; none where the directories contradict each other."""
    try:
        return list(tif.series)
    except Exception:  # noqa: BLE001 - tifffile raises anything for damaged files
        return []


def _of_series(tif: tifffile.TiffFile, series: Any, every: list[Any], path: Path) -> Layout:
    """Return the frames of a series, which has one axis besides those of its images, and perhaps channels."""
    check_size(_planes_of(series), series.keyframe.nbytes)
    plane, plane_shape = series.keyframe.axes, series.keyframe.shape
    if min(size for axis, size in zip(plane, plane_shape, strict=True) if axis in "YX") < 2:
        raise InputError(f"{path}: its images are only one pixel wide or high")
    sizes = [(axis, size) for axis, size in zip(series.axes, series.shape, strict=True) if size > 1]
    names = "".join(axis for axis, _ in sizes)
    planes: Planes | None = None
    if plane == "SYX" and names.endswith("YX") and not names.endswith("SYX"):
        planes, plane, plane_shape = samples_as_planes(tif, series.keyframe), "YX", plane_shape[1:]
    if tuple(size for _, size in sizes[-len(plane) :]) != plane_shape:
        raise InputError(f"{path}: its images have axes {series.axes}; save a stack of two-dimensional images")
    del sizes[-len(plane) :]
    shape, axes = tuple(size for _, size in sizes), names[: len(sizes)]
    if sum(axis != "C" for axis in axes) > 1:
        found = " and ".join(f"{size} along {axis}" for axis, size in sizes if axis != "C")
        raise InputError(f"{path}: has {found}; livetrack reads one axis; save a single plane or a projection")
    order = np.arange(math.prod(shape)).reshape(shape)
    order = np.moveaxis(order, axes.index("C"), 0) if "C" in axes else order[None]
    order = order.reshape(len(order), -1)
    if planes is None and _is_in_a_row(series):
        planes = planes_in_a_row(tif, series.keyframe)
    elif planes is None:
        planes = planes_of_pages(series.pages, plane, _absent_files(tif, path) if series.kind == "ome" else "")
    note = f"contains {len(every)} series of images; the longest is read" if len(every) > 1 else ""
    if plane == "SYX" and order.size == 1:
        planes_are = f"its {plane_shape[0]} planes are read as colours"
        note = f"{planes_are}; if they are frames, save them with photometric=minisblack"
    return Layout(order, planes, order.shape[1], lambda: _left_out(tif, series, every), note)


def _pages(tif: tifffile.TiffFile, path: Path) -> Layout:
    """Return all images of a file that says nothing else of them: those of the most frequent kind, from the first on.

    Images of another kind before or after them are left out; one in between ends the movie when it is read.
    """
    kinds = [directory.layout for directory in all_directories(tif)]
    if not kinds:
        raise DamagedMovieError("it contains no image")
    most = Counter(kinds).most_common(1)[0][0]
    begin, end = kinds.index(most), len(kinds) - kinds[::-1].index(most)
    series = len(set(kinds)) if end - begin < len(kinds) else 1  # before or after the movie, such as a thumbnail
    note = f"contains {series} series of images; the longest is read" if series > 1 else ""
    first: Any = tif.pages.get(begin)
    check_size(end - begin, first.nbytes)
    if min(size for axis, size in zip(first.axes, first.shape, strict=True) if axis in "YX") < 2:
        raise InputError(f"{path}: its images are only one pixel wide or high")
    order = _by_channel(tif, begin, end)
    whole = order.size
    planes = planes_of_pages(_EachPage(tif), first.axes)
    return Layout(order, planes, order.shape[1], lambda: _unread(tif, whole), note)


class _EachPage:
    """Pages of a file, read as if none were like another."""

    def __init__(self, tif: tifffile.TiffFile) -> None:
        self._tif = tif

    def __getitem__(self, index: int) -> Any:
        return self._tif.pages.get(int(index))


def _truncated(tif: tifffile.TiffFile, broken_at: int) -> Layout:
    """Return the frames of a file whose chain of directories breaks off.

    Many programs write all images contiguously after the first directory, followed by the other directories. Then the
    offset of the second directory gives the number of images.
    """
    first: Any = tif.pages[0]
    images = (broken_at - first.dataoffsets[0]) // first.nbytes if first.is_contiguous else 0
    check_size(images, first.nbytes)
    if len(tif.pages) == 1 and images > 1:
        order = _by_channel(tif, 0, images)
        return Layout(order, planes_in_a_row(tif, first), order.shape[1], lambda: "the file is truncated")
    order = _by_channel(tif, 0, len(tif.pages))
    return Layout(order, planes_of_pages(tif.pages, first.axes), None, lambda: "the file is truncated")


def _cut_short(tif: tifffile.TiffFile) -> Layout:
    """Return the frames of an ImageJ stack that has one directory for all images and lacks some of them."""
    first: Any = tif.pages[0]
    check_size(1, first.nbytes)
    images = (tif.filehandle.size - first.dataoffsets[0]) // first.nbytes
    check_size(images, first.nbytes)
    order = _by_channel(tif, 0, images)
    length = max(_declared(tif) // len(order), order.shape[1])
    return Layout(order, planes_in_a_row(tif, first), length, lambda: "the file is cut short")


def _broken_at(tif: tifffile.TiffFile) -> int | None:
    """Return the offset of a directory that the last page refers to but that is missing; None for a complete file."""
    layout, last = tif.tiff, tif.pages[-1]
    handle = tif.filehandle
    try:
        handle.seek(last.offset)
        (tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
        handle.seek(last.offset + layout.tagnosize + tags * layout.tagsize)
        (following,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
    except struct.error:  # the reference itself is missing
        return int(handle.size)
    return int(following) or None


# what is missing


@without_log_lines()
def _left_out(tif: tifffile.TiffFile, series: Any, every: list[Any]) -> str:
    """Return what a file contains or declares besides the planes of its series."""
    planes, pages = sum(map(_planes_of, every)), len(tif.pages)
    if series.kind in ("imagej", "ome") and planes < pages:
        return f"its metadata names {planes} of the {pages} images that it contains"
    if series.kind in ("imagej", *_WITHOUT_A_COUNT) and _is_in_a_row(series):
        return _unused(_after(tif, series), series.keyframe.nbytes, planes)
    return _unread(tif, planes) if series.kind in _WITHOUT_A_COUNT else ""


@without_log_lines()
def _unread(tif: tifffile.TiffFile, planes: int) -> str:
    """Return what a file without a reliable count declares, or seems to contain, beyond its directories."""
    declared = _declared(tif)
    if declared > planes:
        return f"its metadata declares {declared} images"
    if _is_contradicted(tif):
        return "its images have another shape than its metadata declares; some may be lost"
    return _unused(*unused_bytes(tif), planes)


def _unused(unused: int, image_bytes: int, images: int) -> str:
    return "" if unused < image_bytes else f"{unused} bytes belong to none of its {images} images; some may be lost"


def _after(tif: tifffile.TiffFile, series: Any) -> int:
    """Return how many bytes follow the planes of a series that lie in a row, and the directories."""
    pages: list[Any] = [tif.pages[0], tif.pages.get(-1)]
    first, last = pages
    ends = [first.dataoffsets[0] + _planes_of(series) * series.keyframe.nbytes, last.offset]
    ends += [tag.valueoffset + tag.valuebytecount for page in pages for tag in page.tags]
    return int(tif.filehandle.size - max(ends))


def _declared(tif: tifffile.TiffFile) -> int:
    """Return how many images the first description declares, 0 if none or if it cannot be read."""
    first: Any = tif.pages[0]
    try:
        if tif.is_imagej:
            return int((tif.imagej_metadata or {}).get("images", 0))
        if tif.is_shaped:
            return math.prod(_declared_shape(first)) // int(math.prod(first.shape))
    except Exception:  # noqa: BLE001 - anything may be written there
        return 0
    return 0


def _declared_shape(page: Any) -> tuple[int, ...]:
    """Return the shape of the movie in the description that tifffile writes. Raises if there is none."""
    return tuple(map(int, tifffile.tifffile.shaped_description_metadata(page.shaped_description)["shape"]))


def _is_contradicted(tif: tifffile.TiffFile) -> bool:
    """Whether the images have another shape than the first description declares."""
    first: Any = tif.pages[0]
    try:
        declared = [size for size in _declared_shape(first) if size > 1] if tif.is_shaped else []
    except Exception:  # noqa: BLE001 - likewise
        return False
    found = [size for size in first.shape if size > 1]
    return bool(declared) and declared[-len(found) :] != found


def _absent_files(tif: tifffile.TiffFile, path: Path) -> str:
    """Return a clause that names the files of an OME-TIFF that are not there; empty if all are."""
    try:
        found = ElementTree.fromstring(tif.ome_metadata or "").iterfind(".//{*}UUID")
        names = {each.attrib.get("FileName", "") for each in found}
        absent = sorted(name for name in names if name and not (path.parent / name).exists())
    except (ElementTree.ParseError, OSError, ValueError):
        return ""
    return f" (in this folder, there is no {' and no '.join(absent[:3])})" if absent else ""


def _by_channel(tif: tifffile.TiffFile, begin: int, end: int) -> Any:
    """Return the (channels, frames) indices of the planes from `begin` to `end`; ImageJ stores channels in turns."""
    channels = (tif.imagej_metadata or {}).get("channels", 1)
    channels = channels if isinstance(channels, int) and channels > 0 else 1
    return np.arange(begin, end - (end - begin) % channels).reshape(-1, channels).T


def _planes_of(series: Any) -> int:
    """Return the number of planes in a series."""
    return int(math.prod(series.shape) // max(1, math.prod(series.keyframe.shape)))


def _is_in_a_row(series: Any) -> bool:
    """Whether the planes of a series lie one behind the other, with fewer directories than planes."""
    return bool(len(series.pages) != _planes_of(series))


def _is_one_axis(series: Any) -> bool:
    return _sides(series.shape) <= 1 + _sides(series.keyframe.shape)


def _sides(shape: tuple[int, ...]) -> int:
    return sum(size > 1 for size in shape)
