"""The noise model: variance against grey level, from the camera or from an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["CameraNoise", "fit_line"]

_LARGEST_RISE = 1.0  # one photoelectron of background noise
_RISE = 0.15  # before the residuals are seen: the noise of some seven photoelectrons
_LEVEL_STD, _RISE_STD = 0.1, 0.2  # how far the noise may be from that, and from 1 at the background
_LEAST_LEVEL = 0.02
_LEAST_FREEDOM = 0.5
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class CameraNoise:
    """A camera's noise: variance = gain (grey - offset) + (gain read_noise)^2, in grey levels squared.

    Parameters
    ----------
    gain_grey
        Grey levels per photoelectron.
    offset_grey
        Grey level without light.
    read_noise_e
        Standard deviation of the read noise, electrons.
    """

    gain_grey: float
    offset_grey: float
    read_noise_e: float

    def of_means(self, pixels: int) -> CameraNoise:
        """Return the noise of means of so many pixels."""
        return CameraNoise(self.gain_grey / pixels, self.offset_grey, self.read_noise_e * math.sqrt(pixels))

    def of(self, noise: float, zero: float) -> tuple[float, float]:
        """Return the variance at grey level `zero`, and its slope, in units of `noise` (grey levels)."""
        variance = self.gain_grey * (zero - self.offset_grey) + (self.gain_grey * self.read_noise_e) ** 2
        return variance / noise**2, self.gain_grey / noise


def fit_line(groups: npt.NDArray[np.float64], background: float, noise: float) -> tuple[float, float]:
    """Return the variance at the grey level `background` and its rise, in units of `noise` (grey levels).

    Parameters
    ----------
    groups
        (G, 3) of pixels: degrees of freedom, the sum of the grey levels over those, and the sum of squared residuals.

    A weighted least-squares line through the groups' variances, each known to 2 / freedom of its own square, and
    held by a prior: the background's noise as it was measured, and some rise.
    """
    at_zero, rise = _fit_line(groups, background, noise)
    return float(at_zero), float(rise)


@njit
def _fit_line(groups: Any, background: float, noise: float) -> Any:
    at_zero, rise = 1.0, _RISE
    for _ in range(_ROUNDS):
        n, s, ss = _LEVEL_STD**-2, 0.0, _RISE_STD**-2
        v, sv = _LEVEL_STD**-2, _RISE * _RISE_STD**-2
        for g in range(len(groups)):
            freedom = groups[g, 0]
            if freedom > _LEAST_FREEDOM:
                level, seen = (groups[g, 1] / freedom - background) / noise, groups[g, 2] / (freedom * noise * noise)
                weight = freedom / (2 * max(at_zero + rise * level, _LEAST_LEVEL) ** 2)
                n += weight
                s += weight * level
                ss += weight * level * level
                v += weight * seen
                sv += weight * level * seen
        rise = min(max((n * sv - s * v) / (n * ss - s * s), 0.0), _LARGEST_RISE)
        at_zero = max((v - rise * s) / n, _LEAST_LEVEL)
    return at_zero, rise
