"""The times of frames: checked, never backward, and estimated where a frame waited unread and has none."""

from __future__ import annotations

import math

from livetrack.camera import Picture

__all__ = ["FrameTimes"]

_MAX_AHEAD_NS = 100_000_000  # a clock that runs ahead by less is not wrong: its time is the present
_MAX_T_S = 1e11  # 3,000 years
_MAX_STEPS, _MAX_PAUSE_S = 1000, 10.0  # a larger step of `t_s` counts once the next frame has it, too
_WEIGHT, _MAX_GROWTH = 0.1, 4  # of the newest interval in the usual one; as at most so many usual ones
_MIN_INTERVALS = 8  # before the usual interval is used
_PAUSE, _BURST, _AT_ONCE = 1.5, 0.5, 0.25  # usual intervals


class FrameTimes:
    """Gives each frame its times, from those of the picture and of its reading.

    Wrong ones (NaN, infinite, negative, in the future, backward) are counted and replaced by the next best: the time of
    receipt for that of the exposure, one usual interval after the last frame for `t_s`. `t_s` never steps back: if the
    clock of a camera restarts, it continues from the last frame, and `restarts` counts one more.

    Frames that come faster than usual after a pause have waited. Unless the driver gives their times, they are marked
    as `untimed`, and if it is known that all have waited, they get times one usual interval apart.

    Attributes
    ----------
    wrong, restarts
        Counts so far.
    """

    def __init__(self) -> None:
        self.wrong = self.restarts = 0
        self._in_step = False
        self._interval_ns = 0.0  # between frames that did not wait
        self._intervals = 0
        self._received_ns = self._exposed_ns = self._read_ns = 0  # of the last frame
        self._waited = False  # the last frame may have
        self._t_s = self._raw_s = -math.inf  # of the last frame; the same, as its camera gave it
        self._shift_s = self._step_s = 0.0  # the one minus the other; the last step
        self._before: tuple[float, float] | None = (
            None  # shift and time before the last frame, if its time stepped back
        )
        self._leapt = False  # the last frame's time was too far ahead
        self._lag_ns = 0  # from exposure to receipt

    def stamp(
        self, picture: Picture, asked_ns: int, now_ns: int, steps: int
    ) -> tuple[int, int | None, float, bool]:  # fmt: skip
        """Return the times of a picture that was asked for and came at these times, `steps` numbers after the last.

        Returns
        -------
        received_ns, exposed_ns, t_s, untimed
            As in `Frame`.
        """
        exposed_ns, given_ns, untimed = picture.t_exposed_ns, picture.t_received_ns, False
        if given_ns is None and (exposed_ns is not None or picture.t_s is not None):
            received_ns = now_ns
        elif type(given_ns) is int and 0 < self._received_ns <= given_ns <= now_ns:
            received_ns, self._waited = given_ns, False
            self._learn(given_ns - self._received_ns, steps)
        else:
            received_ns, untimed = self._receive(picture, asked_ns, now_ns, steps)
        if exposed_ns is not None:
            exposed_ns = self._expose(exposed_ns, now_ns)
        if picture.t_s is not None:
            t_s = self._continue(picture.t_s, now_ns)
        elif exposed_ns is not None:
            self._lag_ns, t_s = received_ns - exposed_ns, exposed_ns * 1e-9
        elif picture.t_exposed_ns is not None:
            t_s = (received_ns - self._lag_ns) * 1e-9  # as the other frames of this camera
        else:
            t_s = received_ns * 1e-9
        if t_s < self._t_s:
            t_s = self._t_s
        self._received_ns, self._read_ns, self._t_s = received_ns, now_ns, t_s
        return received_ns, exposed_ns, t_s, untimed

    def restart(self, *, in_step: bool) -> None:
        """Begin with a camera that was opened.

        If it waits for the tracker (`in_step`), no frame waits unread, however irregularly they come.
        """
        self._interval_ns, self._intervals, self._waited, self._in_step = 0.0, 0, False, in_step

    def _receive(self, picture: Picture, asked_ns: int, now_ns: int, steps: int) -> tuple[int, bool]:
        last_ns, pause_ns = self._received_ns, now_ns - self._read_ns
        if picture.t_received_ns is not None:
            given_ns = _checked_ns(picture.t_received_ns, now_ns)
            if given_ns >= last_ns and given_ns:
                self._waited = False
                self._learn(given_ns - last_ns, steps)
                return given_ns, False
            self.wrong += 1
        timed = picture.t_exposed_ns is not None or picture.t_s is not None
        interval_ns = self._interval_ns if self._intervals >= _MIN_INTERVALS and not self._in_step else 0.0
        in_burst = self._waited and pause_ns < _BURST * interval_ns
        at_once = pause_ns > _PAUSE * interval_ns and now_ns - asked_ns < _AT_ONCE * interval_ns
        if interval_ns and not timed and (picture.waited or in_burst or at_once):
            self._waited = True
            return min(now_ns, last_ns + round(max(steps, 1) * interval_ns)), True
        self._waited = bool(interval_ns) and pause_ns > _PAUSE * interval_ns
        self._learn(now_ns - last_ns, steps)
        return now_ns, picture.waited and not timed

    def _learn(self, step_ns: int, steps: int) -> None:
        if steps != 1 or not self._received_ns:
            return
        usual_ns = self._interval_ns
        if self._intervals < _MIN_INTERVALS:
            self._intervals += 1
            self._interval_ns += (step_ns - usual_ns) / self._intervals
        else:
            self._interval_ns += _WEIGHT * (min(step_ns, _MAX_GROWTH * usual_ns) - usual_ns)

    def _expose(self, given: int, now_ns: int) -> int | None:
        given_ns = _checked_ns(given, now_ns)
        if not given_ns or given_ns < self._exposed_ns:
            self.wrong += 1
            return None
        self._exposed_ns = given_ns
        return given_ns

    def _continue(self, given: float, now_ns: int) -> float:
        """Return `t_s` of a frame whose camera gives the time `given`."""
        known = self._t_s > -math.inf
        next_s = self._t_s + self._step_s if known else 0.0
        given_s = _checked_s(given)
        if math.isnan(given_s):
            self.wrong += 1
            return next_s
        step_s = given_s - self._raw_s
        if known and step_s < 0:
            self._before = self._shift_s, self._raw_s
            self._shift_s, self._raw_s = next_s - given_s, given_s
            self.restarts += 1
            return next_s
        before, self._before = self._before, None
        if before is not None and given_s >= before[1]:  # it continues from before the last frame, whose time was wrong
            self.wrong += 1
            self._shift_s, self._raw_s = before[0], given_s
            return max(given_s + self._shift_s, self._t_s)
        limit_s = _MAX_STEPS * self._step_s + _MAX_PAUSE_S + (now_ns - self._read_ns) * 1e-9
        if self._step_s and step_s > limit_s and not self._leapt:
            self.wrong += 1
            self._leapt = True  # believed if the next one is there, too
            return next_s
        self._leapt = False
        if known:
            self._step_s = step_s
        self._raw_s = given_s
        return given_s + self._shift_s


def _checked_ns(value: object, now_ns: int) -> int:
    """Return a time, at most the present; 0 for what is none."""
    try:
        time_ns = int(value)  # type: ignore[call-overload]  # whatever a driver gives
    except (TypeError, ValueError, OverflowError):
        return 0
    return min(time_ns, now_ns) if 0 < time_ns <= now_ns + _MAX_AHEAD_NS else 0


def _checked_s(value: object) -> float:
    """Return a time; NaN for what is none."""
    try:
        time_s = float(value)  # type: ignore[arg-type]  # whatever a driver gives
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return time_s if 0 <= time_s <= _MAX_T_S else math.nan
