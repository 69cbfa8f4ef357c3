"""The time between frames as they come, and how far a device that is being told something stretches it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Gaps", "Watch"]

_WEIGHT = 0.05  # of the newest interval in the usual one
_MOST = 4  # times the usual one that an interval may count


class Watch:
    """What was seen between two moments."""

    def __init__(self, usual_ns: float) -> None:
        self._usual_ns = usual_ns
        self._begun_ns = time.perf_counter_ns()
        self._longest_ns = 0.0

    def note(self, last_ns: int, now_ns: int) -> None:
        """Take in the time from one frame to the next, or until now; lateness before the watch is excused."""
        since_ns = max(last_ns, self._begun_ns - self._usual_ns)
        self._longest_ns = max(self._longest_ns, now_ns - since_ns)

    @property
    def stall_ms(self) -> float:
        """How much longer than usual no frame came; 0 where that is less than one usual interval."""
        beyond_ns = self._longest_ns - self._usual_ns
        return round(beyond_ns * 1e-6, 3) if self._usual_ns and beyond_ns > self._usual_ns else 0.0


class Gaps:
    """Is told of every frame, by one thread, and watches for others."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._usual_ns = 0.0
        self._count = -1  # of intervals: the first frame ends none
        self._watches: list[Watch] = []

    def note(self, now_ns: int) -> None:
        """Take in a frame that came at `now_ns`."""
        last_ns, self._last_ns = self._last_ns or now_ns, now_ns
        gap_ns = now_ns - last_ns
        usual_ns = self._usual_ns or gap_ns
        self._count += 1
        weight = max(_WEIGHT, 1 / max(self._count, 1))
        self._usual_ns = usual_ns + weight * (min(gap_ns, _MOST * usual_ns) - usual_ns)
        for watch in tuple(self._watches):
            watch.note(last_ns, now_ns)

    def forget(self) -> None:
        """Begin anew with the next frame: the camera was closed."""
        self._last_ns, self._usual_ns, self._count = 0, 0.0, -1

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """Watch what happens to the frames meanwhile."""
        watch = Watch(self._usual_ns)
        self._watches.append(watch)  # one step, as `remove` is: several threads watch
        try:
            yield watch
        finally:
            self._watches.remove(watch)
            if last_ns := self._last_ns:
                watch.note(last_ns, time.perf_counter_ns())
