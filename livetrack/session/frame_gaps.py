"""The time between frames as they come, and how far a device that is being told something stretches it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["FrameGapMonitor", "StallProbe"]

_WEIGHT = 0.05  # of the newest interval in the usual one
_MAX_GROWTH = 4  # times the usual one that an interval may count


class StallProbe:
    """What was seen between two moments."""

    def __init__(self, typical_ns: float) -> None:
        self._typical_ns = typical_ns
        self._begun_ns = time.perf_counter_ns()
        self._longest_ns = 0.0

    def record(self, last_ns: int, now_ns: int) -> None:
        """Take in the time from one frame to the next, or until now; lateness before the probe is excused."""
        since_ns = max(last_ns, self._begun_ns - self._typical_ns)
        self._longest_ns = max(self._longest_ns, now_ns - since_ns)

    @property
    def stall_ms(self) -> float:
        """How much longer than usual no frame came; 0 where that is less than one usual interval."""
        beyond_ns = self._longest_ns - self._typical_ns
        return round(beyond_ns * 1e-6, 3) if self._typical_ns and beyond_ns > self._typical_ns else 0.0


class FrameGapMonitor:
    """Is told of every frame, by one thread, and watches for others."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._typical_ns = 0.0
        self._count = -1  # of intervals: the first frame ends none
        self._probes: list[StallProbe] = []

    def record(self, now_ns: int) -> None:
        """Take in a frame that came at `now_ns`."""
        last_ns, self._last_ns = self._last_ns or now_ns, now_ns
        gap_ns = now_ns - last_ns
        typical_ns = self._typical_ns or gap_ns
        self._count += 1
        weight = max(_WEIGHT, 1 / max(self._count, 1))
        self._typical_ns = typical_ns + weight * (min(gap_ns, _MAX_GROWTH * typical_ns) - typical_ns)
        for probe in tuple(self._probes):
            probe.record(last_ns, now_ns)

    def reset(self) -> None:
        """Begin anew with the next frame: the camera was closed."""
        self._last_ns, self._typical_ns, self._count = 0, 0.0, -1

    @contextmanager
    def probe(self) -> Iterator[StallProbe]:
        """Measure by how much frames are late meanwhile."""
        probe = StallProbe(self._typical_ns)
        self._probes.append(probe)  # one step, as `remove` is: several threads do this
        try:
            yield probe
        finally:
            self._probes.remove(probe)
            if last_ns := self._last_ns:
                probe.record(last_ns, time.perf_counter_ns())
