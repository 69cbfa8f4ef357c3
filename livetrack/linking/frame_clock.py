"""Time between frames: from the camera's times if it has any, else counted in frames."""

from __future__ import annotations

from math import inf, isnan, nan

from livetrack.errors import UsageError

__all__ = ["FrameClock"]

_MIN_CHANGE, _MAX_CHANGE = 0.9, 1.1  # of the usual interval by one frame: a pause is not a new frame rate
_TICK_S = 1e-9
_MAX_S = 1e18  # far from where squares of times, in intervals of a tick, overflow


class FrameClock:
    """Time from each frame to the next.

    A frame without a time counts as one usual interval after the frame before. So does one with the same time as the
    frame before, because many clocks tick more slowly than cameras.

    Attributes
    ----------
    now_s
        Time of the last frame, s; NaN until a frame had one.
    interval_s
        Usual time between frames, s; 1 until it was set, or two frames had times.
    """

    def __init__(self) -> None:  # attribute names are those of `state`, which `Linker.save` stores
        self.now_s = nan
        self.interval_s = 1.0
        self._given_s = -inf  # the last time that came with a frame
        self._measured = self._fixed = False  # `interval_s`: by the frames, or by `set_interval`

    @property
    def measured(self) -> bool:
        """Whether `interval_s` was measured, from two frames with times, or set."""
        return self._measured or self._fixed

    def check(self, t_s: float | None) -> float:
        """Return the time of the next frame, NaN for None. Raises `UsageError`."""
        if t_s is None:
            return nan
        time_s = float(t_s)
        if not abs(time_s) <= _MAX_S or time_s < self._given_s:
            what = f"t_s must be finite, within {_MAX_S:g} s of 0, and must not run backwards"
            raise UsageError(f"{what}: {time_s} s after {self._given_s} s")
        return time_s

    def advance(self, time_s: float) -> float:
        """Register a frame at `time_s`, as returned by `check`; return the time since the last frame, s."""
        if isnan(time_s):
            self.now_s += self.interval_s
            return self.interval_s
        elapsed_s = self.until(time_s)
        if not self._fixed and elapsed_s > _TICK_S and self.now_s == self._given_s:  # both frames had a time
            self._measure(elapsed_s)
        self.now_s = self._given_s = time_s
        return elapsed_s if elapsed_s > _TICK_S else self.interval_s

    def until(self, time_s: float) -> float:
        """Return the time from the last frame to `time_s`, s; one interval if no frame had a time."""
        return self.interval_s if isnan(self.now_s) else time_s - self.now_s

    def set_interval(self, interval_s: float) -> None:
        """Set the usual interval, for all frames to come."""
        self.interval_s, self._fixed = interval_s, True

    def reset(self) -> None:
        """Clear the time but keep the usual interval: the next frame may have any time."""
        self.now_s, self._given_s = nan, -inf

    def state(self) -> dict[str, float]:
        """Return the state, for `restore`."""
        return dict(vars(self))

    def restore(self, state: dict[str, float]) -> None:
        """Continue from a `state`. Raises `KeyError` or `TypeError` if it is not one."""
        for name, kind in ((name, type(value)) for name, value in self.state().items()):
            setattr(self, name, kind(state[name]))

    def _measure(self, interval_s: float) -> None:
        if self._measured:
            self.interval_s *= min(max(interval_s / self.interval_s, _MIN_CHANGE), _MAX_CHANGE)
        else:
            self.interval_s, self._measured = interval_s, True
