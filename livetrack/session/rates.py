"""Frame rates of the camera and of the tracker."""

from __future__ import annotations

import time

__all__ = ["Rates"]


class Rates:
    """Frames per second of the camera and of the tracker since the last update."""

    def __init__(self) -> None:
        self._last = time.perf_counter_ns(), 0, 0
        self._rates = 0.0, 0.0

    def update(self, received: int, tracked: int) -> tuple[float, float]:
        """Return both rates for these counts."""
        now_ns = time.perf_counter_ns()
        then_ns, received_then, tracked_then = self._last
        elapsed_s = (now_ns - then_ns) * 1e-9
        if elapsed_s > 0.2:  # sooner, the last rates are repeated
            self._rates = (received - received_then) / elapsed_s, (tracked - tracked_then) / elapsed_s
            self._last = now_ns, received, tracked
        return round(self._rates[0], 1), round(self._rates[1], 1)
