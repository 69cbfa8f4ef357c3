"""What is known of the particles' profiles before an image is seen."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from livetrack.localize.profile_fit.window import Knots, splines

__all__ = ["PROFILE_STEP_PX", "ProfilePrior", "radial_profile"]

Doubles = npt.NDArray[np.float64]

PROFILE_STEP_PX = 0.25
"""Distance of the samples of a profile that is given."""

_FINE_PX = 0.9  # distance of the knots that a picture's profile is read with
_ROUGHNESS = 0.3  # of the height: how far a profile's second differences go where nothing has been learnt
_LEVEL = 1e-6  # information that keeps the roughness solvable
_OTHER = 0.03  # of the height: how far a knot may be from all that has been learnt
_HEIGHT = 0.3  # relative uncertainty of the height that the network gives
_ENOUGH = 8  # particles that tell what those of their image have in common
_TOLD = 16  # particles are enough to tell how much they vary
_SHARES = (1.0, 0.3, 0.1, 0.03)  # of the covariance that is left within an image


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
                mean, spread = self._learnt(knots)
                self._known[knots] = _information(mean, spread + _tolerance(mean))
            else:
                self._known[knots] = _smooth(knots.count)
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

        The mean becomes what all of them say together, and the covariance shrinks to the share of it that makes
        what each of them says most probable (empirical Bayes; Efron and Morris, J. Am. Stat. Assoc. 68, 117 (1973)).
        """
        if not self._profiles.size or len(height) < _ENOUGH:
            return None
        mean, spread = self._learnt(knots)
        own, said = _over_level(normals, rights, height)
        before = np.linalg.inv(spread + _tolerance(mean))
        together = np.linalg.solve(before + own.sum(axis=0), before @ mean + said.sum(axis=0))
        tolerance, apart = _tolerance(together), said - own @ together
        some = slice(_TOLD)
        evidence = [_evidence(own[some], apart[some], share * spread + tolerance) for share in _SHARES]
        return _information(together, _SHARES[int(np.argmax(evidence))] * spread + tolerance)

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


def _tolerance(mean: Doubles) -> Doubles:
    """Return the covariance of what a sample of profiles does not tell."""
    return _HEIGHT**2 * np.outer(mean, mean) + _OTHER**2 * np.eye(len(mean))


def _information(mean: Doubles, covariance: Doubles) -> tuple[Doubles, Doubles]:
    """Return `ProfilePrior.of` for coefficients over the level with this mean and covariance."""
    over = np.hstack([np.eye(len(mean)), -np.ones((len(mean), 1))])
    return over.T @ np.linalg.inv(covariance) @ over, np.append(mean, 0.0)


def _over_level(normals: Doubles, rights: Doubles, height: Doubles) -> tuple[Doubles, Doubles]:
    """Return each particle's information on its profile over the level, for height 1, and its product with that."""
    size = rights.shape[1]
    over = size - 5
    to = np.eye(size)
    to[: over + 1, over] = 1  # the level moves all coefficients
    normals = to.T @ (np.tril(normals) + np.swapaxes(np.tril(normals, -1), 1, 2)) @ to
    rights = rights @ to
    others = np.linalg.solve(
        normals[:, over:, over:], np.concatenate([normals[:, over:, :over], rights[:, over:, None]], axis=2)
    )
    across = normals[:, :over, over:]
    own = normals[:, :over, :over] - across @ others[:, :, :over]
    said = rights[:, :over] - (across @ others[:, :, over:])[:, :, 0]
    return height[:, None, None] ** 2 * own, height[:, None] * said


def _evidence(own: Doubles, apart: Doubles, covariance: Doubles) -> float:
    """Return the logarithm of how probable it is that particles say what they say, up to a constant."""
    inverse = np.linalg.inv(covariance)
    both = own + inverse
    fits = (apart * np.linalg.solve(both, apart[:, :, None])[:, :, 0]).sum()
    return float(fits - np.linalg.slogdet(both)[1].sum() + len(own) * np.linalg.slogdet(inverse)[1])
