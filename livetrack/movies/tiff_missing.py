"""Finds what is missing of the images that a TIFF file declares or seems to contain."""

from __future__ import annotations

import math
import struct
from typing import Any

import tifffile

from livetrack.movies.quiet import quiet_tifffile
from livetrack.movies.tiff_axes import declared_images, declared_shape
from livetrack.movies.tiff_directories import unused_bytes

__all__ = ["WITHOUT_A_COUNT", "broken_at", "is_in_a_row", "left_out", "planes_of", "unread"]

WITHOUT_A_COUNT = ("shaped", "uniform", "generic")
"""Kinds of series that are as long as the file happens to be."""


def planes_of(series: Any) -> int:
    """Return the number of planes in a series."""
    return int(math.prod(series.shape) // max(1, math.prod(series.keyframe.shape)))


def is_in_a_row(series: Any) -> bool:
    """Return whether the planes of a series lie one behind the other, with fewer directories than planes."""
    return bool(len(series.pages) != planes_of(series))


def broken_at(tif: tifffile.TiffFile) -> int | None:
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


@quiet_tifffile()
def left_out(tif: tifffile.TiffFile, series: Any, every: list[Any]) -> str:
    """Return what a file contains or declares besides the planes of its series."""
    planes, pages = sum(map(planes_of, every)), len(tif.pages)
    if series.kind in ("imagej", "ome") and planes < pages:
        return f"its metadata names {planes} of the {pages} images that it contains"
    if series.kind in ("imagej", *WITHOUT_A_COUNT) and is_in_a_row(series):
        return _unused(_after(tif, series), series.keyframe.nbytes, planes)
    return unread(tif, planes) if series.kind in WITHOUT_A_COUNT else ""


@quiet_tifffile()
def unread(tif: tifffile.TiffFile, planes: int) -> str:
    """Return what a file without a reliable count declares, or seems to contain, beyond its directories."""
    declared = declared_images(tif)
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
    ends = [first.dataoffsets[0] + planes_of(series) * series.keyframe.nbytes, last.offset]
    ends += [tag.valueoffset + tag.valuebytecount for page in pages for tag in page.tags]
    return int(tif.filehandle.size - max(ends))


def _is_contradicted(tif: tifffile.TiffFile) -> bool:
    """Whether the images have another shape than the first description declares."""
    first: Any = tif.pages[0]
    try:
        declared = [size for size in declared_shape(first) if size > 1] if tif.is_shaped else []
    except Exception:  # noqa: BLE001 - anything may be written there
        return False
    found = [size for size in first.shape if size > 1]
    return bool(declared) and declared[-len(found) :] != found
