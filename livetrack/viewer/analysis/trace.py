"""The trace of one track: its newest positions with their frames and times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.client import Update
from livetrack.particles import Flag

__all__ = ["POINTS", "Points", "Trace", "on_even_times"]

POINTS = np.dtype([("frame", "<i8"), ("t_s", "<f8"), ("x", "<f8"), ("y", "<f8"), ("x_std", "<f8"), ("y_std", "<f8")])
"""One measured position; coordinates and standard deviations in px."""

Points = npt.NDArray[np.void]
"""(N,) of dtype `POINTS`, oldest first."""


class Trace:
    """The newest `length` measured positions of the track `track_id`."""

    def __init__(self, track_id: int, length: int = 8192) -> None:
        self.track_id = track_id
        self._length = length
        self._buffer = np.zeros(2 * length, POINTS)
        self._end = 0

    def add(self, update: Update) -> None:
        """Add the particle's position in one frame, if it was measured there."""
        rows = update.particles
        found = np.flatnonzero(rows["id"] == self.track_id)
        if not len(found) or rows["flags"][found[0]] & Flag.COASTED:
            return
        row = rows[found[0]]
        if not (np.isfinite(row["x"]) and np.isfinite(row["y"])):
            return
        if self._end == len(self._buffer):  # move the newer half to the front, once in `length` frames
            self._buffer[: self._length] = self._buffer[self._length :]
            self._end = self._length
        self._buffer[self._end] = update.frame, update.t_s, row["x"], row["y"], row["x_std"], row["y_std"]
        self._end += 1

    @property
    def points(self) -> Points:
        """The positions, oldest first; a view that is valid until the next `add`."""
        return self._buffer[max(0, self._end - self._length) : self._end]


def on_even_times(points: Points) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Return x and y, (N,) in px, interpolated linearly at equal intervals, and the interval, s.

    The interval is the median of those between the positions. Where frames were skipped, the interpolation reduces
    the highest frequencies. For fewer than two positions the arrays are empty and the interval is 0.
    """
    increasing = np.r_[True, np.diff(points["t_s"]) > 0] if len(points) else np.zeros(0, bool)
    points = points[increasing]
    if len(points) < 2:
        return np.zeros(0), np.zeros(0), 0.0
    t_s = points["t_s"] - points["t_s"][0]
    step_s = float(np.median(np.diff(t_s)))
    times = np.arange(0, min(t_s[-1] + 0.5 * step_s, 4 * len(points) * step_s), step_s)
    return np.interp(times, t_s, points["x"]), np.interp(times, t_s, points["y"]), step_s
