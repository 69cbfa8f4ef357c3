"""What is known of the particles' profiles before an image is seen."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from livetrack.localize.profile_fit.window import KNOT_PX, splines

__all__ = ["PROFILE_STEP_PX", "ProfilePrior", "radial_profile"]

Doubles = npt.NDArray[np.float64]

PROFILE_STEP_PX = 0.25
"""Distance of the samples of a profile that is given."""

_ROUGHNESS = 0.3  # of the height: how far a profile's second differences go where nothing has been learnt
_LEVEL = 1e-6  # information that keeps the roughness solvable
_OTHER = 0.03  # of the height: how far a knot may be from all that has been learnt
_HEIGHT = 0.3  # relative uncertainty of the height that the network gives


class ProfilePrior:
    """Gaussian knowledge of the spline's coefficients: mean and covariance of a sample of profiles.

    Parameters
    ----------
    profiles
        (M, S) radial profiles of typical particles at 0, 0.25, 0.5 ... px, of height 1 over the background and 0
        where they end. With none, a profile is known to be smooth, no more.
    """

    def __init__(self, profiles: npt.ArrayLike = ()) -> None:
        self._profiles = np.asarray(profiles, np.float64)
        self._known: dict[int, tuple[Doubles, Doubles]] = {}

    def of(self, knots: int) -> tuple[Doubles, Doubles]:
        """Return (K, K) the information on the coefficients, and (K,) its product with their mean, for height 1.

        The level of the background is not known: a constant costs nothing.
        """
        if knots not in self._known:
            self._known[knots] = _learnt(self._profiles, knots) if self._profiles.size else _smooth(knots)
        return self._known[knots]


def radial_profile(picture: npt.NDArray[np.float32], radius_px: float) -> Doubles:
    """Return (S,) the profile about the middle of a picture without noise, at 0, PROFILE_STEP_PX ... `radius_px`.

    The picture (side, side) has an odd side and the particle's centre on its middle pixel.
    """
    away = np.arange(len(picture)) - len(picture) // 2
    r = np.hypot(away[:, None], away).ravel()
    near = r <= radius_px
    knots = math.floor(radius_px / KNOT_PX)
    coefficients = np.linalg.lstsq(splines(r[near], knots)[0].T, picture.ravel()[near].astype(np.float64), rcond=None)[
        0
    ]
    profile: Doubles = coefficients @ splines(np.arange(0, radius_px, PROFILE_STEP_PX), knots)[0]
    profile -= profile[-1]
    return profile


def _smooth(knots: int) -> tuple[Doubles, Doubles]:
    second: Doubles = np.zeros((knots, knots))
    second[0, :2] = -2, 2  # an even profile: its knot at -1 is the knot at 1
    for k in range(1, knots - 1):
        second[k, k - 1 : k + 2] = 1, -2, 1
    return second.T @ second / _ROUGHNESS**2 + _LEVEL * np.eye(knots), np.zeros(knots)


def _learnt(profiles: Doubles, knots: int) -> tuple[Doubles, Doubles]:
    r = np.arange(0, knots * KNOT_PX, 0.1)
    known = np.arange(profiles.shape[1]) * PROFILE_STEP_PX
    values = np.stack([np.interp(r, known, profile, right=0.0) for profile in profiles], axis=1)
    coefficients = np.linalg.lstsq(splines(r, knots)[0].T, values, rcond=None)[0]
    coefficients -= coefficients[-1]
    mean = coefficients.mean(axis=1)
    spread = np.cov(coefficients, bias=True) + _HEIGHT**2 * np.outer(mean, mean) + _OTHER**2 * np.eye(knots)
    information = np.asarray(np.linalg.inv(spread), np.float64)
    share = information.sum(axis=1)
    information -= np.outer(share, share) / share.sum()
    return information, information @ mean
