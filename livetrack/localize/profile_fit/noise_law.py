"""How the noise's variance rises with the grey level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["CameraLaw", "estimated_law"]

Doubles = npt.NDArray[np.float64]

_LARGEST_RISE = 1.0  # one photoelectron of background noise
_RISE = 0.15  # before the residuals are seen: the noise of some seven photoelectrons
_LEVEL_STD, _RISE_STD = 0.1, 0.2  # how far the law may be from that, and from a level of 1
_LEAST_LEVEL = 0.25
_LEAST_FREEDOM = 0.5
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class CameraLaw:
    """A camera's noise: variance = gain (grey - offset) + (gain read_noise)^2, in grey levels squared.

    `gain_grey` is in grey levels per photoelectron, `offset_grey` the grey level without light, `read_noise_e` the
    standard deviation of the electronics' noise in electrons.
    """

    gain_grey: float
    offset_grey: float
    read_noise_e: float

    def of(self, noise: float, zero: float) -> tuple[float, float]:
        """Return the variance at the grey level `zero` and its rise, in units of `noise` (grey levels)."""
        variance = self.gain_grey * (zero - self.offset_grey) + (self.gain_grey * self.read_noise_e) ** 2
        return variance / noise**2, self.gain_grey / noise


def estimated_law(freedom: Doubles, levels: Doubles, squares: Doubles) -> tuple[float, float]:
    """Return the variance at level 0 and its rise, all in units of the background's noise, from residuals.

    Parameters
    ----------
    freedom
        (G,) degrees of freedom of each group of pixels.
    levels
        (G,) the sum, over those, of the level over the background at which the noise was measured.
    squares
        (G,) sum of their squared residuals.

    A weighted least-squares line through the groups' variances, each known to 2 / freedom of its own square, and
    held by a prior: the background's noise as it was measured, and some rise.
    """
    used = freedom > _LEAST_FREEDOM
    freedom, level, seen = freedom[used], levels[used] / freedom[used], squares[used] / freedom[used]
    at_zero, rise = 1.0, _RISE
    for _ in range(_ROUNDS):
        variance = np.maximum(at_zero + rise * level, _LEAST_LEVEL)
        weight = freedom / (2 * variance**2)
        n, s, ss = weight.sum() + _LEVEL_STD**-2, (weight * level).sum(), (weight * level**2).sum() + _RISE_STD**-2
        v, sv = (weight * seen).sum() + _LEVEL_STD**-2, (weight * level * seen).sum() + _RISE * _RISE_STD**-2
        rise = min(max((n * sv - s * v) / (n * ss - s * s), 0.0), _LARGEST_RISE)
        at_zero = max((v - rise * s) / n, _LEAST_LEVEL)
    return float(at_zero), float(rise)
