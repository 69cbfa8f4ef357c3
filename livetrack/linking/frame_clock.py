"""Time between frames: the camera's where it is known, else counted in frames."""

from __future__ import annotations

from math import inf, isfinite, isnan, nan

from livetrack.errors import UsageError

__all__ = ["FrameClock"]

_SLOWEST, _FASTEST = 0.9, 1.1  # how far one interval moves what is usual: a pause is not a new frame rate
_TICK_S = 1e-9


class FrameClock:
    """How long it was from each frame to the next.

    A frame without a time counts as one usual interval after the one before, and so does one whose time is that of
    the frame before: many clocks tick more slowly than cameras.

    Attributes
    ----------
    now_s
        Time of the last frame, s; NaN until a frame had one.
    interval_s
        What is usual from frame to frame, s; 1 until two frames had times.
    """

    def __init__(self) -> None:
        self.now_s = nan
        self.interval_s = 1.0
        self._given_s = -inf  # the last time that a frame had
        self._measured = False  # whether `interval_s` is

    def check(self, t_s: float | None) -> float:
        """Return the time of the next frame, NaN where it is None. Raises `UsageError`."""
        if t_s is None:
            return nan
        time_s = float(t_s)
        if not isfinite(time_s) or time_s < self._given_s:
            raise UsageError(f"t_s must be finite and must not run backwards: {time_s} s after {self._given_s} s")
        return time_s

    def advance(self, time_s: float) -> float:
        """Let a frame come at `time_s`, which `check` has returned; return the time since the last, s."""
        if isnan(time_s):
            self.now_s += self.interval_s
            return self.interval_s
        elapsed_s = self.until(time_s)
        if elapsed_s > _TICK_S and self.now_s == self._given_s:  # both frames had a time
            self._measure(elapsed_s)
        self.now_s = self._given_s = time_s
        return elapsed_s if elapsed_s > _TICK_S else self.interval_s

    def until(self, time_s: float) -> float:
        """Return the time from the last frame to `time_s`, s; one interval where no frame had a time."""
        return self.interval_s if isnan(self.now_s) else time_s - self.now_s

    def forget(self) -> None:
        """Forget the time, but not what is usual: the next frame may have any."""
        self.now_s, self._given_s = nan, -inf

    def state(self) -> dict[str, float]:
        """Return all that there is to remember."""
        return dict(vars(self))

    def restore(self, state: dict[str, float]) -> None:
        """Go on from a `state`. Raises `KeyError` or `TypeError` where it is none."""
        for name, kind in ((name, type(value)) for name, value in self.state().items()):
            setattr(self, name, kind(state[name]))

    def _measure(self, interval_s: float) -> None:
        if self._measured:
            self.interval_s *= min(max(interval_s / self.interval_s, _SLOWEST), _FASTEST)
        else:
            self.interval_s, self._measured = interval_s, True
