"""Which row is which particle: one to one, at the least total distance."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from livetrack.particles import Rows

__all__ = ["GATE_PX", "match", "nearest_other"]

Floats: TypeAlias = npt.NDArray[np.float64]

GATE_PX = 3.0
"""A row no further than this from a particle may have found it."""


def match(rows: Rows, x: Floats, y: Floats, gate_px: float = GATE_PX) -> npt.NDArray[np.int64]:
    """Return the row of each particle (N,), -1 where it was not found.

    The pairs are those whose total distance is least when each particle without a row costs the gate: the optimal
    assignment of Chenouard et al., Nature Methods 11, 281 (2014).
    """
    owner = np.full(x.size, -1)
    if not len(rows) or not x.size:
        return owner
    distance = np.hypot(rows["x"] - x[:, None], rows["y"] - y[:, None])
    near = (distance <= gate_px).any(axis=0)  # rows far from all particles only make the problem larger
    cost = np.minimum(distance[:, near], gate_px)
    if not cost.size:
        return owner
    particles, columns = linear_sum_assignment(cost)
    found = cost[particles, columns] < gate_px
    owner[particles[found]] = np.flatnonzero(near)[columns[found]]
    return owner


def nearest_other(x: Floats, y: Floats) -> Floats:
    """Return each particle's distance to its nearest neighbour, px; infinite where there is none."""
    if x.size < 2:
        return np.full(x.size, np.inf)
    points = np.stack([x, y], axis=1)
    distance: Floats = cKDTree(points).query(points, k=2)[0][:, 1]
    return distance
