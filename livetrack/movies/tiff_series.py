"""Layout of TIFF files whose metadata arrange the images: OME, ImageJ, Micro-Manager, tifffile and others."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from livetrack.errors import InputError
from livetrack.movies.arrangement import Axis
from livetrack.movies.assembly import ABSENT, Numbers
from livetrack.movies.ome_files import absent_files
from livetrack.movies.selection import Selection
from livetrack.movies.tiff_axes import colour_note, named_axes
from livetrack.movies.tiff_layout import Layout, check_sides
from livetrack.movies.tiff_missing import is_in_a_row, left_out, planes_of
from livetrack.movies.tiff_planes import (
    Planes,
    check_size,
    lines_as_planes,
    planes_in_a_row,
    planes_of_pages,
    samples_apart,
    samples_as_planes,
)
from livetrack.movies.tiff_positions import declared_frames, own_position, series_as_positions

__all__ = ["layout_of_series"]

_OF_SEVERAL_FILES = ("ome", "mmstack")


def layout_of_series(tif: tifffile.TiffFile, every: list[Any], path: Path, selection: Selection) -> Layout:
    """Return the images of the longest series, of all as positions if they are alike, or of the chosen position."""
    chosen, notes = series_as_positions(every, selection)
    series = chosen[0]
    for each in chosen:
        check_size(planes_of(each), each.keyframe.nbytes)
    around = len([size for size in series.shape if size > 1]) - 3  # axes besides those of an image of samples
    as_axis = series.keyframe.axes == "SYX" and len(selection.axes) == 1 + around
    outer, plane, lines = _split(series, as_axis)
    axes = named_axes("".join(axis for axis, _ in outer), tuple(size for _, size in outer))
    order: Numbers = np.arange(math.prod(axis.size for axis in axes), dtype=np.int64)
    order = order.reshape([axis.size for axis in axes])
    pages = series.pages
    if len(chosen) > 1:
        pages = [page for each in chosen for page in each.pages]
        axes, order = (Axis("P", len(chosen)), *axes), np.arange(len(pages)).reshape(len(chosen), *order.shape)
    absence, own = "", None
    if series.kind in _OF_SEVERAL_FILES and not is_in_a_row(series):
        there = [page is not None and page.offset > 0 for page in pages]
        order = np.where(there, order.ravel(), ABSENT).reshape(order.shape)
        own = own_position(axes, order, pages, tif)
        absence = _absence(tif, series.kind, path)
        if series.kind == "mmstack":
            axes, order = declared_frames(tif, series, axes, order)
    of_samples = series.keyframe.axes == "SYX" and plane == "YX"
    if plane == "SYX" and selection.channel is None:
        notes = (*notes, colour_note(axes, series.keyframe.shape[0]))
    planes = _planes(tif, series, pages, plane, lines)
    return Layout(
        axes,
        order,
        planes,
        lambda: left_out(tif, series, every),
        absence=absence,
        notes=notes,
        pages=None if is_in_a_row(series) or lines or of_samples else pages,
        series=every.index(series),
        own_position=own,
    )


def _split(series: Any, as_axis: bool) -> tuple[list[tuple[str, int]], str, int]:
    """Return the axes beyond those of an image, the axes of an image, and how many pages make one if not one does.

    `as_axis` takes the samples of an image for images.
    """
    plane, plane_shape = series.keyframe.axes, series.keyframe.shape
    sizes = [(axis, size) for axis, size in zip(series.axes, series.shape, strict=True) if size > 1]
    names = "".join(axis for axis, _ in sizes)
    if plane == "YX" and min(plane_shape) == 1 and len(sizes) > 2:  # an axis of length 1 between rows and columns
        return sizes[:-2], plane, sizes[-2][1]
    check_sides(plane, plane_shape)
    if plane == "SYX" and names.endswith("YX") and (as_axis or not names.endswith("SYX")):
        plane, plane_shape = "YX", plane_shape[1:]
    if tuple(size for _, size in sizes[-len(plane) :]) != plane_shape:
        raise InputError(f"its images have axes {series.axes}; save a stack of two-dimensional images")
    outer = sizes[: -len(plane)]
    return ([("Q", size) for _, size in outer] if as_axis else outer), plane, 0


def _planes(tif: tifffile.TiffFile, series: Any, pages: Any, plane: str, lines: int) -> Planes:
    of_samples = plane == "YX" and series.keyframe.axes == "SYX"
    if of_samples and series.keyframe.is_contiguous and (is_in_a_row(series) or planes_of(series) == 1):
        return samples_as_planes(tif, series.keyframe)
    if is_in_a_row(series):
        planes = planes_in_a_row(tif, series.keyframe)
    else:
        planes = planes_of_pages(pages, series.keyframe.axes, series.keyframe)
    if of_samples:
        planes = samples_apart(planes, series.keyframe.shape[0])
    return lines_as_planes(planes, lines) if lines else planes


def _absence(tif: tifffile.TiffFile, kind: str, path: Path) -> str:
    """Return why images of a recording in several files may be absent."""
    names = absent_files(tif, path) if kind == "ome" else []
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"there is no {' and no '.join(names[:3])}{more} in this folder"
    return "a file of the recording is missing, or it was stopped early" if kind == "mmstack" else ""
