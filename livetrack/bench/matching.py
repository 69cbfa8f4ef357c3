"""One-to-one assignment of rows to true particles with the smallest total distance."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from livetrack.particles import Rows

__all__ = ["GATE_PX", "match", "nearest_neighbour"]

Floats: TypeAlias = npt.NDArray[np.float64]

GATE_PX = 3.0
"""Max distance between a row and the particle assigned to it."""


def match(rows: Rows, x: Floats, y: Floats, gate_px: float = GATE_PX) -> npt.NDArray[np.int64]:
    """Return the row assigned to each particle (N,), -1 if it was missed.

    The assignment has the smallest total distance if a missed particle costs the gate: the optimal assignment of
    Chenouard et al., Nature Methods 11, 281 (2014).
    """
    owner = np.full(x.size, -1)
    if not len(rows) or not x.size:
        return owner
    distance = np.hypot(rows["x"] - x[:, None], rows["y"] - y[:, None])
    near = (distance <= gate_px).any(axis=0)  # rows beyond every gate only enlarge the problem
    cost = np.minimum(distance[:, near], gate_px)
    if not cost.size:
        return owner
    particles, columns = linear_sum_assignment(cost)
    found = cost[particles, columns] < gate_px
    owner[particles[found]] = np.flatnonzero(near)[columns[found]]
    return owner


def nearest_neighbour(x: Floats, y: Floats) -> Floats:
    """Return the distance of each particle to its nearest neighbour, px; infinite for a single particle."""
    if x.size < 2:
        return np.full(x.size, np.inf)
    points = np.stack([x, y], axis=1)
    distance: Floats = cKDTree(points).query(points, k=2)[0][:, 1]
    return distance
