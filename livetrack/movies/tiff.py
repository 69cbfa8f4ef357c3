"""Reads TIFF stacks: plain, ImageJ, OME-TIFF and tifffile's own, complete or truncated."""

from __future__ import annotations

import logging
import math
import struct
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
"""Returns the image at an index of the file, with its samples."""

_log = logging.getLogger(__name__)

_MAX_FRAME_BYTES = 1 << 31
_MAX_FRAMES = 1 << 24  # in one file; more are damage, and their numbers alone would fill the memory


def open_tiff(path: Path, channel: int | None) -> Movie:
    """Open a TIFF stack whose frames lie along one axis: time, depth, or simply pages.

    Of several series (positions, sizes) the longest is read, with a warning.

    Raises
    ------
    InputError
        The file is not a TIFF, needs a decoder that is not installed, has several axes of images (times and depths) or
        several channels of which none was chosen, or contains no images of real numbers.
    """
    try:
        with _open(path) as tif:
            if len(tif.series) > 1:
                _log.warning("%s: contains %d series of images; the longest is read", path, len(tif.series))
            length, images = _frames(tif, channel, path)
            first = next(images)
            fps, pixel_size_um = tiff_scales(tif)
            left = _left_over(tif) if _broken_at(tif) is None else 0
            if left >= first.nbytes:
                _log.warning(
                    "%s: its last %d bytes belong to none of its %s images; some may be lost", path, left, length
                )
    except InputError:
        raise
    except Exception as error:  # tifffile raises anything for damaged files
        raise InputError(f"{path}: cannot be read as TIFF: {_reason(error)}; {_cure(error)}") from error

    def read() -> Iterator[Image]:
        try:
            with _open(path) as tif:
                yield from _frames(tif, channel, path)[1]
        except (InputError, DamagedMovieError):
            raise
        except Exception as error:  # likewise
            raise DamagedMovieError(f"the next frame cannot be read ({_reason(error)})") from error

    height, width = first.shape
    return Movie(path, (height, width), first.dtype, length, fps, pixel_size_um, read)


def _open(path: Path) -> tifffile.TiffFile:
    """Open a file and read its layout without tifffile's log lines: `Movie.problem` reports damage."""
    library = logging.getLogger("tifffile")
    level = library.level
    library.setLevel(logging.CRITICAL)
    try:
        tif = tifffile.TiffFile(path)
        try:
            if not len(tif.pages):
                raise DamagedMovieError("it contains no image")
            _ = len(tif.series)
        except Exception:
            tif.close()
            raise
    finally:
        library.setLevel(level)
    return tif


def _frames(tif: tifffile.TiffFile, channel: int | None, path: Path) -> tuple[int | None, Iterator[Image]]:
    """Return the expected number of frames, None if unknown, and an iterator of the frames."""
    broken_at = _broken_at(tif)
    order, planes, length = _complete(tif, path) if broken_at is None else _truncated(tif, broken_at)
    sample = channel
    if len(order) > 1:  # channels are separate planes
        if channel is None or not 0 <= channel < len(order):
            raise InputError(
                f"{path}: has {len(order)} channels; choose one with channel = 0 to {len(order) - 1}"
                + ("" if channel is None else f", not {channel}")
            )
        order, sample = order[channel : channel + 1], None

    def read() -> Iterator[Image]:
        for index in order[0]:
            yield to_grey(planes(index), sample, path)
        if broken_at is not None:
            raise DamagedMovieError("the file is truncated")

    return length, read()


def _complete(tif: tifffile.TiffFile, path: Path) -> tuple[Any, Planes, int]:
    """Return the indices of the planes (channel, frame), the planes, and the number of frames, of a complete file."""
    series = max(tif.series, key=_length)
    _check_size(_length(series), series.keyframe.nbytes)
    plane = series.keyframe.axes
    if not series.axes.endswith(plane):  # tifffile drops axes of length 1
        raise InputError(f"{path}: its images are only one pixel wide or high")
    axes, shape = series.axes.removesuffix(plane), series.shape[: -len(plane)]
    sizes = {axis: size for axis, size in zip(axes, shape, strict=True) if size > 1}
    channels = sizes.pop("C", 1)
    if len(sizes) > 1:
        found = " and ".join(f"{size} along {axis}" for axis, size in sizes.items())
        raise InputError(f"{path}: has {found}; livetrack reads one axis; save a single plane or a projection")
    order = np.arange(_length(series)).reshape(shape)
    order = np.moveaxis(order, axes.index("C"), 0) if "C" in axes else order
    order = order.reshape(channels, -1)
    if len(series.pages) == _length(series):
        return order, _by_directory(series.pages, plane), order.shape[1]
    return order, _contiguous(tif, series.keyframe), order.shape[1]


