"""From where a particle is to what the actuator shall do."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError

__all__ = ["Controller"]

Floats = npt.NDArray[np.float64]


class Controller:
    """A proportional controller, or one with an integral part, whose output is limited in size and in rate.

    The output opposes the error: `-(gain * e + integral_gain_per_s * (the time integral of e))`. As a step of a stage
    it takes the share `gain` of the error away each frame; `LoopModel` tells which gain is best, and which is too
    much. Without an integral part a steady drift of v px a frame leaves an offset of v / gain.

    Both limits hold for the length of the output vector, and keep its direction. While one of them holds, the
    integral does not grow: it would have to be worked off later.

    Parameters
    ----------
    gain
        Output per error, above 0.
    integral_gain_per_s
        Output per error and second; 0 for none.
    limit
        The longest output.
    rate_limit_per_s
        The largest change of the output in a second, from 0 at the start.

    Raises
    ------
    InputError
        A gain or limit that is negative or no number.
    """

    def __init__(
        self, gain: float, integral_gain_per_s: float = 0.0, *, limit: float = inf, rate_limit_per_s: float = inf
    ) -> None:
        if not 0 < gain < inf:
            raise InputError(f"gain = {gain} must be above 0")
        if not 0 <= integral_gain_per_s < inf:
            raise InputError(f"integral_gain_per_s = {integral_gain_per_s} must be 0 or more")
        for name, value in (("limit", limit), ("rate_limit_per_s", rate_limit_per_s)):
            if not value > 0:
                raise InputError(f"{name} = {value} must be above 0")
        self.gain = gain
        self.integral_gain_per_s = integral_gain_per_s
        self.limit = limit
        self.rate_limit_per_s = rate_limit_per_s
        self.limited = False
        """Whether a limit held the last output back."""
        self._integral: Floats = np.zeros(2)
        self._last: Floats = np.zeros(2)

    def update(self, error: Sequence[float], dt_s: float) -> Floats:
        """Return the output, (2,), for an error, (2,): where the particle is minus where it shall be.

        `dt_s` is the time since the last update, s; 0 at the first one.
        """
        e = np.asarray(error, np.float64)
        integral = self._integral + e * dt_s
        wanted = -(self.gain * e + self.integral_gain_per_s * integral)
        output = _shortened(wanted, self.limit)
        if self.rate_limit_per_s < inf:
            output = self._last + _shortened(output - self._last, self.rate_limit_per_s * dt_s)
        self.limited = bool(np.any(output != wanted))
        if not self.limited:
            self._integral = integral
        self._last = output
        return output

    def reset(self) -> None:
        """Forget the integral and the last output: for another particle, or after a stop."""
        self._integral, self._last = np.zeros(2), np.zeros(2)


def _shortened(vector: Floats, most: float) -> Floats:
    length = float(np.hypot(*vector))
    return vector if length <= most else vector * (most / length)
