"""A proportional-integral controller with limits."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError

__all__ = ["Controller"]

Floats = npt.NDArray[np.float64]


class Controller:
    """A P or PI controller whose output is limited in size and in rate.

    The output opposes the error: `-(gain * e + integral_gain_per_s * (the time integral of e))`. As a step of a stage
    it removes the fraction `gain` of the error per frame; `LoopModel` gives the best and the maximum gain. Without an
    integral part, a steady drift of v px per frame leaves an offset of v / gain.

    Both limits apply to the length of the output vector and keep its direction. While a limit applies, the integral
    is frozen (anti-windup).

    Parameters
    ----------
    gain
        Output per error, positive.
    integral_gain_per_s
        Output per error and second; 0 for none.
    limit
        Maximum length of the output.
    rate_limit_per_s
        Maximum change of the output per second, from 0 at the start.

    Raises
    ------
    InputError
        A gain or limit that is negative or not a number.
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
        """Whether a limit reduced the last output."""
        self._integral: Floats = np.zeros(2)
        self._last: Floats = np.zeros(2)

    def update(self, error: Sequence[float], dt_s: float) -> Floats:
        """Return the output, (2,), for an error, (2,): measured minus desired position.

        `dt_s` is the time since the last update, s; 0 at the first one.
        """
        e = np.asarray(error, np.float64)
        integral = self._integral + e * dt_s
        unlimited = -(self.gain * e + self.integral_gain_per_s * integral)
        output = _shortened(unlimited, self.limit)
        if self.rate_limit_per_s < inf:
            output = self._last + _shortened(output - self._last, self.rate_limit_per_s * dt_s)
        self.limited = bool(np.any(output != unlimited))
        if not self.limited:
            self._integral = integral
        self._last = output
        return output

    def reset(self) -> None:
        """Clear the integral and the last output, for another particle or after a stop."""
        self._integral, self._last = np.zeros(2), np.zeros(2)


def _shortened(vector: Floats, max_length: float) -> Floats:
    length = float(np.hypot(*vector))
    return vector if length <= max_length else vector * (max_length / length)
