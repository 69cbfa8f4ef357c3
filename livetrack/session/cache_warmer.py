"""When to go through the last frame once more, so that the next one meets a processor that has just done the same."""

from __future__ import annotations

import time

__all__ = ["CacheWarmer"]

_WEIGHT = 0.1  # of the newest frame in what is usual
_LEAST_REST = 4.0  # times the work on a frame that there must be between two: a rehearsal is as much work again
_EARLY_NS = 200_000  # before the next frame is due it is to be over; it may begin later by as much
_EVEN = 0.1  # share of the interval that frames may be off by, in the mean


class CacheWarmer:
    """Knows when frames come, how long they take, and whether there is time for a rehearsal between two of them.

    A processor that rests for some ms, or serves another program, loses what it had in its caches: the next frame
    takes up to twice as long as one that follows at once. Where frames come evenly, and the work on them takes less
    than a quarter of the time between two, the last one is gone through again shortly before the next is due.
    """

    def __init__(self) -> None:
        self._received_ns = 0
        self._interval_ns = self._off_ns = self._work_ns = 0.0
        self._due_ns: float | None = None

    def record(self, received_ns: int, began_ns: int, ended_ns: int) -> None:
        """Take in a frame: when it was received, and when the work on it began and ended."""
        interval_ns = received_ns - self._received_ns if self._received_ns else 0
        self._received_ns = received_ns
        self._off_ns += _WEIGHT * (abs(interval_ns - self._interval_ns) - self._off_ns)
        self._interval_ns += _WEIGHT * (interval_ns - self._interval_ns)
        self._work_ns += _WEIGHT * (ended_ns - began_ns - self._work_ns)
        even = self._off_ns < _EVEN * self._interval_ns
        if even and _LEAST_REST * self._work_ns < self._interval_ns:
            self._due_ns = received_ns + self._interval_ns - self._off_ns - self._work_ns - _EARLY_NS
        else:
            self._due_ns = None

    def wait_s(self, max_s: float) -> float:
        """Return how long to wait for a frame until it is time for a rehearsal; `max_s` where none is wanted."""
        if self._due_ns is None:
            return max_s
        return min(max_s, max(0.0, (self._due_ns - time.perf_counter_ns()) * 1e-9))

    def is_due(self) -> bool:
        """Say whether it is time, once for each frame; not when it is too late to be over before the next."""
        if self._due_ns is None or (late_ns := time.perf_counter_ns() - self._due_ns) < 0:
            return False
        self._due_ns = None
        return late_ns < _EARLY_NS
