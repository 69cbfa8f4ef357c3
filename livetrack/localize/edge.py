"""Particles at the image's edge."""

from __future__ import annotations

import numpy as np

from livetrack.particles import Flag, Rows

__all__ = ["flag_edges"]


def flag_edges(rows: Rows, width: int, height: int, radius: float) -> None:
    """Set `Flag.EDGE` where a centre is nearer than `radius` px to the image's edge, and clear it elsewhere."""
    x, y = rows["x"], rows["y"]
    beside = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    rows["flags"] &= ~np.uint32(Flag.EDGE)
    rows["flags"][beside + 0.5 < radius] |= np.uint32(Flag.EDGE)
