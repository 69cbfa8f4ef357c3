"""What the simulated actuators were told, until it takes effect."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

__all__ = ["DelayQueue"]


class DelayQueue:
    """A queue in the order of the frames in which each takes effect, `delay_frames` after it could at the earliest."""

    def __init__(self, delay_frames: int) -> None:
        self._delay_frames = delay_frames
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    def give(self, act: Callable[[], None], next_frame: int) -> None:
        """Have `act` called before exposure `next_frame` or the delay later."""
        self._waiting.append((next_frame + self._delay_frames, act))

    def carry_out(self, frame: int) -> None:
        """Do what takes effect before exposure `frame`."""
        while self._waiting and self._waiting[0][0] <= frame:
            self._waiting.popleft()[1]()
