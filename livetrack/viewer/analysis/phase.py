"""Where within its pixel each position lies: pixel locking shows as hills and dales."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from livetrack.particles import Flag, Rows

__all__ = ["PhaseCounts"]

BINS = 20
MOST = 50_000
"""Positions that are counted: the newest."""


class PhaseCounts:
    """Counts of the newest positions' distance from the nearest pixel centre, -0.5 to 0.5 px, along each axis."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, npt.NDArray[np.int64]]] = deque()
        self.counts: npt.NDArray[np.int64] = np.zeros((2, BINS), np.int64)
        """(2, BINS), x and y."""
        self.positions = 0

    def add(self, rows: Rows) -> None:
        """Count one frame's particles that were measured in it."""
        rows = rows[(rows["flags"] & Flag.COASTED == 0) & np.isfinite(rows["x"]) & np.isfinite(rows["y"])]
        if not len(rows):
            return
        counts = np.stack([_counts(rows[axis]) for axis in ("x", "y")])
        self._kept.append((len(rows), counts))
        self.counts += counts
        self.positions += len(rows)
        while self.positions > MOST and len(self._kept) > 1:
            number, oldest = self._kept.popleft()
            self.counts -= oldest
            self.positions -= number

    def clear(self) -> None:
        """Begin anew."""
        self._kept.clear()
        self.counts[:] = 0
        self.positions = 0

    def locking(self) -> tuple[float, float]:
        """Return, for x and y, the length of the mean of all phases as unit arrows: 0 for none, 1 for all alike."""
        if not self.positions:
            return 0.0, 0.0
        arrows = np.exp(2j * np.pi * (np.arange(BINS) + 0.5) / BINS)
        x, y = np.abs(self.counts @ arrows) / self.positions
        return float(x), float(y)


def _counts(positions: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    phase = positions.astype(np.float64) + 0.5
    phase -= np.floor(phase)
    index = np.minimum((phase * BINS).astype(np.int64), BINS - 1)
    return np.bincount(index, minlength=BINS)
