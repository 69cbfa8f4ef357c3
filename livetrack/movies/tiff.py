"""Reads TIFF stacks: plain, ImageJ, OME-TIFF and tifffile's own, complete or truncated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count, takewhile
from pathlib import Path

import tifffile

from livetrack.errors import InputError
from livetrack.movies.movie import DamagedMovieError, Movie, MovieFrame, to_grey
from livetrack.movies.scales import tiff_scales
from livetrack.movies.selection import Selection
from livetrack.movies.tiff_layout import Layout, find_layout
from livetrack.movies.tiff_planes import without_log_lines

__all__ = ["open_tiff"]


def open_tiff(path: Path, selection: Selection) -> Movie:
    """Open a TIFF stack whose frames lie along one axis: time, depth, or simply pages.

    Of several series (positions, sizes) the longest is read, with a warning; images of one kind that were written one
    by one are one series. What the file declares but does not contain is reported by `Movie.problem`.

    Raises
    ------
    InputError
        The file is not a TIFF, needs a decoder that is not installed, has several axes of images (times and depths) or
        several channels of which none was chosen, or contains no images of real numbers.
    """
    selection.refuse(path, "a TIFF stack", ("position", "z", "axes"))
    channel = selection.channel
    try:
        with _open(path) as tif:
            layout = find_layout(tif, path)
            first = next(_frames(layout, channel, path, count())).pixels
            fps, pixel_size_um = tiff_scales(tif)
    except InputError:
        raise
    except Exception as error:  # tifffile raises anything for damaged files
        raise InputError(f"{path}: cannot be read as TIFF: {_reason(error)}; {_cure(error)}") from error

    def read(indices: Iterator[int]) -> Iterator[MovieFrame]:
        try:
            with _open(path) as tif:
                yield from _frames(find_layout(tif, path), channel, path, indices)
        except (InputError, DamagedMovieError):
            raise
        except Exception as error:  # likewise
            raise DamagedMovieError(f"the next frame cannot be read ({_reason(error)})") from error

    height, width = first.shape
    notes = [layout.note] if layout.note else []
    return Movie(path, (height, width), first.dtype, layout.length, fps, pixel_size_um, read, notes=notes)


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


def _frames(layout: Layout, channel: int | None, path: Path, indices: Iterator[int]) -> Iterator[MovieFrame]:
    """Yield the frames of a channel at these indices."""
    order, sample = layout.order, channel
    if len(order) > 1:  # channels are separate planes
        if channel is None or not 0 <= channel < len(order):
            raise InputError(
                f"{path}: has {len(order)} channels; choose one with channel = 0 to {len(order) - 1}"
                + ("" if channel is None else f", not {channel}")
            )
        order, sample = order[channel : channel + 1], None
    for index in takewhile(lambda index: index < len(order[0]), indices):
        yield MovieFrame(index, to_grey(layout.planes(order[0][index]), sample, path), None)
    if missing := layout.missing():
        raise DamagedMovieError(missing)


def _reason(error: BaseException) -> str:
    if isinstance(error, StopIteration):
        return "it contains no image"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _cure(error: BaseException) -> str:
    missing = isinstance(error, ImportError) or "imagecodecs" in str(error)
    return "python -m pip install imagecodecs" if missing else "save it again as a TIFF stack"
