"""Tracks the frames of a movie by their numbers and times, which may have gaps and be uneven."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.movies import Movie
from livetrack.particles import Rows
from livetrack.tracker import Tracker

__all__ = ["SequenceTracker", "usual_interval_s"]


def usual_interval_s(movie: Movie) -> float | None:
    """Return the usual time from one frame of a movie to the next, s; None if the movie has no times."""
    times = movie.times_s()
    if times is not None:
        intervals = np.sort(np.diff(times))
        if len(intervals := intervals[intervals > 0]):
            return float(intervals[(len(intervals) - 1) // 2])  # one that occurs
    if not movie.fps:
        return None
    numbers = None if movie.numbers is None else np.sort(np.diff(movie.numbers))
    step = 1 if numbers is None or not len(numbers) else int(numbers[(len(numbers) - 1) // 2])
    return step / movie.fps


class SequenceTracker:
    """Tracks frames in the order of their numbers.

    Numbers that are left out are time that has passed: no track counts as missed in them. A frame without a time counts
    as taken when the numbers suggest it; where no frame has a time, the linker's unit of time is one frame. A time
    before that of the frame before counts as one usual interval after it.

    Parameters
    ----------
    tracker
        Without any tracks.
    interval_s
        Usual time between frames, s; None: as the times of the frames show.
    step
        Usual difference between the numbers of successive frames.
    """

    def __init__(self, tracker: Tracker, interval_s: float | None = None, step: int = 1) -> None:
        self._tracker, self._interval_s, self._step = tracker, interval_s, step
        self._number: int | None = None  # of the last frame
        self._now_s = 0.0  # of the last frame, as given to the linker
        self._late_s = 0.0  # that, less the frame's own time
        self.backward = 0
        """Frames with times before those of the frame before."""
        if interval_s is not None:
            tracker.linker.set_interval(interval_s)

    def update(self, number: int, image: npt.NDArray[Any], t_s: float | None = None) -> Rows:
        """Track the next frame, as `Tracker.update`; its number is higher than that of the frame before."""
        if t_s is not None and not math.isfinite(t_s):
            t_s = None
        if self._number is None:
            if t_s is None and self._interval_s is None:
                self._interval_s = 1.0
                self._tracker.linker.set_interval(1.0)
            self._now_s = t_s or 0.0
        else:
            self._now_s = self._time(t_s, max(number - self._number, 0) / self._step)
        self._number = number
        return self._tracker.update(image, self._now_s)

    def reset(self) -> None:
        """End all tracks: the next frame shows another part of the sample, or another time."""
        self._tracker.reset()
        self._number, self._late_s = None, 0.0

    def _time(self, t_s: float | None, intervals: float) -> float:
        """Return the time of the next frame, whose number is so many usual intervals ahead."""
        interval_s = self._tracker.linker.interval_s if self._interval_s is None else self._interval_s
        expected_s = self._now_s + intervals * interval_s
        if t_s is None:
            return expected_s
        if t_s + self._late_s < self._now_s:
            self.backward += 1
            self._late_s = expected_s - t_s
        return t_s + self._late_s
