"""What is known of profiles once the particles of an image have been seen: those are more alike than those of all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.localize.profile_fit.linear import eliminate, invert, solve

__all__ = ["alike", "information"]

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
