"""One Gauss-Newton step for each particle: the normal equations of profile, slope and centre, and their solution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.localize.refine.radial.ldl import eliminate, invert, solve
from livetrack.localize.refine.radial.spline_tables import PATCH
from livetrack.localize.refine.radial.window_pixels import read_window

__all__ = ["FURTHEST_PX", "noise_about", "step"]

FURTHEST_PX = 2.5
"""From where the network saw the particle: the centre goes no further."""

_LARGEST_STEP_PX = 0.7
_SETTLED = 0.8  # of its standard uncertainty: a centre that moves less has settled
_HARDLY_SEEN = np.float32(16)  # squared SNR of a whole particle: the search's choice doubles its variance
_LEAST_PIXELS = 24.0
_MOST_SQUARE = np.float32(16)  # of a patch's mean residual over its standard uncertainty: beyond it is doubted
_NOT_ROUND = 0.04  # of the height: no particle is quite round, and what is so near to the profile is not doubted
_LEAST_TRUST = np.float32(1e-3)
_OVERLAP = 3  # splines that are further apart share no pixel
_NONE, _HALF, _ALL = np.float32(0), np.float32(0.5), np.float32(1)


@njit
def step(
    first: int, last: int, grey: Any, stuck: Any, scale: float, square: Any, inside: Any, basis: Any, derivative: Any,
    direction: Any, near_start: Any, near: Any, core: int, at: Any, painted: Any, shown: Any, law: Any, prior: Any,
    pull: Any, height: Any, begin: Any, wanted: Any, before: Any, centre: Any, profile: Any, result: Any, good: Any,
    moved: Any, doubted: Any, trust: Any,
) -> None:  # fmt: skip
    """Improve `centre` (N, 2) and `profile` (N, K + 2: the spline, and the slope) of the particles `first` to `last`.

    Parameters
    ----------
    grey, stuck, scale, near_start, near, core
        Of `read_window`.
    square, inside, basis, derivative, direction
        Of the `Window`.
    at, painted, shown
        Of `read_window`: what each particle adds to the grey levels about it, for its neighbours' sake. What is
        shown stays as it is, so that the order of the particles does not count; the other one is painted.
    law
        The variance of a grey level is law[0] + law[1] times the level, and law[2] at least, in units of the noise.
    prior, pull, height
        Of `ProfilePrior`, for a particle of height 1: the information (K, K), and its product with the mean (K,); and
        each particle's height (N,).
    begin
        (N, 2) where the network saw the particle; the centre stays within FURTHEST_PX of it.
    wanted
        (N,) for which ones anything is done.
    before
        (N, 2) the centres before this step.
    result
        (N, 4) gets the variances of x and y and their covariance, px², larger by up to two where a particle is hardly
        seen, and the height over the background, in units of the noise.
    good
        (N,) becomes False where there is no solution.
    moved
        (N,) gets whether the centre has moved by more than `_SETTLED` of its standard uncertainty, or the trust has
        changed.
    doubted, trust
        Of the `Window`, and (N, P / PATCH) how much each patch counts, 0..1: less from this step on where the profile
        does not describe it, as where there is dirt, the edge of something large, or an end of the grey scale.
    """
    knots, size, pixels = profile.shape[1] - 2, profile.shape[1] + 2, square.size
    normal, right, origin = np.zeros((size, size)), np.empty(size), np.empty(4)
    z, weight, level = np.empty(pixels, np.float32), np.empty(pixels, np.float32), np.empty(pixels, np.float32)
    shift, part, room = np.empty((2, pixels), np.float32), np.empty(pixels, np.float32), np.empty_like(painted[0, 0])
    for n in range(first, last):
        moved[n] = False
        if not wanted[n]:
            continue
        read_window(
            n, grey, stuck, scale, before, square, inside, basis, near_start, near, core, at, painted, shown, room,
            origin, z, weight,
        )  # fmt: skip
        good[n] = _sum(weight) >= _LEAST_PIXELS
        if not good[n]:
            continue
        phase = int(origin[2])
        _weigh(basis[phase], profile[n], law[0] + law[1] * origin[3], law[1], law[2], level, weight)
        _trust(trust[n], weight)
        _fill_profile(basis[phase], z, weight, part, normal, right)
        _add_prior(normal, right, prior, pull, height[n])
        good[n] = eliminate(normal, right, 0, knots + 2)
        if not good[n]:
            continue
        solve(normal, right, profile[n])
        _derive(derivative[phase], direction[phase], profile[n], level, shift)
        _fill_shift(basis[phase], shift, z, weight, part, normal, right)
        good[n] = eliminate(normal, right, knots + 2, size)
        if not good[n]:
            continue
        solve(normal, right, right)
        profile[n] = right[: knots + 2]
        result[n, 3] = (2 * profile[n, 0] + profile[n, 1]) / 3 - profile[n, knots - 1]
        moved[n] = _move(right, normal, origin, begin[n], centre[n], result[n])
        new = 1 - shown[n]
        at[new, n, 0], at[new, n, 1] = math.floor(origin[0] + 0.5), math.floor(origin[1] + 0.5)
        _paint(basis[phase], shift, profile[n], centre[n] - origin[:2], square, level, painted[new, n])
        larger = 1 + min(_HARDLY_SEEN / max(_squared_snr(level, weight), _ALL), _ALL) ** 2
        for k in range(3):
            result[n, k] *= larger
        slack = np.float32((_NOT_ROUND * result[n, 3]) ** 2)
        moved[n] |= _doubt(basis[phase], profile[n], z, weight, level, slack, doubted, trust[n])


@njit
def noise_about(
    first: int, last: int, sample: Any, grey: Any, stuck: Any, scale: float, square: Any, inside: Any, basis: Any,
    derivative: Any, direction: Any, near_start: Any, near: Any, core: int, at: Any, painted: Any, shown: Any,
    pair: Any, prior: Any, pull: Any, height: Any, centre: Any, profile: Any, level: float, noise: Any, normals: Any,
    rights: Any,
) -> None:  # fmt: skip
    """Measure the noise about the particles `first` to `last` of `sample`, as a step that takes it for even leaves it.

    The residuals' differences between neighbouring pixels, those p and p + 1 for which `pair` (P,) is 1, tell of the
    noise alone, where what the profile does not describe changes little from pixel to pixel. `noise` (S, K, 3) gets,
    for the pairs of each spline, the degrees of freedom (their number, less what the fit has followed of their noise),
    the sum of the profile's mean of both pixels over those, counted from `level`, and that of half the squared
    differences. `normals` (S, K + 4, K + 4) and `rights` (S, K + 4) get each particle's equations, their lower half,
    without what was known before. The other parameters are those of `step`.
    """
    knots, size, last_pixel = profile.shape[1] - 2, profile.shape[1] + 2, square.size - 1
    normal, right, inverse, origin = np.zeros((size, size)), np.empty(size), np.empty((size, size)), np.empty(4)
    z, weight, f = (
        np.empty(square.size, np.float32), np.empty(square.size, np.float32), np.empty(square.size, np.float32)
    )  # fmt: skip
    shift, rows = np.empty((2, square.size), np.float32), np.empty((size, last_pixel), np.float32)
    part, room = np.empty(square.size, np.float32), np.empty_like(painted[0, 0])
    rest, free = np.empty(last_pixel, np.float32), np.empty(last_pixel, np.float32)
    noise[first:last] = 0
    normals[first:last] = 0
    rights[first:last] = 0
    for s in range(first, last):
        n = sample[s]
        read_window(
            n, grey, stuck, scale, centre, square, inside, basis, near_start, near, core, at, painted, shown, room,
            origin, z, weight,
        )  # fmt: skip
        phase = int(origin[2])
        _derive(derivative[phase], direction[phase], profile[n], part, shift)
        _fill_profile(basis[phase], z, weight, part, normal, right)
        _fill_shift(basis[phase], shift, z, weight, part, normal, right)
        normals[s] = normal
        rights[s] = right
        _add_prior(normal, right, prior, pull, height[n])
        if not eliminate(normal, right, 0, size):
            continue
        solve(normal, right, right)
        invert(normal, inverse)
        f[:] = np.float32(origin[3] - level)
        for k in range(knots):
            _add(np.float32(right[k]), basis[phase, k], f)
        _differ(z, rest)
        for k in range(size):
            _differ(basis[phase, k] if k < knots + 2 else shift[k - knots - 2], rows[k])
            _add(np.float32(-right[k]), rows[k], rest)
        _freedom(rows, inverse, part[:last_pixel], free)
        for p in range(last_pixel):
            used = pair[p] * weight[p] * weight[p + 1]
            free[p] *= used
            rest[p] *= _HALF * rest[p] * used
            f[p] = _HALF * (f[p] + f[p + 1]) * free[p]
        for k in range(knots):
            noise[s, k, 0] = _dot(basis[phase, k, :last_pixel], free)
            noise[s, k, 1] = _dot(basis[phase, k, :last_pixel], f[:last_pixel])
            noise[s, k, 2] = _dot(basis[phase, k, :last_pixel], rest)


@njit(fastmath=True)
def _differ(a: Any, difference: Any) -> None:
    for p in range(difference.size):
        difference[p] = a[p + 1] - a[p]


@njit(fastmath=True)
def _dot(a: Any, b: Any) -> Any:
    total = _NONE
    for p in range(a.size):
        total += a[p] * b[p]
    return total


@njit(fastmath=True)
def _add(factor: Any, a: Any, to: Any) -> None:
    for p in range(a.size):
        to[p] += factor * a[p]


@njit(fastmath=True)
def _sum(a: Any) -> Any:
    total = _NONE
    for p in range(a.size):
        total += a[p]
    return total


@njit(fastmath=True)
def _squared_snr(profile: Any, weight: Any) -> Any:
    """Return what all pixels together say of the height: its square over its variance, were the shape known."""
    total = _NONE
    for p in range(profile.size):
        total += weight[p] * profile[p] * profile[p]
    return total


@njit(fastmath=True)
def _weigh(basis: Any, profile: Any, level: float, rise: float, least: float, f: Any, weight: Any) -> None:
    """Divide the weights by the variance that the law gives to the profile; `f` is room to work in."""
    f[:] = np.float32(level)
    if rise > 0:
        for k in range(profile.size - 2):
            _add(np.float32(rise * profile[k]), basis[k], f)
    floor = np.float32(least)
    for p in range(f.size):
        weight[p] /= max(f[p], floor)


@njit(fastmath=True)
def _trust(trust: Any, weight: Any) -> None:
    patches = weight.reshape(-1, PATCH)
    for k in range(trust.size):
        if trust[k] < _ALL:
            for p in range(PATCH):
                patches[k, p] *= trust[k]


@njit(fastmath=True)
def _doubt(
    basis: Any, profile: Any, z: Any, weight: Any, f: Any, slack: Any, doubted: Any, trust: Any
) -> bool:  # fmt: skip
    """Trust each patch as its mean residual deserves; `f` is the profile over its level. Return whether much changed.

    Its variance is that of the noise and `slack`. A robust fit whose weights fall with the fourth power of the
    residual, patch by patch: a pixel's own noise would hide from it what many pixels share.
    """
    knots, changed = profile.size - 2, False
    level, along, down = np.float32(profile[knots - 1]), np.float32(profile[knots]), np.float32(profile[knots + 1])
    dx, dy = basis[knots], basis[knots + 1]
    for p in range(f.size):
        f[p] = weight[p] * (z[p] - level - along * dx[p] - down * dy[p] - f[p])
    rests, weights = f.reshape(-1, PATCH), weight.reshape(-1, PATCH)
    for k in range(trust.size):
        rest, total = _NONE, _NONE
        for p in range(PATCH):
            rest += rests[k, p]
            total += weights[k, p]
        before, trust[k] = trust[k], _ALL
        square, most = doubted[k] * rest * rest / before, _MOST_SQUARE * total * (_ALL + slack * total)
        if square > most:
            trust[k] = max((most / square) ** 2, _LEAST_TRUST)
        changed |= trust[k] < _HALF * before or before < _HALF * trust[k]
    return changed


@njit(fastmath=True)
def _derive(derivative: Any, direction: Any, profile: Any, slope: Any, shift: Any) -> None:
    """Write how grey levels depend on the centre's x and y into `shift` (2, P); `slope` is room to work in.

    The background's plane stays where it is.
    """
    slope[:] = _NONE
    for k in range(profile.size - 2):
        _add(np.float32(profile[k]), derivative[k], slope)
    for axis in range(2):
        along, to = direction[axis], shift[axis]
        for p in range(slope.size):
            to[p] = -slope[p] * along[p]


@njit(fastmath=True)
def _paint(basis: Any, shift: Any, profile: Any, moved: Any, square: Any, f: Any, painted: Any) -> None:
    """Write the profile over its level, moved from the tables' place; `f` is room to work in."""
    knots = profile.size - 2
    f[:] = _NONE
    for k in range(knots - 1):
        _add(np.float32(profile[k] - profile[knots - 1]), basis[k], f)
    for axis in range(2):
        _add(np.float32(moved[axis]), shift[axis], f)
    flat = painted.reshape(-1)
    for p in range(square.size):
        flat[square[p]] = f[p]


