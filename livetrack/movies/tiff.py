"""Reads TIFF stacks: plain, ImageJ, OME-TIFF and tifffile's own, complete or truncated."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import tifffile

from livetrack.errors import InputError
from livetrack.movies.movie import DamagedMovieError, Image, Movie, to_grey
from livetrack.movies.scales import tiff_scales
from livetrack.movies.tiff_layout import Layout, find_layout
from livetrack.movies.tiff_planes import without_log_lines

__all__ = ["open_tiff"]

_log = logging.getLogger(__name__)


def open_tiff(path: Path, channel: int | None) -> Movie:
    """Open a TIFF stack whose frames lie along one axis: time, depth, or simply pages.

    Of several series (positions, sizes) the longest is read, with a warning; images of one kind that were written one
    by one are one series. What the file declares but does not contain is reported by `Movie.problem`.

    Raises
    ------
    InputError
        The file is not a TIFF, needs a decoder that is not installed, has several axes of images (times and depths) or
        several channels of which none was chosen, or contains no images of real numbers.
    """
    try:
        with _open(path) as tif:
            layout = find_layout(tif, path)
            first = next(_frames(layout, channel, path))
            if layout.note:
                _log.warning("%s: %s", path, layout.note)
            fps, pixel_size_um = tiff_scales(tif)
    except InputError:
        raise
    except Exception as error:  # tifffile raises anything for damaged files
        raise InputError(f"{path}: cannot be read as TIFF: {_reason(error)}; {_cure(error)}") from error

    def read() -> Iterator[Image]:
        try:
            with _open(path) as tif:
                yield from _frames(find_layout(tif, path), channel, path)
        except (InputError, DamagedMovieError):
            raise
        except Exception as error:  # likewise
            raise DamagedMovieError(f"the next frame cannot be read ({_reason(error)})") from error

    height, width = first.shape
    return Movie(path, (height, width), first.dtype, layout.length, fps, pixel_size_um, read)


@without_log_lines()
def _open(path: Path) -> tifffile.TiffFile:
    """Open a file and read which images it has."""
    tif = tifffile.TiffFile(path)
    try:
        if not len(tif.pages):
            raise DamagedMovieError("it contains no image")
        with suppress(Exception):  # where the directories contradict each other
            _ = len(tif.series)
    except Exception:
        tif.close()
        raise
    return tif


def _frames(layout: Layout, channel: int | None, path: Path) -> Iterator[Image]:
    """Yield the frames of a channel."""
    order, sample = layout.order, channel
    if len(order) > 1:  # channels are separate planes
        if channel is None or not 0 <= channel < len(order):
            raise InputError(
                f"{path}: has {len(order)} channels; choose one with channel = 0 to {len(order) - 1}"
                + ("" if channel is None else f", not {channel}")
            )
        order, sample = order[channel : channel + 1], None
    for index in order[0]:
        yield to_grey(layout.planes(index), sample, path)
    if missing := layout.missing():
        raise DamagedMovieError(missing)


def _reason(error: BaseException) -> str:
    if isinstance(error, StopIteration):
        return "it contains no image"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _cure(error: BaseException) -> str:
    missing = isinstance(error, ImportError) or "imagecodecs" in str(error)
    return "python -m pip install imagecodecs" if missing else "save it again as a TIFF stack"
