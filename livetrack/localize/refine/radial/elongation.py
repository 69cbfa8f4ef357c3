"""Which particles are longer than wide, beyond noise and variety: perhaps two that were found as one."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from livetrack.jit import njit
from livetrack.localize.refine.radial.step import (
    ALONG,
    COV,
    DIAGONAL,
    MERGED,
    SHARPNESS,
    STRETCH_STD,
    THREEFOLD,
    VAR_X,
    VAR_Y,
)
from livetrack.localize.refine.radial.window import COS, RESIDUAL, SIN, SLOPE, WEIGHT, R

__all__ = ["ROUND", "Stretch", "mark_merged", "measure_elongation"]

_FEWEST, _COMMON = 8, 3.5  # particles, and standard errors from round, of what they share
_SURE, _LONGER = 4.0, 2.0  # standard deviations from round, and from the longest of the kind
_MEDIAN = math.sqrt(2 * math.log(2))  # of the length of a vector of two numbers of variance 1
_OF_MEDIAN = math.sqrt(math.pi / 2)  # of its standard error, over that of a mean
_IRREGULAR, _OF_ONE = 1.3, 0.7  # deviation from round over the noise's, and the standard deviation of one particle's
_ZERO, _THREE, _FOUR, _TINY = (np.float32(value) for value in (0, 3, 4, 1e-6))


class Stretch(NamedTuple):
    """How far the particles of an image are stretched that are single ones; see `measure_elongation`."""

    along: float
    diagonal: float
    irregular: float
    """Standard deviation of what each adds to that, over the noise's, at least 1."""


ROUND = Stretch(0.0, 0.0, 1.0)


@njit(fastmath=True, error_model="numpy")
def measure_elongation(m: int, in_core: int, step_px: float, rows: Any, state: Any) -> None:
    """Measure how far the core of particle `m` is stretched, right after a `step`.

    A stretch by exp(s) along a direction, and by exp(-s) across it, adds -s r f'(r) cos 2a to a profile f(r) at the
    angle a from that direction: `ALONG` and `DIAGONAL` are s times cosine and sine of twice the direction's angle.
    `THREEFOLD` is likewise what has cos 3a: noise and irregular particles have it, but two equal ones do not.
    """
    along = diagonal = right = down = information = _ZERO
    for p in range(in_core):
        c, s, slope = rows[COS, p], rows[SIN, p], rows[SLOPE, p] * rows[R, p]
        part = rows[RESIDUAL, p] * slope
        along -= part * (c * c - s * s)
        diagonal -= part * (c * s + c * s)
        right -= part * c * (_FOUR * c * c - _THREE)
        down -= part * s * (_THREE - _FOUR * s * s)
        information += rows[WEIGHT, p] * slope * slope
    scale = 2 / (step_px * max(information, _TINY))
    state[m, ALONG], state[m, DIAGONAL] = scale * along, scale * diagonal
    state[m, THREEFOLD] = scale * math.sqrt(right * right + down * down)
    state[m, STRETCH_STD] = math.sqrt(scale / step_px)


@njit
def _common_stretch(state: Any, good: Any, along: float, diagonal: float) -> Any:
    """Return the numbers of `Stretch`: the given ones where the particles are too few to share any.

    An image that has moved or is out of focus stretches all likewise, pairs point anywhere. Noise that pixels share,
    and irregular particles, deviate threefold as well: by as much more than expected, a particle has to be longer.
    Where that is much, length says nothing, and the last number is infinite.
    """
    which = np.flatnonzero(good)
    if which.size == 0:
        return along, diagonal, 1.0
    each = np.empty(which.size)
    for k in range(which.size):
        each[k] = state[which[k], THREEFOLD] / state[which[k], STRETCH_STD]
    irregular = np.median(each) / _MEDIAN
    if irregular > _IRREGULAR + _OF_ONE / math.sqrt(which.size):
        return along, diagonal, np.inf
    if which.size >= _FEWEST:
        along, diagonal = np.median(state[which, ALONG]), np.median(state[which, DIAGONAL])
        for k in range(which.size):
            each[k] = math.hypot(state[which[k], ALONG] - along, state[which[k], DIAGONAL] - diagonal)
        error = _OF_MEDIAN * np.median(each) / (_MEDIAN * math.sqrt(which.size))
        if math.hypot(along, diagonal) < _COMMON * error:
            along = diagonal = 0.0
    return along, diagonal, max(irregular, 1.0)


@njit
def mark_merged(state: Any, good: Any, longest: float, along: float, diagonal: float) -> Any:
    """Mark the particles that are perhaps two, and add to their covariance the distance of either from the middle.

    Return the numbers of `Stretch`, and whether any are marked.

    Parameters
    ----------
    state
        (N, `COEFFICIENTS` + K); those marked get `MERGED`, and larger `VAR_X`, `VAR_Y` and `COV`.
    good
        (N,) the particles that were fitted.
    longest
        Length over width of one particle, at most.
    along, diagonal
        What particles of the images before share.
    """
    along, diagonal, irregular = _common_stretch(state, good, along, diagonal)
    allowed, some = 0.5 * math.log(longest), False
    for m in np.flatnonzero(good):
        right, down = state[m, ALONG] - along, state[m, DIAGONAL] - diagonal
        stretch, std = math.hypot(right, down), irregular * state[m, STRETCH_STD]
        if stretch > _SURE * std and stretch - _LONGER * std > allowed:
            state[m, MERGED], some = 1.0, True
            square = 4 * stretch / state[m, SHARPNESS]  # of half of the distance: a Gaussian's
            cosine, sine = right / stretch, down / stretch
            state[m, VAR_X] += 0.5 * square * (1 + cosine)
            state[m, VAR_Y] += 0.5 * square * (1 - cosine)
            state[m, COV] += 0.5 * square * sine
    return along, diagonal, irregular, some