@njit(fastmath=True)
def _fill_profile(basis: Any, z: Any, weight: Any, part: Any, normal: Any, right: Any) -> None:
    """Fill the lower half of `normal`, and `right`, for profile and slope; `part` is room to work in."""
    knots = basis.shape[0] - 2
    normal[:] = 0
    for i in range(knots + 2):
        for p in range(part.size):
            part[p] = weight[p] * basis[i, p]
        first = max(0, i - _OVERLAP) if i < knots else 0
        _fill_row(part, basis, first, i + 1, z, normal[i], right, i)


@njit(fastmath=True)
def _fill_shift(basis: Any, shift: Any, z: Any, weight: Any, part: Any, normal: Any, right: Any) -> None:
    """Fill the rows of `normal` and `right` that are the centre's; `part` is room to work in."""
    both = basis.shape[0]
    for axis in range(2):
        row = both + axis
        for p in range(part.size):
            part[p] = weight[p] * shift[axis, p]
        _fill_row(part, basis, 0, both, z, normal[row], right, row)
        if axis == 0:
            normal[row, both] = _dot(part, shift[0])
        else:
            normal[row, both], normal[row, row] = _dots(part, shift[0], shift[1])


@njit(fastmath=True)
def _fill_row(part: Any, basis: Any, first: int, last: int, z: Any, row: Any, right: Any, i: int) -> None:
    """Fill `row` from `first` to `last`, and `right` at `i`, with a row's weighed pixels."""
    for k in range(first, last - 1, 2):
        row[k], row[k + 1] = _dots(part, basis[k], basis[k + 1])
    if (last - first) % 2:
        row[last - 1], right[i] = _dots(part, basis[last - 1], z)
    else:
        right[i] = _dot(part, z)


