"""Reports the first of a series of equal faults, not each."""

from __future__ import annotations

import time

__all__ = ["Series"]

_PAUSE_NS = 10_000_000_000  # without a fault: the next one begins another series


class Series:
    """Faults that are reported once as long as they follow each other within 10 s."""

    def __init__(self) -> None:
        self._last_ns: int | None = None

    def begins(self) -> bool:
        """Register a fault; return whether it is the first of a series."""
        now_ns = time.monotonic_ns()
        last_ns, self._last_ns = self._last_ns, now_ns
        return last_ns is None or now_ns - last_ns > _PAUSE_NS
