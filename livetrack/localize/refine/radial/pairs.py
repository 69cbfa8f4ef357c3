"""Which particles become two rows: where two are better than one beyond doubt, by how common pairs are.

Two equal particles near to each other look like one long particle, and differ from it less than from a round one. So
what all particles of the image share is taken off first, and where the candidates, all together, are better explained
by long particles than by two round ones each, none is separated.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.radial.elongation import Stretch
from livetrack.localize.refine.radial.pair_fit import Pairs
from livetrack.localize.refine.radial.step import (
    ALONG,
    DIAGONAL,
    FOUND_X,
    FOUND_Y,
    LIMIT_PX,
    PEAK,
    SNR,
    STRETCH_STD,
    THREEFOLD,
    X,
    Y,
)  # fmt: skip
from livetrack.particles import NO_ID, Flag, Rows

__all__ = ["WHERE_COMMON", "WHERE_RARE", "Evidence", "accept", "candidates", "evidence_needed", "with_both"]

Doubles = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


class Evidence(NamedTuple):
    """What a particle has to show to become two."""

    stretch: float
    """Standard deviations from round."""
    longer: float
    """Standard deviations from the longest of the kind."""
    gain: float
    """Of chi-square, over one round particle."""


WHERE_RARE, WHERE_COMMON = Evidence(4.5, 2.0, 21.0), Evidence(3.3, 0.0, 12.0)
"""The most and the least."""

_RARE = 0.0016  # share of pairs among the particles
_DOUBTS = 20.0  # particles that are no pairs, added to those that were seen
_LONG = 2.5  # of how far a particle is stretched, over how far it deviates threefold beyond noise, at least
_MISFITS, _NOT_GAUSSIAN = 4.0, 0.02  # standard deviations of chi-square, and of the particle: so much may be left
_WORSE, _ALL_WORSE = 6.0, 2.0  # chi-square over that of a long particle, at most: of each, and of all together
_OF_ONE = 4.0  # what one adds to that of all, at most
_SIGNIFICANT = 3.0  # standard deviations: of each height from 0, and of the distance
_FAINTER = 0.25  # of the heights' ratio, at least
_APART, _ASIDE = 4.0, 1.0  # sigma: between the two at most, and of their middle from the one, and of others, at least


def evidence_needed(pairs: float, particles: float) -> Evidence:
    """Return how much a particle has to show where so many of so many `particles` are pairs beyond doubt.

    The odds that a particle is a pair are those of its evidence times those of any particle.
    """
    odds = math.log(max(pairs / (particles + _DOUBTS) / _RARE, 1.0))
    rare, common = WHERE_RARE, WHERE_COMMON
    share = min(2 * odds / (rare.gain - common.gain), 1.0)
    return Evidence(*(a + share * (b - a) for a, b in zip(rare, common, strict=True)))


def candidates(
    state: Doubles, good: Booleans, stretch: Stretch, longest: float, needed: Evidence
) -> npt.NDArray[np.intp]:
    """Return the numbers of the particles that are long enough to be two, (C,)."""
    numbers: npt.NDArray[np.intp] = _candidates(state, good, *stretch, 0.5 * math.log(longest), *needed[:2])
    return numbers


@njit
def _candidates(
    state: Any, good: Any, along: float, diagonal: float, larger: float, allowed: float, sure: float, longer: float
) -> Any:
    shown = np.zeros(good.size, np.bool_)
    for m in range(good.size):
        if good[m]:
            size = math.hypot(state[m, ALONG] - along, state[m, DIAGONAL] - diagonal)
            std = larger * state[m, STRETCH_STD]
            moved = max(abs(state[m, X] - state[m, FOUND_X]), abs(state[m, Y] - state[m, FOUND_Y]))
            shown[m] = size > sure * std and size - longer * std > allowed and moved < LIMIT_PX
    return np.flatnonzero(shown)


def accept(
    pairs: Pairs, state: Doubles, good: Booleans, stretch: Stretch, longest: float, needed: Evidence
) -> Booleans:
    """Return which of the candidates are two, (C,)."""
    shown = np.zeros(len(good), np.bool_)
    shown[candidates(state, good, stretch, longest, needed)] = True
    which, place, sigma = pairs.which, pairs.place, pairs.sigma
    with np.errstate(invalid="ignore"):  # where there is no solution
        excess = np.maximum(pairs.misfit[:, 1] / np.maximum(pairs.freedom, 1.0), 1.0)
        better, worse = pairs.misfit[:, 0] - pairs.misfit[:, 1], pairs.misfit[:, 1] - pairs.misfit[:, 2]
        likely = shown[which] & (better > needed.gain * excess)
        all_worse = np.clip(worse[likely] / excess[likely], -_OF_ONE, _OF_ONE).sum()
        round_two = likely & (worse < _WORSE * excess) & (all_worse < _ALL_WORSE)
        height, heights_std = place[:, :, 2] * np.sign(state[which, PEAK])[:, None], pairs.std[:, :2]
        significant = (height > np.maximum(_SIGNIFICANT * heights_std, _FAINTER * height[:, ::-1])).all(axis=1)
        distance = np.hypot(*(place[:, 0, :2] - place[:, 1, :2]).T)
        aside = np.hypot(*(place[:, :, :2].mean(axis=1) - state[which][:, [X, Y]]).T)
        apart = (distance > _SIGNIFICANT * pairs.std[:, 2]) & (distance < _APART * sigma) & (aside < _ASIDE * sigma)
    regular = _are_regular(pairs, state, stretch)
    two: Booleans = round_two & significant & apart & regular & _are_alone(which, place, sigma, state, good)
    return two


def _are_regular(pairs: Pairs, state: Doubles, stretch: Stretch) -> Booleans:
    """Return where a stretch and two Gaussians explain a particle, (C,), without what is irregular."""
    along, diagonal, threefold, std, snr = state[pairs.which][:, [ALONG, DIAGONAL, THREEFOLD, STRETCH_STD, SNR]].T
    long = np.hypot(along - stretch.along, diagonal - stretch.diagonal)
    left = pairs.freedom + _MISFITS * np.sqrt(2 * pairs.freedom) + (_NOT_GAUSSIAN * snr) ** 2
    regular: Booleans = (long > _LONG * (threefold - stretch.irregular * std)) & (pairs.misfit[:, 1] < left)
    return regular


def with_both(rows: Rows, noise: float, pairs: Pairs, two: Booleans) -> Rows:
    """Return `rows` (N,), changed, and the second particles of those that are `two` (C,), from place N on.

    `noise` is in grey levels.
    """
    first, count = pairs.which[two], len(rows)
    joined = np.zeros(count + len(first), rows.dtype)  # padding too: rows are sent and compared as bytes
    joined[:count], joined[count:] = rows, rows[first]
    joined["id"][count:] = NO_ID
    joined["vx"][count:] = joined["vy"][count:] = np.nan
    rows = joined
    at = np.stack([first, count + np.arange(len(first))], axis=1)
    place, covariance = pairs.place[two], pairs.covariance[two]
    rows["x"][at], rows["y"][at], rows["intensity"][at] = place[..., 0], place[..., 1], noise * place[..., 2]
    rows["x_std"][at], rows["y_std"][at] = np.sqrt(covariance[..., 0]), np.sqrt(covariance[..., 2])
    rows["xy_cov"][at] = covariance[..., 1]
    rows["flags"][at] &= ~np.uint32(Flag.MERGED)
    return rows


@njit
def _are_alone(which: Any, place: Any, sigma: Any, state: Any, good: Any) -> Any:
    """Return whether no other particle is where one of the two would be, (C,)."""
    alone = np.ones(which.size, np.bool_)
    for c in range(which.size):
        square = (_ASIDE * sigma[c]) ** 2
        for m in range(good.size):
            if good[m] and m != which[c]:
                for k in range(2):
                    dx, dy = state[m, X] - place[c, k, 0], state[m, Y] - place[c, k, 1]
                    alone[c] = alone[c] and dx * dx + dy * dy >= square
    return alone
