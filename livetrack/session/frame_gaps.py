"""Time between frames, and stalls: how much longer it gets while a device is commanded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["FrameGapMonitor", "StallProbe"]

_WEIGHT = 0.05  # of the newest interval in the typical one
_MAX_GROWTH = 4  # an interval counts as at most this many typical ones


class StallProbe:
    """The longest time without a frame during a command."""

    def __init__(self, typical_ns: float) -> None:
        self._typical_ns = typical_ns
        self._begun_ns = time.perf_counter_ns()
        self._longest_ns = 0.0

    def record(self, last_ns: int, now_ns: int) -> None:
        """Record the time from one frame to the next, or until now; delays before the command do not count."""
        since_ns = max(last_ns, self._begun_ns - self._typical_ns)
        self._longest_ns = max(self._longest_ns, now_ns - since_ns)

    @property
    def stall_ms(self) -> float:
        """The longest time without a frame, minus a typical interval; 0 if that is less than one typical interval."""
        excess_ns = self._longest_ns - self._typical_ns
        return round(excess_ns * 1e-6, 3) if self._typical_ns and excess_ns > self._typical_ns else 0.0


class FrameGapMonitor:
    """Measures the typical interval between frames and the stalls; frames come from one thread, probes from any.

    Attributes
    ----------
    stalls, stall_ms
        Commands that stalled the frames, and the total duration.
    """

    def __init__(self) -> None:
        self.stalls = 0
        self.stall_ms = 0.0
        self._counting = threading.Lock()
        self._last_ns = 0
        self._typical_ns = 0.0
        self._intervals = -1  # the first frame ends none
        self._probes: list[StallProbe] = []

    def record(self, now_ns: int) -> None:
        """Record a frame received at `now_ns`."""
        last_ns, self._last_ns = self._last_ns or now_ns, now_ns
        gap_ns = now_ns - last_ns
        typical_ns = self._typical_ns or gap_ns
        self._intervals += 1
        weight = max(_WEIGHT, 1 / max(self._intervals, 1))
        self._typical_ns = typical_ns + weight * (min(gap_ns, _MAX_GROWTH * typical_ns) - typical_ns)
        for probe in tuple(self._probes):
            probe.record(last_ns, now_ns)

    def reset(self) -> None:
        """Start over with the next frame: the camera was closed."""
        self._last_ns, self._typical_ns, self._intervals = 0, 0.0, -1

    @contextmanager
    def probe(self) -> Iterator[StallProbe]:
        """Measure and count the stall caused by the commands within the `with` block."""
        probe = StallProbe(self._typical_ns)
        self._probes.append(probe)  # atomic, as `remove` is: several threads do this
        try:
            yield probe
        finally:
            self._probes.remove(probe)
            if last_ns := self._last_ns:
                probe.record(last_ns, time.perf_counter_ns())
            if probe.stall_ms:
                with self._counting:
                    self.stalls += 1
                    self.stall_ms += probe.stall_ms