@njit(fastmath=True)
def _dots(a: Any, b: Any, c: Any) -> Any:
    """Return a.b and a.c: both in one go are hardly slower than one."""
    first, second = _NONE, _NONE
    for p in range(a.size):
        first += a[p] * b[p]
        second += a[p] * c[p]
    return first, second


@njit(fastmath=True)
def _freedom(rows: Any, inverse: Any, part: Any, free: Any) -> None:
    """Write the share of each difference's noise that the fit has not followed into `free`; `part` is room."""
    free[:] = _ALL
    for i in range(len(rows)):
        part[:] = _NONE
        for k in range(i):
            _add(np.float32(2 * inverse[i, k]), rows[k], part)
        _add(np.float32(inverse[i, i]), rows[i], part)
        for p in range(free.size):
            free[p] -= _HALF * part[p] * rows[i, p]
    for p in range(free.size):
        free[p] = max(free[p], _NONE)


@njit
def _add_prior(normal: Any, right: Any, prior: Any, pull: Any, height: float) -> None:
    scale = 1 / height
    for i in range(pull.size):
        right[i] += scale * pull[i]
        for k in range(i + 1):
            normal[i, k] += scale * scale * prior[i, k]


@njit
def _move(right: Any, factors: Any, origin: Any, begin: Any, centre: Any, result: Any) -> bool:
    """Take the step, and read the centre's covariance off the last corner of the factors; return whether it moved."""
    last = right.size - 1
    share = factors[last, last - 1]
    result[1] = factors[last, last]
    result[0] = factors[last - 1, last - 1] + share * share * result[1]
    result[2] = -share * result[1]
    moved = False
    for axis in range(2):
        change = min(max(right[last - 1 + axis], -_LARGEST_STEP_PX), _LARGEST_STEP_PX)
        place = min(max(origin[axis] + change, begin[axis] - FURTHEST_PX), begin[axis] + FURTHEST_PX)
        moved |= abs(place - centre[axis]) > _SETTLED * math.sqrt(result[axis])
        centre[axis] = place
    return moved
