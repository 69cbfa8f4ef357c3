"""Positions in TIFF files: the series of images of an OME-TIFF, or an axis of a Micro-Manager stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tifffile

from livetrack.errors import InputError
from livetrack.movies.arrangement import Axis
from livetrack.movies.assembly import ABSENT, Numbers
from livetrack.movies.selection import Selection
from livetrack.movies.tiff_missing import is_in_a_row, planes_of
from livetrack.movies.tiff_planes import MAX_IMAGES

__all__ = ["declared_frames", "own_position", "series_as_positions"]


def series_as_positions(every: list[Any], selection: Selection) -> tuple[list[Any], tuple[str, ...]]:
    """Return the series to read, of which several are positions of one recording, and notes.

    They are positions if they are of one shape and type and none is longer. Else the longest is read.

    Raises
    ------
    InputError
        A position is selected that the file does not have.
    """
    longest = max(every, key=planes_of)
    alike = [series for series in every if _is_like(series, longest)]
    if len(every) == 1:
        return every, ()
    if len(alike) == len(every) and not any(map(is_in_a_row, every)):
        return every, ()
    if selection.position is not None:
        if selection.position >= len(every):
            raise InputError(_choice(every))
        return [every[selection.position]], ()
    if len(alike) > 1:
        raise InputError(_choice(every))
    others = next(index for index, series in enumerate(every) if series is not longest)
    return [longest], (
        f"contains {len(every)} series of images; the longest is read: --position {others} reads another",
    )


def own_position(axes: Sequence[Axis], order: Numbers, pages: Sequence[Any], tif: tifffile.TiffFile) -> int | None:
    """Return the only position of which images are in the file itself; None if there are several, or only one."""
    along = next((axis for axis, each in enumerate(axes) if each.name == "P" and each.size > 1), None)
    if along is None:
        return None
    own = np.array([page is not None and page.parent is tif for page in pages])
    present = (order != ABSENT) & own[np.maximum(order, 0)]
    positions = np.flatnonzero(np.moveaxis(present, along, 0).reshape(order.shape[along], -1).any(axis=1))
    return int(positions[0]) if len(positions) == 1 else None


def declared_frames(
    tif: tifffile.TiffFile, series: Any, axes: tuple[Axis, ...], order: Numbers
) -> tuple[tuple[Axis, ...], Numbers]:
    """Return axes and order of a Micro-Manager stack with all frames that it declares, those of other files as well.

    Of a recording in several files of which only one is there, tifffile counts the frames from the first in that file.
    """
    along = next((axis for axis, each in enumerate(axes) if each.name == "T"), None)
    metadata = tif.micromanager_metadata or {}
    try:
        declared = int(metadata.get("Summary", {}).get("Frames", 1))
        begin = 0 if series.is_multifile else int(metadata["IndexMap"][:, 2].min())
    except (KeyError, TypeError, ValueError):
        return axes, order
    if along is None or begin + axes[along].size > declared or order.size // axes[along].size * declared > MAX_IMAGES:
        return axes, order
    around = [(0, 0)] * order.ndim
    around[along] = (begin, declared - begin - axes[along].size)
    axes = (*axes[:along], Axis("T", declared), *axes[along + 1 :])
    return axes, np.pad(order, around, constant_values=ABSENT)


def _choice(every: list[Any]) -> str:
    return f"contains {len(every)} series of images; choose one with --position 0 to {len(every) - 1}"


def _is_like(series: Any, other: Any) -> bool:
    return bool(series.shape == other.shape and series.dtype == other.dtype and series.axes == other.axes)
