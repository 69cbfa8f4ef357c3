"""TIFF stacks: plain, ImageJ's, OME-TIFF and tifffile's own, whole or cut short."""

from __future__ import annotations

import logging
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tifffile

from livetrack.errors import InputError
from livetrack.movies.movie import DamagedMovieError, Image, Movie, to_grey
from livetrack.movies.scales import tiff_scales

__all__ = ["open_tiff"]

Planes: TypeAlias = Callable[[int], Image]
"""Gives the image at an index of the file, samples and all."""

_log = logging.getLogger(__name__)

_BROKEN = (tifffile.TiffFileError, ValueError, OSError, RuntimeError, LookupError, TypeError, struct.error, zlib.error)
"""What tifffile raises where bytes are not what they should be."""


def open_tiff(path: Path, channel: int | None) -> Movie:
    """Open a TIFF stack whose frames lie along one axis: time, or depth, or simply page after page.

    Of several series (positions, sizes) the longest is read, and a warning says so. Frame rate and pixel size are
    what `tiff_scales` finds.

    Raises
    ------
    InputError
        This is no TIFF file, needs a decoder that is not installed, has several axes of images (times and depths),
        has several channels and none was chosen, or holds no pictures of real numbers.
    """
    try:
        with _opened(path) as tif:
            if len(tif.series) > 1:
                _log.warning("%s: holds %d series of images; the longest is read", path, len(tif.series))
            length, images = _frames(tif, channel, path)
            first = next(images)
            fps, pixel_size_um = tiff_scales(tif)
    except (DamagedMovieError, StopIteration, *_BROKEN) as error:
        raise InputError(f"{path}: cannot be read as TIFF: {_reason(error)}; {_cure(error)}") from error

    def read() -> Iterator[Image]:
        try:
            with _opened(path) as tif:
                yield from _frames(tif, channel, path)[1]
        except _BROKEN as error:
            raise DamagedMovieError(f"the next frame cannot be read ({_reason(error)})") from error

    height, width = first.shape
    return Movie(path, (height, width), first.dtype, length, fps, pixel_size_um, read)


def _opened(path: Path) -> tifffile.TiffFile:
    """Open a file and read its layout without tifffile's log lines: of damage `Movie.problem` tells."""
    library = logging.getLogger("tifffile")
    level = library.level
    library.setLevel(logging.CRITICAL)
    try:
        tif = tifffile.TiffFile(path)
        try:
            _ = len(tif.pages), len(tif.series)
        except _BROKEN:
            tif.close()
            raise
    finally:
        library.setLevel(level)
    return tif


def _frames(tif: tifffile.TiffFile, channel: int | None, path: Path) -> tuple[int | None, Iterator[Image]]:
    """Return how many frames there should be, as far as the file says, and the frames to come."""
    broken_at = _broken_at(tif)
    order, planes, length = _intact(tif, path) if broken_at is None else _cut(tif, broken_at)
    inner = channel
    if len(order) > 1:  # channels are planes of their own
        if channel is None or not 0 <= channel < len(order):
            raise InputError(
                f"{path}: has {len(order)} channels; choose one with channel = 0 to {len(order) - 1}"
                + ("" if channel is None else f", not {channel}")
            )
        order, inner = order[channel : channel + 1], None

    def read() -> Iterator[Image]:
        for index in order[0]:
            yield to_grey(planes(index), inner, path)
        if broken_at is not None:
            raise DamagedMovieError("the file is cut short")

    return length, read()


def _intact(tif: tifffile.TiffFile, path: Path) -> tuple[Any, Planes, int]:
    """Return the planes' indices (channel, frame), the planes, and how many frames, as tifffile understands them."""
    series = max(tif.series, key=_length)
    plane = series.keyframe.axes
    if not series.axes.endswith(plane):  # where tifffile finds no picture it takes one axis for another
        raise InputError(f"{path}: its images are only one pixel wide or high; nothing can be tracked in them")
    axes, shape = series.axes.removesuffix(plane), series.shape[: -len(plane)]
    sizes = {axis: size for axis, size in zip(axes, shape, strict=True) if size > 1}
    channels = sizes.pop("C", 1)
    if len(sizes) > 1:
        found = " and ".join(f"{size} along {axis}" for axis, size in sizes.items())
        raise InputError(f"{path}: has {found}; livetrack follows one axis: save one plane, or a projection")
    order = np.arange(_length(series)).reshape(shape)
    order = np.moveaxis(order, axes.index("C"), 0) if "C" in axes else order
    order = order.reshape(channels, -1)
    if len(series.pages) == _length(series):
        return order, _by_directory(series.pages, plane), order.shape[1]
    return order, _back_to_back(tif, series.keyframe), order.shape[1]


def _cut(tif: tifffile.TiffFile, broken_at: int) -> tuple[Any, Planes, int | None]:
    """Do as `_intact` for a file whose chain of directories breaks off: all the pages, or all the bytes, there are.

    Many programs write all images back to back after the first directory, and the other directories behind them:
    then the place where the second one should be tells how many images there were.
    """
    first = tif.pages[0]
    channels = (tif.imagej_metadata or {}).get("channels", 1)
    images = (broken_at - first.dataoffsets[0]) // first.nbytes if first.is_contiguous else 0
    if len(tif.pages) == 1 and images > 1:
        order = np.arange(images - images % channels).reshape(-1, channels).T
        return order, _back_to_back(tif, first), order.shape[1]
    pages = len(tif.pages)
    order = np.arange(pages - pages % channels).reshape(-1, channels).T
    return order, _by_directory(tif.pages, first.axes), None


def _broken_at(tif: tifffile.TiffFile) -> int | None:
    """Return where the last page says that another one is, None at a proper end."""
    layout, last = tif.tiff, tif.pages[-1]
    handle = tif.filehandle
    try:
        handle.seek(last.offset)
        (tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
        handle.seek(last.offset + layout.tagnosize + tags * layout.tagsize)
        (following,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
    except struct.error:  # not even that is there
        return int(handle.size)
    return int(following) or None


def _by_directory(pages: Any, axes: str) -> Planes:
    """Return the planes that have a directory of their own."""

    def plane(index: int) -> Image:
        page = pages[index]
        if page is None:
            raise DamagedMovieError(f"image {index} is missing")
        return _samples_last(page.asarray(), axes)

    return plane


def _back_to_back(tif: tifffile.TiffFile, first: Any) -> Planes:
    """Return the planes that lie in the file one after the other, without compression, from `first` on."""
    dtype = first.dtype.newbyteorder(tif.byteorder)

    def plane(index: int) -> Image:
        tif.filehandle.seek(first.dataoffsets[0] + index * first.nbytes)
        data = tif.filehandle.read(first.nbytes)
        if len(data) < first.nbytes:
            raise DamagedMovieError("the file is cut short")
        return _samples_last(np.frombuffer(data, dtype).reshape(first.shape).astype(first.dtype), first.axes)

    return plane


def _length(series: Any) -> int:
    """Return the number of planes in a series."""
    return math.prod(series.shape[: -len(series.keyframe.axes)])


def _samples_last(image: Image, axes: str) -> Image:
    if axes not in ("YX", "YXS", "SYX"):
        raise ValueError(f"its pages are {axes}, not flat images")
    return np.moveaxis(image, 0, -1) if axes == "SYX" else image


def _reason(error: BaseException) -> str:
    if isinstance(error, StopIteration):
        return "it holds no image"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _cure(error: BaseException) -> str:
    return "python -m pip install imagecodecs" if "imagecodecs" in str(error) else "write it anew as a TIFF stack"
