"""Reads TIFF stacks: plain, ImageJ, OME-TIFF, Micro-Manager and tifffile's own, complete or truncated."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import tifffile

from livetrack.errors import InputError
from livetrack.movies.arrangement import Arrangement, arrange
from livetrack.movies.assembly import ABSENT, Numbers, assemble, first_frame, image_numbers
from livetrack.movies.colours import colour_notes
from livetrack.movies.movie import DamagedMovieError, Image, LostFrame, Movie, MovieFrame, to_grey
from livetrack.movies.ome_files import metadata_elsewhere
from livetrack.movies.quiet import quiet_tifffile
from livetrack.movies.scales import tiff_scales
from livetrack.movies.selection import Selection
from livetrack.movies.tiff_axes import declared_images
from livetrack.movies.tiff_layout import Layout
from livetrack.movies.tiff_missing import WITHOUT_A_COUNT, broken_at, is_in_a_row, planes_of
from livetrack.movies.tiff_pages import layout_of_cut_stack, layout_of_pages, layout_of_truncated
from livetrack.movies.tiff_planes import is_inverted
from livetrack.movies.tiff_series import layout_of_series
from livetrack.movies.tiff_times import tiff_times_s
from livetrack.movies.timing import judge_times

__all__ = ["open_file", "open_tiff"]

_CURE = "save it again as a TIFF stack"


def open_tiff(path: Path, selection: Selection, whole_recording: bool = False) -> Movie:
    """Open a TIFF stack whose frames lie along one axis: time, depth, or simply pages.

    Of series of several kinds or lengths the longest is read, with a note; images of one kind that were written one by
    one are one series. What the file declares but does not contain is reported by `Movie.problem`.

    A file of a recording in several, of which each has a position, is read at its own position, unless
    `whole_recording` is set.

    Raises
    ------
    InputError
        The file is not a TIFF, needs a decoder that is not installed, contains several positions, channels or planes
        of which none was selected or not the one selected, or contains no images of real numbers.
    """
    try:
        notes = list[str]()
        with open_file(path, notes) as tif:
            layout = _find_layout(tif, path, selection)
            notes += layout.notes
            if is_inverted(tif.pages[0]):
                notes.append("white is 0 in this file: its pixels are inverted, so that bright is high")
            if selection.position is None and layout.own_position is not None and not whole_recording:
                selection = replace(selection, position=layout.own_position)
                notes.append(f"position {layout.own_position} is read, that of this file; --position N reads another")
            arrangement = arrange(path, layout.axes, selection)
            lacking = _lacking(image_numbers(layout.order, arrangement), layout.absence)
            first = first_frame(lambda indices: _frames(layout, arrangement, selection, path, indices), path, _CURE)
            times_s = tiff_times_s(tif, layout, arrangement)
            scales = tiff_scales(tif)
            notes += _colour_notes(layout, arrangement, selection)
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # tifffile raises anything for damaged files
        raise InputError(f"{path}: cannot be read as TIFF: {_reason(error)}; {_CURE}") from error

    def read(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        try:
            with open_file(path) as tif:
                layout = _find_layout(tif, path, selection)
                yield from _frames(layout, arrangement, selection, path, indices)
        except (InputError, DamagedMovieError):
            raise
        except Exception as error:  # likewise
            raise DamagedMovieError(f"the next frame cannot be read ({_reason(error)})") from error

    timing = judge_times(times_s, scales.interval_s)
    height, width = first.pixels.shape
    return Movie(
        path,
        (height, width),
        first.pixels.dtype,
        arrangement.length if layout.is_counted else None,
        timing.fps,
        scales.pixel_size_um,
        read,
        times=lambda: timing.times,
        lacking=lacking,
        notes=[*notes, *arrangement.notes, *timing.notes, *scales.notes],
    )


@quiet_tifffile()
def open_file(path: Path, notes: list[str] | None = None) -> tifffile.TiffFile:
    """Open a TIFF file and read which images it has; add to `notes` what was assumed.

    Raises `DamagedMovieError`, and what tifffile raises.
    """
    tif = tifffile.TiffFile(path)
    try:
        if not len(tif.pages):
            raise DamagedMovieError("it contains no image")
        if (metadata := metadata_elsewhere(tif, path)) is not None:
            if metadata.text != tif.ome_metadata:
                tif.close()
                tif = tifffile.TiffFile(path, omexml=metadata.text)
            if notes is not None and metadata.note:
                notes.append(metadata.note)
        with suppress(Exception):  # where the directories contradict each other
            _ = len(tif.series)
    except Exception:
        tif.close()
        raise
    return tif


@quiet_tifffile()
def _find_layout(tif: tifffile.TiffFile, path: Path, selection: Selection) -> Layout:
    """Return the images of an open file. Raises `InputError`, `DamagedMovieError`, and what tifffile raises."""
    broken = broken_at(tif)
    if broken is not None:
        return layout_of_truncated(tif, broken)
    series = _series(tif)
    if not series:
        return layout_of_pages(tif, selection)
    longest = max(series, key=planes_of)
    if longest.kind in WITHOUT_A_COUNT:
        if tif.is_imagej and len(tif.pages) == 1 and longest.keyframe.is_contiguous and declared_images(tif) > 1:
            return layout_of_cut_stack(tif)
        written_singly = len(series) > 1 or planes_of(longest) != len(tif.pages)
        if written_singly and _is_one_axis(longest) and not any(map(is_in_a_row, series)):
            return layout_of_pages(tif, selection)
    return layout_of_series(tif, series, path, selection)


def _series(tif: tifffile.TiffFile) -> list[Any]:
    """Return the series that tifffile finds; none where the directories contradict each other."""
    try:
        return list(tif.series)
    except Exception:  # noqa: BLE001 - tifffile raises anything for damaged files
        return []


def _is_one_axis(series: Any) -> bool:
    return _sides(series.shape) <= 1 + _sides(series.keyframe.shape)


def _sides(shape: tuple[int, ...]) -> int:
    return sum(size > 1 for size in shape)


def _lacking(numbers: Numbers, absence: str) -> str:
    """Return how many frames are absent for a reason that is clear at once; empty if none are."""
    absent = int((numbers == ABSENT).any(axis=1).sum()) if absence else 0
    return f"{absent} of its {len(numbers)} frames are missing: {absence}" if absent else ""


def _colour_notes(layout: Layout, arrangement: Arrangement, selection: Selection) -> list[str]:
    """Return notes on colours that hold nothing, from a few images."""
    numbers = image_numbers(layout.order, arrangement)[:, 0]
    present = numbers[numbers != ABSENT]
    if selection.channel is not None or not len(present):
        return []
    images = []
    for place in sorted({0, len(present) // 2, len(present) - 1}):
        with suppress(Exception):  # said when it is read as a frame
            images.append(layout.planes(int(present[place])))
            if images[0].ndim == 2:
                return []
    return colour_notes(images)


def _frames(
    layout: Layout, arrangement: Arrangement, selection: Selection, path: Path, indices: Iterator[int]
) -> Iterator[MovieFrame | LostFrame]:
    """Yield the frames at these indices."""
    sample = None if arrangement.has_channels else selection.channel

    def image(number: int) -> Image:
        return to_grey(layout.planes(number), sample, path)

    numbers = image_numbers(layout.order, arrangement)
    return assemble(numbers, image, selection.z, indices, layout.missing)


def _reason(error: BaseException) -> str:
    if isinstance(error, struct.error):
        return "it ends within its header"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
