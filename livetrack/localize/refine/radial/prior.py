"""The prior of the particles' radial profiles, from the profiles that a model was trained on."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.radial.ldl import eliminate, invert
from livetrack.localize.refine.radial.pixels import Core, basis

__all__ = ["PROFILE_STEP_PX", "ProfilePrior", "information_from", "radial_profile"]

Doubles = npt.NDArray[np.float64]

PROFILE_STEP_PX = 0.25
"""Spacing of the samples of a given profile, px."""

_FINE_PX = 0.9  # distance of the knots that the profile of a rendered particle is read with
_ROUGHNESS = 0.3  # of the height: how far a profile's second differences go where nothing has been learnt
_NOT_LEARNT = 0.03  # of the height: how far a coefficient may be from all that has been learnt
_HEIGHT = 0.3  # relative uncertainty of the height that the network gives


class ProfilePrior:
    """Mean and covariance of the radial profile, of height 1, over a sample of profiles.

    Parameters
    ----------
    profiles
        (M, S) radial profiles of typical particles at 0, 0.25, 0.5 ... px, of height 1 over the background and 0
        beyond the particle. Without any, a profile is only assumed to be smooth.
    """

    def __init__(self, profiles: npt.ArrayLike = ()) -> None:
        self._profiles = np.asarray(profiles, np.float64)
        self.is_informative = self._profiles.size > 0
        self.of_core = cache(self._of_core)
        self.at = cache(self._at)

    def _of_core(self, core: Core) -> tuple[Doubles, Doubles]:
        """Return mean (K,) and covariance (K, K) of the splines' coefficients."""
        if not self._profiles.size:
            return _smooth(core.splines)
        r = np.arange(0, core.radius_px, 0.1)
        return _moments(np.linalg.lstsq(basis(r, core).T, self._values(r), rcond=None)[0])

    def _at(self, count: int, step_px: float) -> tuple[Doubles, Doubles]:
        """Return mean (R,) of the profile at 0, `step_px`, ... px, and the information on it (R, R)."""
        if not self._profiles.size:
            mean, spread = _smooth(count)
        else:
            mean, spread = _moments(self._values(step_px * np.arange(count)))
        information: Doubles = np.zeros_like(spread)
        information_from(mean, spread, 1.0, information)
        return mean, information

    def _values(self, r: npt.NDArray[Any]) -> Doubles:
        known = np.arange(self._profiles.shape[1]) * PROFILE_STEP_PX
        return np.stack([np.interp(r, known, profile, right=0.0) for profile in self._profiles], axis=1)


def radial_profile(image: npt.NDArray[np.float32], radius_px: float) -> Doubles:
    """Return the profile, (S,), of a particle in an image without noise, at 0, PROFILE_STEP_PX ... `radius_px`.

    The image, (side, side), has an odd side, and the particle's centre is on its middle pixel.
    """
    away = np.arange(len(image)) - len(image) // 2
    r = np.hypot(away[:, None], away).ravel()
    near = r <= radius_px
    core = Core(math.floor(radius_px / _FINE_PX) - 1, _FINE_PX, 1)
    value = np.vstack([basis(r[near], core), np.ones(np.count_nonzero(near))]).T
    coefficients = np.linalg.lstsq(value, image.ravel()[near].astype(np.float64), rcond=None)[0]
    r = PROFILE_STEP_PX * np.arange(math.ceil(radius_px / PROFILE_STEP_PX))
    profile: Doubles = coefficients[:-1] @ basis(r, core)
    return profile


def _moments(samples: npt.NDArray[Any]) -> tuple[Doubles, Doubles]:
    return samples.mean(axis=1), np.cov(samples, bias=True)


def _smooth(count: int) -> tuple[Doubles, Doubles]:
    """Return mean and covariance of `count` values of which only the second differences are known to be small."""
    second = -2 * np.eye(count) + np.eye(count, k=1) + np.eye(count, k=-1)
    second[0, 1] = 2  # an even profile: its value at -1 is that at 1
    return np.zeros(count), np.asarray(np.linalg.inv(second.T @ second) * _ROUGHNESS**2, np.float64)


@njit
def information_from(mean: Any, spread: Any, share: float, information: Any) -> float:
    """Fill the inverse of the covariance: `share` times `spread`, and what is not known from a sample of profiles.

    Return the logarithm of its determinant.
    """
    size = mean.size
    covariance = np.empty((size, size))
    for i in range(size):
        for k in range(size):
            covariance[i, k] = share * spread[i, k] + _HEIGHT * mean[i] * _HEIGHT * mean[k]
        covariance[i, i] += _NOT_LEARNT * _NOT_LEARNT
    eliminate(covariance, np.zeros(size), 0, size)
    invert(covariance, information)
    logarithm = 0.0
    for k in range(size):
        logarithm += math.log(covariance[k, k])
        for i in range(k):
            information[i, k] = information[k, i]
    return logarithm
