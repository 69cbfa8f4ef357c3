"""The joint fits of those particles of an image that may be two."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.radial.joint_fit import (
    FIRST,
    FREEDOM,
    LEFT,
    LONG,
    MODEL,
    SECOND,
    SIZE,
    TWO,
    fill_freedom,
    fit_long,
    fit_two,
)  # fmt: skip
from livetrack.localize.refine.radial.step import ALONG, DIAGONAL, LEVEL, PEAK, SHARPNESS, X, Y, step
from livetrack.localize.refine.radial.window import DX, DY, GOOD, RESIDUAL, WEIGHT, R

__all__ = ["Pairs", "both_of", "fit_pairs", "make_pairs"]

Doubles = npt.NDArray[np.float64]

_LEAST_HALF_PX = 0.3  # of the distance, to begin with


class Pairs(NamedTuple):
    """The joint fits of C candidates."""

    which: npt.NDArray[np.intp]
    """(C,) numbers of the particles."""
    place: Doubles
    """(C, 2, 3) x and y, px, and height, in units of the noise, of both."""
    covariance: Doubles
    """(C, 2, 3) of their x and y: xx, xy, yy, px²."""
    std: Doubles
    """(C, 3) of both heights and of the distance, px."""
    sigma: Doubles
    """(C,) of the particles, px."""
    misfit: Doubles
    """(C, 3) chi-square of one round particle, of two, and of a long one; infinite where there is no solution."""
    freedom: Doubles
    """(C,) degrees of freedom."""
    noise: Doubles
    """(C, R, 3) what `fit_line` takes, by distance from the middle."""


def both_of(pairs: Pairs, more: Pairs) -> Pairs:
    """Return the candidates of both."""
    return Pairs(*(np.concatenate(fields) for fields in zip(pairs, more, strict=True)))


def make_pairs(which: npt.NDArray[np.intp], rings: int) -> Pairs:
    """Return empty fits of the particles `which` (C,)."""
    count = len(which)
    return Pairs(
        which, np.zeros((count, 2, 3)), np.zeros((count, 2, 3)), np.zeros((count, 3)), np.zeros(count),
        np.full((count, 3), np.inf), np.zeros(count), np.zeros((count, rings, 3)),
    )  # fmt: skip


@njit
def fit_pairs(
    which: Any, stretch: Any, least: float, place: Any, covariance: Any, std: Any, sigma: Any, misfit: Any,
    freedom: Any, noise: Any, crowd: Any, levels: Any, raw: Any, middle: Any, state: Any, trust: Any, doubted: Any,
    fresh: Any, added: Any, painted: Any, pixels: Any, geometry: Any, prior: Any, workspace: Any, joint: Any,
) -> None:  # fmt: skip
    """Fit two particles, and one long one, to the windows of the particles `which`, and fill the fields of `Pairs`.

    `stretch` (2,) is what all particles of the image share: it is taken off the pixels' places. Where two are not
    better than one by `least`, the rest is not filled. The other parameters are those of `step`; the state stays as it
    is.
    """
    rows = workspace[0]
    unknowns, one, whole = np.zeros(TWO), np.zeros(LONG), np.zeros((TWO, TWO))
    map_to, map_back = _stretching(-stretch), _stretching(stretch)
    for c in range(which.size):
        m = which[c]
        before = state[m].copy()
        x, y = state[m, X], state[m, Y]
        good = step(
            m, crowd[m] > 0, levels, raw, middle, state, trust, doubted, fresh, added, painted, pixels, geometry, prior,
            workspace,
        )  # fmt: skip
        level = state[m, LEVEL]
        state[m] = before
        if not good:
            continue
        misfit[c, 0] = _chi_square(rows)
        for p in range(rows.shape[1]):
            dx, dy = rows[DX, p], rows[DY, p]
            rows[DX, p] = map_to[0, 0] * dx + map_to[0, 1] * dy
            rows[DY, p] = map_to[1, 0] * dx + map_to[1, 1] * dy
        _begin_two(before, stretch, unknowns)
        misfit[c, 1] = fit_two(unknowns, rows, joint, whole)
        if not misfit[c, 0] - misfit[c, 1] > least:
            continue
        sigma[c] = math.exp(unknowns[SIZE])
        for k in range(2):
            first = FIRST + 3 * k
            u, v = unknowns[first], unknowns[first + 1]
            place[c, k, 0] = x + map_back[0, 0] * u + map_back[0, 1] * v
            place[c, k, 1] = y + map_back[1, 0] * u + map_back[1, 1] * v
            place[c, k, 2] = unknowns[first + 2]
            std[c, k] = math.sqrt(whole[first + 2, first + 2])
            both = map_back @ whole[first : first + 2, first : first + 2].copy() @ map_back
            covariance[c, k, 0], covariance[c, k, 1], covariance[c, k, 2] = both[0, 0], both[0, 1], both[1, 1]
        std[c, 2] = _std_of_distance(unknowns, whole)
        fill_freedom(rows, joint, whole)
        for p in range(rows.shape[1]):
            if rows[GOOD, p] == 1:
                free, value = max(joint[0][FREEDOM, p], np.float32(0)), level + joint[0][MODEL, p]
                ring = min(int(rows[R, p] + 0.5), noise.shape[1] - 1)
                noise[c, ring, 0] += free
                noise[c, ring, 1] += free * (levels[1] + value / levels[0])
                noise[c, ring, 2] += (joint[0][LEFT, p] / levels[0]) ** 2
                freedom[c] += free
        _begin_long(before, stretch, one)
        misfit[c, 2] = fit_long(one, rows, joint)


@njit
def _stretching(stretch: Any) -> Any:
    """Return (2, 2) the map that stretches places as the particles are stretched."""
    size = math.hypot(stretch[0], stretch[1])
    share = math.sinh(size) / size if size > 0 else 1.0
    a, b = share * stretch[0], share * stretch[1]
    return np.array([[math.cosh(size) + a, b], [b, math.cosh(size) - a]])


@njit
def _chi_square(rows: Any) -> float:
    total = 0.0
    for p in range(rows.shape[1]):
        if rows[WEIGHT, p] > 0:
            total += rows[RESIDUAL, p] * rows[RESIDUAL, p] / rows[WEIGHT, p]
    return total


@njit
def _begin_two(state: Any, stretch: Any, unknowns: Any) -> None:
    """Begin with two Gaussians that have the second moments of the one particle."""
    along, diagonal = state[ALONG] - stretch[0], state[DIAGONAL] - stretch[1]
    size, angle = math.hypot(along, diagonal), 0.5 * math.atan2(diagonal, along)
    half, sigma = 2 * math.sqrt(size / state[SHARPNESS]), math.exp(-size) / math.sqrt(state[SHARPNESS])
    half = max(half, _LEAST_HALF_PX)
    unknowns[:] = 0
    unknowns[SIZE] = math.log(sigma)
    for first, side in ((FIRST, 1.0), (SECOND, -1.0)):
        unknowns[first], unknowns[first + 1] = side * half * math.cos(angle), side * half * math.sin(angle)
        unknowns[first + 2] = 0.5 * state[PEAK] * math.exp(0.5 * (half / sigma) ** 2)


@njit
def _begin_long(state: Any, stretch: Any, unknowns: Any) -> None:
    """Begin with the one particle, stretched as it was measured to be."""
    inverse = _stretching(np.array([2 * (stretch[0] - state[ALONG]), 2 * (stretch[1] - state[DIAGONAL])]))
    unknowns[:] = 0
    unknowns[FIRST + 2] = state[PEAK]
    unknowns[SECOND], unknowns[SECOND + 1] = state[SHARPNESS] * inverse[0, 0], state[SHARPNESS] * inverse[0, 1]
    unknowns[SECOND + 2] = state[SHARPNESS] * inverse[1, 1]


@njit
def _std_of_distance(unknowns: Any, covariance: Any) -> float:
    dx, dy = unknowns[FIRST] - unknowns[SECOND], unknowns[FIRST + 1] - unknowns[SECOND + 1]
    length = max(math.hypot(dx, dy), 1e-9)
    slope = np.zeros(unknowns.size)
    slope[FIRST], slope[FIRST + 1] = dx / length, dy / length
    slope[SECOND], slope[SECOND + 1] = -dx / length, -dy / length
    return math.sqrt(max(slope @ covariance @ slope, 0.0))
