"""What is known of the particles' profiles before an image is seen."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from livetrack.localize.profile_fit.alike import alike, information
from livetrack.localize.profile_fit.window import Knots, splines

__all__ = ["PROFILE_STEP_PX", "ProfilePrior", "radial_profile"]

Doubles = npt.NDArray[np.float64]

PROFILE_STEP_PX = 0.25
"""Distance of the samples of a profile that is given."""

_FINE_PX = 0.9  # distance of the knots that a picture's profile is read with
_ROUGHNESS = 0.3  # of the height: how far a profile's second differences go where nothing has been learnt
_LEVEL = 1e-6  # information that keeps the roughness solvable
_ENOUGH = 8  # particles that tell what those of their image have in common


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
        self._moments: dict[Knots, tuple[Doubles, Doubles]] = {}
        self._known: dict[Knots, tuple[Doubles, Doubles]] = {}

    def of(self, knots: Knots) -> tuple[Doubles, Doubles]:
        """Return (K, K) the information on the coefficients, and (K,) their mean over the level, for height 1.

        The level of the background is not known: a constant costs nothing. With no profiles the mean is 0.
        """
        if knots not in self._known:
            if self._profiles.size:
                self._known[knots] = information(*self._learnt(knots))
            else:
                self._known[knots] = _smooth(knots.number)
        return self._known[knots]

    def of_image(
        self, knots: Knots, normals: Doubles, rights: Doubles, height: Doubles
    ) -> tuple[Doubles, Doubles] | None:
        """Return the same once some particles have been seen: those of one image are more alike than those of all.

        None where that says nothing new: of too few particles, or with no profiles.

        Parameters
        ----------
        normals, rights
            (N, K + 4, K + 4), lower halves, and (N, K + 4): the equations of profile, slope and centre of each.
        height
            (N,) of each.
        """
        if not self._profiles.size or len(height) < _ENOUGH:
            return None
        known: tuple[Doubles, Doubles] = alike(normals, rights, height, *self._learnt(knots))
        return known

    def _learnt(self, knots: Knots) -> tuple[Doubles, Doubles]:
        """Return mean (K - 1,) and covariance of the coefficients over the last one, the level."""
        if knots not in self._moments:
            r = np.arange(0, knots.core_px, 0.1)
            known = np.arange(self._profiles.shape[1]) * PROFILE_STEP_PX
            values = np.stack([np.interp(r, known, profile, right=0.0) for profile in self._profiles], axis=1)
            coefficients = np.linalg.lstsq(splines(r, knots)[0].T, values, rcond=None)[0]
            over = coefficients[:-1] - coefficients[-1]
            self._moments[knots] = over.mean(axis=1), np.cov(over, bias=True)
        return self._moments[knots]


def radial_profile(picture: npt.NDArray[np.float32], radius_px: float) -> Doubles:
    """Return (S,) the profile about the middle of a picture without noise, at 0, PROFILE_STEP_PX ... `radius_px`.

    The picture (side, side) has an odd side and the particle's centre on its middle pixel.
    """
    away = np.arange(len(picture)) - len(picture) // 2
    r = np.hypot(away[:, None], away).ravel()
    near = r <= radius_px
    knots = Knots(math.floor(radius_px / _FINE_PX), _FINE_PX)
    value = splines(r[near], knots)[0].T
    coefficients = np.linalg.lstsq(value, picture.ravel()[near].astype(np.float64), rcond=None)[0]
    profile: Doubles = coefficients @ splines(np.arange(0, radius_px, PROFILE_STEP_PX), knots)[0]
    profile -= profile[-1]
    return profile


def _smooth(knots: int) -> tuple[Doubles, Doubles]:
    second: Doubles = np.zeros((knots, knots))
    second[0, :2] = -2, 2  # an even profile: its knot at -1 is the knot at 1
    for k in range(1, knots - 1):
        second[k, k - 1 : k + 2] = 1, -2, 1
    return second.T @ second / _ROUGHNESS**2 + _LEVEL * np.eye(knots), np.zeros(knots)
