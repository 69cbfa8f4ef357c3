"""Flags particles at the image's edge."""

from __future__ import annotations

from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.particles import Flag, Rows

__all__ = ["flag_edges", "near_edge"]

_EDGE = np.uint32(Flag.EDGE)
_NOT_EDGE = ~_EDGE


def flag_edges(rows: Rows, width: int, height: int, radius: float) -> None:
    """Set `Flag.EDGE` on rows whose centre is within `radius` px of the image's edge; clear it on all others."""
    _flag(rows, width, height, radius)


@njit
def near_edge(row: Any, width: int, height: int, radius: float) -> bool:
    """Whether the centre of a row is within `radius` px of the edge of an image of `width` x `height` px."""
    x, y = row["x"], row["y"]
    return bool(min(x, width - 1 - x, y, height - 1 - y) < radius - 0.5)


@njit
def _flag(rows: Any, width: int, height: int, radius: float) -> None:
    for row in rows:
        near = near_edge(row, width, height, radius)
        row["flags"] = row["flags"] | _EDGE if near else row["flags"] & _NOT_EDGE
