"""Particles at the image's edge."""

from __future__ import annotations

from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.particles import Flag, Rows

__all__ = ["flag_edges"]

_EDGE = np.uint32(Flag.EDGE)
_OTHERS = ~_EDGE


def flag_edges(rows: Rows, width: int, height: int, radius: float) -> None:
    """Set `Flag.EDGE` where a centre is nearer than `radius` px to the image's edge, and clear it elsewhere."""
    _flag(rows, width, height, radius - 0.5)


@njit
def _flag(rows: Any, width: int, height: int, least: float) -> None:
    for row in rows:
        x, y = row["x"], row["y"]
        near = min(x, width - 1 - x, y, height - 1 - y) < least
        row["flags"] = row["flags"] | _EDGE if near else row["flags"] & _OTHERS
