"""The prior of the particles' radial profiles, from the profiles that a model was trained on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.radial.ldl import eliminate, invert, solve
from livetrack.localize.refine.radial.spline_tables import Knots, splines

__all__ = ["PROFILE_STEP_PX", "ProfilePrior", "alike", "information", "radial_profile"]

Doubles = npt.NDArray[np.float64]

PROFILE_STEP_PX = 0.25
"""Spacing of the samples of a given profile, px."""

_FINE_PX = 0.9  # distance of the knots that a picture's profile is read with
_ROUGHNESS = 0.3  # of the height: how far a profile's second differences go where nothing has been learnt
_LEVEL = 1e-6  # information that keeps the roughness solvable
_ENOUGH = 8  # particles that tell what those of their image have in common


class ProfilePrior:
    """A Gaussian prior of the spline coefficients: mean and covariance over a sample of profiles.

    Parameters
    ----------
    profiles
        (M, S) radial profiles of typical particles at 0, 0.25, 0.5 ... px, of height 1 over the background and 0
        beyond the particle. Without any, a profile is only assumed to be smooth.
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
    """Return the profile, (S,), of a particle in an image without noise, at 0, PROFILE_STEP_PX ... `radius_px`.

    The image, (side, side), has an odd side, and the particle's centre is on its middle pixel.
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


_OTHER = 0.03  # of the height: how far a knot may be from all that has been learnt
_HEIGHT = 0.3  # relative uncertainty of the height that the network gives
_TOLD = 16  # particles are enough to tell how much they vary
_OTHERS = 5  # unknowns of a particle that are not its profile: level, slope and centre
_SHARES = (1.0, 0.3, 0.1, 0.03)  # of the covariance that is left within an image


@njit
def information(mean: Any, spread: Any, share: float = 1.0) -> Any:
    """Return (K, K) the information on the coefficients, and (K,) their mean over the level, for height 1.

    From mean (K - 1,) and covariance of the coefficients over the level, `share` times `spread`; of the level itself
    nothing is known.
    """
    size = mean.size
    over, whole, over_level = np.empty((size, size)), np.zeros((size + 1, size + 1)), np.zeros(size + 1)
    _be_certain(mean, spread, share, over)
    for i in range(size):
        over_level[i] = mean[i]
        for k in range(size):
            whole[i, k] = over[i, k]
            whole[i, size] -= over[i, k]
            whole[size, k] -= over[i, k]
            whole[size, size] += over[i, k]
    return whole, over_level


@njit
def alike(normals: Any, rights: Any, height: Any, mean: Any, spread: Any) -> Any:
    """Return `information` once the particles of an image have been seen.

    The mean becomes what all of them say together, and the covariance shrinks to the share of it that makes what each
    of them says most probable (empirical Bayes; Efron and Morris, J. Am. Stat. Assoc. 68, 117 (1973)).

    Parameters
    ----------
    normals, rights, height
        Of `ProfilePrior.of_image`.
    mean, spread
        (K - 1,) and (K - 1, K - 1) of the coefficients over the level, of the particles of all images.
    """
    count, size = len(height), mean.size
    own, said = np.zeros((count, size, size)), np.zeros((count, size))
    both, right, together = np.empty((size, size)), np.zeros(size), np.empty(size)
    before = np.empty((size, size))
    _be_certain(mean, spread, 1.0, before)
    _multiply(before, mean, 1.0, right)
    _add(before, 0.0, before, both)
    for n in range(count):
        _over_level(normals[n], rights[n], height[n], own[n], said[n])
        _add(both, 1.0, own[n], both)
        for i in range(size):
            right[i] += said[n, i]
    eliminate(both, right, 0, size)
    solve(both, right, together)

    most, best = -np.inf, 1.0
    for share in _SHARES:
        certainty = _be_certain(together, spread, share, before)
        evidence = 0.0
        for n in range(min(count, _TOLD)):
            _add(before, 1.0, own[n], both)
            for i in range(size):
                right[i] = said[n, i]
            _multiply(own[n], together, -1.0, right)
            eliminate(both, right, 0, size)
            for k in range(size):
                evidence += right[k] * right[k] * both[k, k] + math.log(both[k, k])
            evidence += certainty
        if evidence > most:
            most, best = evidence, share
    return information(together, spread, best)


@njit
def _be_certain(mean: Any, spread: Any, share: float, inverse: Any) -> float:
    """Fill `inverse` with that of the covariance, what a sample of profiles does not tell included.

    Return the logarithm of its determinant.
    """
    size = mean.size
    covariance = np.empty((size, size))
    for i in range(size):
        for k in range(size):
            covariance[i, k] = share * spread[i, k] + _HEIGHT * mean[i] * _HEIGHT * mean[k]
        covariance[i, i] += _OTHER * _OTHER
    eliminate(covariance, np.zeros(size), 0, size)
    invert(covariance, inverse)
    certainty = 0.0
    for k in range(size):
        certainty += math.log(covariance[k, k])
        for i in range(k):
            inverse[i, k] = inverse[k, i]
    return certainty


@njit
def _add(some: Any, factor: float, others: Any, to: Any) -> None:
    for i in range(len(to)):
        for k in range(len(to)):
            to[i, k] = some[i, k] + factor * others[i, k]


@njit
def _multiply(matrix: Any, vector: Any, factor: float, to: Any) -> None:
    for i in range(vector.size):
        for k in range(vector.size):
            to[i] += factor * matrix[i, k] * vector[k]


@njit
def _over_level(normal: Any, right: Any, height: float, own: Any, said: Any) -> None:
    """Write a particle's information on its profile over the level, for height 1, and its product with that.

    The level, which moves all coefficients, the slope and the centre are eliminated. Nothing is written where they
    cannot be.
    """
    knots, size = right.size - 4, right.size
    rest, answer = np.zeros((size, size)), np.zeros(size)
    for k in range(knots):
        answer[0] += right[k]
        rest[0, 0] += normal[k, k]
        for m in range(k):
            rest[0, 0] += 2 * normal[k, m]
    for i in range(1, size):
        row = (i + knots - 1) if i < _OTHERS else i - _OTHERS
        answer[i] = right[row]
        for k in range(knots):
            rest[i, 0] += normal[max(row, k), min(row, k)]
        for m in range(1, i + 1):
            column = (m + knots - 1) if m < _OTHERS else m - _OTHERS
            rest[i, m] = normal[max(row, column), min(row, column)]
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
