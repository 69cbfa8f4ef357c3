"""Delays the commands to the simulated actuators until they take effect."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

__all__ = ["DelayQueue"]


class DelayQueue:
    """Actions in the order of their frames; each runs `delay_frames` after the first exposure that could show it."""

    def __init__(self, delay_frames: int) -> None:
        self._delay_frames = delay_frames
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    def put(self, action: Callable[[], None], next_frame: int) -> None:
        """Queue an action; `next_frame` is the number of the next exposure, no lower than in the call before."""
        self._waiting.append((next_frame + self._delay_frames, action))

    def run_due(self, frame: int) -> None:
        """Run the actions that are due before the exposure of frame number `frame`."""
        while self._waiting and self._waiting[0][0] <= frame:
            self._waiting.popleft()[1]()
