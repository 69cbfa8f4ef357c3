"""Which frame of a movie is due."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["DISPLAY_FPS", "PlaybackClock"]

DISPLAY_FPS = 60.0
"""Up to this rate every frame is shown, and playback slows down rather than leave one out."""
_LATE_FRAMES = 2.0
"""Playback that is later than this goes on from the frame that is shown."""


class PlaybackClock:
    """Says when to go on from the frame that is shown; frames are counted by their index.

    Parameters
    ----------
    times_s
        (N,) time of each frame; None if they are unknown.
    """

    def __init__(self, times_s: npt.NDArray[np.float64] | None) -> None:
        self._times = times_s
        self.rate = 0.0
        """Frames per second; or, as `recorded`, how many times as fast as recorded."""
        self.recorded = False
        self._started_s = 0.0
        self._index = 0

    def start(self, index: int, now_s: float) -> None:
        """Play from `index` on."""
        self._index, self._started_s = index, now_s

    def set_speed(self, rate: float, *, recorded: bool, index: int, now_s: float) -> None:
        """Play at `rate` from `index` on."""
        self.rate, self.recorded = rate, recorded
        self.start(index, now_s)

    def due(self, shown: int, length: int, now_s: float) -> int:
        """Return the index that is to be shown now: `shown` or a later one, at most the last."""
        place = self._place(now_s)
        due = min(length - 1, math.floor(place))
        stride = self.stride(shown)
        following = min(shown + stride, length - 1)
        if due < following or following <= shown:
            return shown
        if place - following > _LATE_FRAMES * stride:  # the computer is too slow for this speed
            self.start(following, now_s)
        return following

    def stride(self, index: int) -> int:
        """Return how many frames playback goes on at a time: 1, unless the speed is beyond `DISPLAY_FPS`."""
        return max(1, math.ceil(self._fps_at(index) / DISPLAY_FPS - 1e-6))

    def period_s(self, index: int) -> float:
        """Return for how long the frame at `index` is shown, s."""
        fps = self._fps_at(index)
        return 1 / fps if fps > 0 else 0.0

    def _place(self, now_s: float) -> float:
        elapsed_s = (now_s - self._started_s) * self.rate
        if not self.recorded or self._times is None:
            return self._index + elapsed_s
        times = self._times
        if self._index >= len(times) - 1:
            return self._index
        index = int(np.searchsorted(times, times[self._index] + elapsed_s, side="right")) - 1
        index = max(index, self._index)
        return float(index) if index < len(times) - 1 else float(len(times) - 1)

    def _fps_at(self, index: int) -> float:
        if not self.recorded or self._times is None:
            return self.rate
        near = self._times[max(0, index - 8) : index + 9]
        interval_s = float(np.median(np.diff(near))) if len(near) > 1 else 0.0
        return self.rate / interval_s if interval_s > 0 else self.rate
