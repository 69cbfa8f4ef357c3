"""Schedules cache warming: the last frame is tracked again shortly before the next one is due.

A CPU that idles for some ms, or serves another program, loses the contents of its caches, and the next frame takes up
to twice as long as one that follows at once.
"""

from __future__ import annotations

import time

__all__ = ["CacheWarmer"]

_WEIGHT = 0.1  # of the newest frame in the running means
_MIN_IDLE_RATIO = 4.0  # interval over processing time: warming takes as long as a frame
_MARGIN_NS = 200_000  # warming ends this much before the next frame is due, and may start this much late
_MAX_JITTER = 0.1  # mean deviation of the interval, relative to the interval


class CacheWarmer:
    """Predicts when the next frame is due, and whether there is time to warm the caches before it.

    That is the case if frames arrive evenly and their processing takes less than a quarter of the interval.
    """

    def __init__(self) -> None:
        self._received_ns = 0
        self._interval_ns = self._jitter_ns = self._work_ns = 0.0
        self._due_ns: float | None = None

    def record(self, received_ns: int, begun_ns: int, ended_ns: int) -> None:
        """Record a frame: when it was received, and when its processing began and ended."""
        interval_ns = received_ns - self._received_ns if self._received_ns else 0
        self._received_ns = received_ns
        self._jitter_ns += _WEIGHT * (abs(interval_ns - self._interval_ns) - self._jitter_ns)
        self._interval_ns += _WEIGHT * (interval_ns - self._interval_ns)
        self._work_ns += _WEIGHT * (ended_ns - begun_ns - self._work_ns)
        even = self._jitter_ns < _MAX_JITTER * self._interval_ns
        if even and _MIN_IDLE_RATIO * self._work_ns < self._interval_ns:
            self._due_ns = received_ns + self._interval_ns - self._jitter_ns - self._work_ns - _MARGIN_NS
        else:
            self._due_ns = None

    def wait_s(self, max_s: float) -> float:
        """Return how long to wait for a frame before warming is due; at most `max_s`."""
        if self._due_ns is None:
            return max_s
        return min(max_s, max(0.0, (self._due_ns - time.perf_counter_ns()) * 1e-9))

    def is_due(self) -> bool:
        """Return True once per frame, when it is time; False if it is too late to finish before the next frame."""
        if self._due_ns is None or (late_ns := time.perf_counter_ns() - self._due_ns) < 0:
            return False
        self._due_ns = None
        return late_ns < _MARGIN_NS
