"""Histograms of the sub-pixel phase of positions, which reveal pixel locking."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from livetrack.particles import Flag, Rows

__all__ = ["PhaseCounts"]

BINS = 20
MAX_POSITIONS = 50_000


class PhaseCounts:
    """Histograms of the distance to the nearest pixel centre, -0.5 to 0.5 px, of the newest `MAX_POSITIONS`."""

    def __init__(self) -> None:
        self._frames: deque[tuple[int, npt.NDArray[np.int64]]] = deque()
        self.counts: npt.NDArray[np.int64] = np.zeros((2, BINS), np.int64)
        """(2, BINS), x and y."""
        self.positions = 0

    def add(self, rows: Rows) -> None:
        """Count the particles measured in one frame."""
        rows = rows[(rows["flags"] & Flag.COASTED == 0) & np.isfinite(rows["x"]) & np.isfinite(rows["y"])]
        if not len(rows):
            return
        counts = np.stack([_counts(rows[axis]) for axis in ("x", "y")])
        self._frames.append((len(rows), counts))
        self.counts += counts
        self.positions += len(rows)
        while self.positions > MAX_POSITIONS and len(self._frames) > 1:
            count, oldest = self._frames.popleft()
            self.counts -= oldest
            self.positions -= count

    def clear(self) -> None:
        """Reset all counts."""
        self._frames.clear()
        self.counts[:] = 0
        self.positions = 0

    def locking(self) -> tuple[float, float]:
        """Return the strength of pixel locking for x and y: 0 for a flat histogram, 1 for a single phase.

        It is the length of the mean of unit vectors whose angle is the phase.
        """
        if not self.positions:
            return 0.0, 0.0
        vectors = np.exp(2j * np.pi * (np.arange(BINS) + 0.5) / BINS)
        x, y = np.abs(self.counts @ vectors) / self.positions
        return float(x), float(y)


def _counts(positions: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    phase = positions.astype(np.float64) + 0.5
    phase -= np.floor(phase)
    index = np.minimum((phase * BINS).astype(np.int64), BINS - 1)
    return np.bincount(index, minlength=BINS)
