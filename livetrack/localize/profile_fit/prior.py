"""What is known of the particles' profiles before an image is seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.profile_fit.linear import eliminate, invert, solve
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
_OTHERS = 5  # unknowns of a particle that are not its profile: level, slope and centre
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
                known = _with_level(np.linalg.inv(spread + _tolerance(mean)))
                self._known[knots] = known, np.append(mean, 0.0)
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

        The mean becomes what all of them say together, and the covariance shrinks to the share of it that makes
        what each of them says most probable (empirical Bayes; Efron and Morris, J. Am. Stat. Assoc. 68, 117 (1973)).
        """
        if not self._profiles.size or len(height) < _ENOUGH:
            return None
        information, mean = _of_image(normals, rights, height, *self._learnt(knots))
        return information, mean

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


@njit
def _tolerance(mean: Any) -> Any:
    """Return the covariance of what a sample of profiles does not tell."""
    return _HEIGHT**2 * np.outer(mean, mean) + _OTHER**2 * np.eye(mean.size)


@njit
def _with_level(information: Any) -> Any:
    """Return the information on the coefficients, the level's among them, from that on what is over the level."""
    size = len(information)
    whole = np.empty((size + 1, size + 1))
    whole[:size, :size] = information
    for i in range(size):
        whole[i, size] = whole[size, i] = -information[i].sum()
    whole[size, size] = information.sum()
    return whole


@njit
def _of_image(normals: Any, rights: Any, height: Any, mean: Any, spread: Any) -> Any:
    """Return `ProfilePrior.of_image`, from mean and covariance of the coefficients over the level."""
    count, size = len(height), mean.size
    own, said = np.empty((count, size, size)), np.empty((count, size))
    for n in range(count):
        _over_level(normals[n], rights[n], height[n], own[n], said[n])
    before = np.empty((size, size))
    _invert(spread + _tolerance(mean), before)
    both, right, together = before.copy(), np.zeros(size), np.empty(size)
    _multiply(before, mean, 1.0, right)
    for n in range(count):
        both += own[n]
        right += said[n]
    eliminate(both, right, 0, size)
    solve(both, right, together)

    tolerance = _tolerance(together)
    most, best = -np.inf, 1.0
    for share in _SHARES:
        certainty = _invert(share * spread + tolerance, before)
        evidence = 0.0
        for n in range(min(count, _TOLD)):
            both[:] = own[n] + before
            right[:] = said[n]
            _multiply(own[n], together, -1.0, right)
            eliminate(both, right, 0, size)
            for k in range(size):
                evidence += right[k] * right[k] * both[k, k] + math.log(both[k, k])
            evidence += certainty
        if evidence > most:
            most, best = evidence, share
    _invert(best * spread + tolerance, before)
    return _with_level(before), np.append(together, 0.0)


@njit
def _invert(matrix: Any, inverse: Any) -> float:
    """Fill `inverse` and return its determinant's logarithm."""
    eliminate(matrix, np.zeros(len(matrix)), 0, len(matrix))
    invert(matrix, inverse)
    certainty = 0.0
    for k in range(len(matrix)):
        certainty += math.log(matrix[k, k])
        for i in range(k):
            inverse[i, k] = inverse[k, i]
    return certainty


@njit
def _multiply(matrix: Any, vector: Any, factor: float, to: Any) -> None:
    for i in range(vector.size):
        for k in range(vector.size):
            to[i] += factor * matrix[i, k] * vector[k]


@njit
def _over_level(normal: Any, right: Any, height: float, own: Any, said: Any) -> None:
    """Write a particle's information on its profile over the level, for height 1, and its product with that.

    The level, which moves all coefficients, the slope and the centre are eliminated.
    """
    knots, size = right.size - 4, right.size
    rest, answer = np.zeros((size, size)), np.empty(size)
    answer[0] = right[:knots].sum()
    for k in range(knots):
        rest[0, 0] += normal[k, k] + 2 * normal[k, :k].sum()
    for i in range(1, size):
        row = (i + knots - 1) if i < _OTHERS else i - _OTHERS
        answer[i] = right[row]
        for k in range(knots):
            rest[i, 0] += normal[max(row, k), min(row, k)]
        for m in range(1, i + 1):
            column = (m + knots - 1) if m < _OTHERS else m - _OTHERS
            rest[i, m] = normal[max(row, column), min(row, column)]
    own[:], said[:] = 0, 0
    for k in range(_OTHERS):
        if not rest[k, k] > 0:
            return
        for i in range(k + 1, size):
            share = rest[i, k] / rest[k, k]
            answer[i] -= share * answer[k]
            for m in range(k + 1, i + 1):
                rest[i, m] -= share * rest[m, k]
    for i in range(size - _OTHERS):
        said[i] = height * answer[_OTHERS + i]
        for k in range(i + 1):
            own[i, k] = own[k, i] = height * height * rest[_OTHERS + i, _OTHERS + k]