def _truncated(tif: tifffile.TiffFile, broken_at: int) -> tuple[Any, Planes, int | None]:
    """Return the same for a file whose chain of directories breaks off.

    Many programs write all images contiguously after the first directory, followed by the other directories. Then the
    offset of the second directory gives the number of images.
    """
    first = tif.pages[0]
    channels = (tif.imagej_metadata or {}).get("channels", 1)
    images = (broken_at - first.dataoffsets[0]) // first.nbytes if first.is_contiguous else 0
    _check_size(images, first.nbytes)
    if len(tif.pages) == 1 and images > 1:
        order = np.arange(images - images % channels).reshape(-1, channels).T
        return order, _contiguous(tif, first), order.shape[1]
    pages = len(tif.pages)
    order = np.arange(pages - pages % channels).reshape(-1, channels).T
    return order, _by_directory(tif.pages, first.axes), None


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


def _left_over(tif: tifffile.TiffFile) -> int:
    """Return how many bytes follow the last image, its directory and the values of the first one's."""
    first, last = tif.pages[0], tif.pages[-1]
    series = max(tif.series, key=_length)
    ends = [last.offset, *map(sum, zip(last.dataoffsets, last.databytecounts, strict=False))]
    if series.dataoffset is not None:  # contiguous, whatever the directories say
        ends.append(series.dataoffset + series.nbytes)
    if isinstance(first, tifffile.TiffPage):
        ends += [tag.valueoffset + tag.valuebytecount for tag in first.tags]
    return int(tif.filehandle.size) - max(ends)


def _by_directory(pages: Any, axes: str) -> Planes:
    """Return planes that each have a directory."""

    def plane(index: int) -> Image:
        page = pages[index]
        if page is None:
            raise DamagedMovieError(f"image {index} is missing")
        _check_size(1, page.nbytes)
        if sum(page.databytecounts) > page.parent.filehandle.size:  # before so much memory is asked for
            raise DamagedMovieError(f"image {index} is larger than the file")
        return _samples_last(page.asarray(), axes)

    return plane


def _contiguous(tif: tifffile.TiffFile, first: Any) -> Planes:
    """Return planes stored contiguously, without compression, from `first` on."""
    dtype = first.dtype.newbyteorder(tif.byteorder)

    def plane(index: int) -> Image:
        tif.filehandle.seek(first.dataoffsets[0] + index * first.nbytes)
        data = tif.filehandle.read(first.nbytes)
        if len(data) < first.nbytes:
            raise DamagedMovieError("the file is truncated")
        return _samples_last(np.frombuffer(data, dtype).reshape(first.shape).astype(first.dtype), first.axes)

    return plane


def _check_size(images: int, image_bytes: int) -> None:
    """Reject what only a damaged file claims, before memory is reserved for it. Raises `DamagedMovieError`."""
    if image_bytes > _MAX_FRAME_BYTES or images > _MAX_FRAMES:
        raise DamagedMovieError(f"it claims {images:,} images of {image_bytes:,} bytes")
    if not image_bytes:
        raise DamagedMovieError("its images have no pixels")


def _length(series: Any) -> int:
    """Return the number of planes in a series."""
    return math.prod(series.shape[: -len(series.keyframe.axes)])


def _samples_last(image: Image, axes: str) -> Image:
    if axes not in ("YX", "YXS", "SYX"):
        raise ValueError(f"its pages have axes {axes} and are not two-dimensional images")
    return np.moveaxis(image, 0, -1) if axes == "SYX" else image


def _reason(error: BaseException) -> str:
    if isinstance(error, StopIteration):
        return "it contains no image"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _cure(error: BaseException) -> str:
    missing = isinstance(error, ImportError) or "imagecodecs" in str(error)
    return "python -m pip install imagecodecs" if missing else "save it again as a TIFF stack"
