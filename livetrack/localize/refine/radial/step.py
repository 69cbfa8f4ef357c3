"""One Gauss-Newton step of one particle: background, profile and centre together.

The unknowns are the background's level and its slopes along x and y, the K coefficients of the profile, and the shift
of the centre (x, y), in this order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.radial.ldl import eliminate, solve
from livetrack.localize.refine.radial.pixels import Pixels
from livetrack.localize.refine.radial.window import (
    COS,
    GOOD,
    PROFILE,
    RESIDUAL,
    SHIFT_X,
    SIN,
    SLOPE,
    SPLINES,
    WEIGHT,
    cut,
    fill_background,
    fill_model,
    fill_profile,
    fill_residuals,
    fill_shift,
    fill_splines,
    load,
    place,
    rescale,
    subtract_level,
    subtract_others,
    weigh,
)  # fmt: skip

__all__ = [
    "ALONG", "BACKGROUND", "COEFFICIENTS", "COV", "DIAGONAL", "FOUND_X", "FOUND_Y", "HEIGHT", "LARGE", "LEVEL",
    "LIMIT_PX", "MERGED", "MISFIT", "MOVED_X", "MOVED_Y", "PEAK", "SHARPNESS", "SNR", "STRETCH_STD", "THREEFOLD",
    "UNEVEN", "VAR_X", "VAR_Y", "Workspace", "X", "Y", "doubt", "first_in_map", "make_workspace", "paint", "step",
]  # fmt: skip

# Columns of the particles' state, (N, COEFFICIENTS + K) float64; grey levels are in units of the noise.
FOUND_X, FOUND_Y, X, Y = range(4)  # px; where the network found the particle, and its centre
HEIGHT = 4  # that the network gave it, the scale of the prior
MOVED_X, MOVED_Y, VAR_X, VAR_Y, COV = range(5, 10)  # px, px²; the last step, and the centre's covariance
PEAK = 10  # over the background
MISFIT = 11  # reduced chi-square of the core
EXCESS = 12  # chi-square of the window over that expected
LEVEL = 13  # of the background around the core, from that of the image on
SHARPNESS = 14  # mean square of the profile's slope over that of the profile, 1/px²
SNR = 15  # of the whole particle
ALONG, DIAGONAL = 16, 17  # stretch of the core, see `measure_elongation`
THREEFOLD = 18  # what two particles do not add, in the same measure
STRETCH_STD = 19  # of all three, by the noise
MERGED = 20  # 1 for what are perhaps two particles
UNEVEN = 21  # of a large core: what is left of it, see `_unevenness`; about 1 where that is noise
COEFFICIENTS = 22  # the first one of the profile

BACKGROUND = 3
"""Unknowns of the background."""

LARGE = 600
"""Pixels in a core from which on what neighbours leave in it is looked for: the rings of large particles reach far."""

LIMIT_PX = 2.5
"""A centre goes no further than this from where it was found, along each axis."""

_MAX_STEP_PX = 0.7
_FREE = 0.83  # of the variance of eight octants' pulls, whose sum the fit has made 0
_MIN_PIXELS = 24.0
_HARDLY_SEEN = 16.0  # squared SNR of a whole particle: that a search has chosen it doubles its variance
_DOUBTED = np.float32(16)  # of a patch's mean residual over its standard uncertainty, squared
_NOT_ROUND = 0.04  # of the peak: no particle is quite round; what is so near to the profile is not doubted
_MIN_TRUST = np.float32(1e-3)
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Workspace = tuple[Floats, Doubles, Doubles, Doubles, Floats]


def make_workspace(pixels: Pixels) -> Workspace:
    """Return what a step works in, one for each thread: window, equations, solution, sums over patches."""
    splines = len(pixels.runs)
    unknowns = BACKGROUND + splines + 2
    return (
        np.zeros((SPLINES + 2 * splines, pixels.row.size), np.float32), np.zeros((unknowns, unknowns)),
        np.zeros(unknowns), np.zeros(unknowns), np.zeros((2, pixels.patches), np.float32),
    )  # fmt: skip


@njit(fastmath=True, error_model="numpy")
def step(
    m: int, crowded: bool, levels: Any, raw: Any, middle: Any, state: Any, trust: Any, doubted: Any, fresh: Any,
    added: Any, painted: Any, pixels: Any, geometry: Any, prior: Any, workspace: Any,
) -> bool:  # fmt: skip
    """Improve the state of particle `m` once. Return False where there is no solution.

    Parameters
    ----------
    crowded
        Whether neighbours reach into the window.
    levels
        (7,) float64: 1 / noise, the background's grey level, the lowest and the highest grey level at which pixels are
        stuck, and the noise's variance: at the background, its rise with the grey level, and its least value.
    raw, middle
        (N, P) grey levels of the windows, `OUTSIDE` for pixels that the image does not have, and (N, 2) row and column
        of their middle pixels.
    state
        (N, `COEFFICIENTS` + K), see above.
    trust, doubted
        (N, T) share of its weight that each patch keeps, and (N,) whether any keeps less than all of it.
    fresh
        (N,) whether the profile is still the mean one, with the height that the network gave; it becomes False.
    added, painted
        (H + 2 reach, W + 2 reach) what all crowded particles add to the image, and (N, P) what each of them does.
    pixels, geometry
        (row, column, patch, lattice, runs) of `Pixels`, and (P,) the pixels' offsets in `added`; (reach, pixels in the
        core, distance of the knots, half of the binning, the window's radius).
    prior
        (information (K, K), that times the mean (K,)) of a particle of height 1.
    workspace
        Of `make_workspace`.
    """
    rows, normal, right, solution, _ = workspace
    row, column, patch, lattice, runs, offsets = pixels
    reach, in_core, step_px, half, radius_px = geometry
    information, pull = prior
    splines = len(runs)
    load(m, raw, levels, rows)
    if doubted[m]:
        for p in range(row.size):
            rows[GOOD, p] *= trust[m, patch[p]]
    if crowded:
        subtract_others(m, first_in_map(m, middle, reach, added), offsets, in_core, added.reshape(-1), painted, rows)
    x, y, per_px = state[m, X] - middle[m, 1], state[m, Y] - middle[m, 0], np.float32(1 / step_px)
    place(row, column, np.float32(x - half), np.float32(y - half), per_px, rows)
    cut(lattice, np.float32(splines + 1), np.float32(radius_px) * per_px, rows)
    level, counted = subtract_level(in_core, rows)
    if counted < _MIN_PIXELS:
        return False
    state[m, LEVEL] = level
    fill_splines(splines, runs, per_px, rows)
    if fresh[m] or levels[5] > 0:
        fill_model(splines, runs, state[m], COEFFICIENTS, rows)
    if fresh[m]:
        fresh[m] = False
        state[m, HEIGHT] *= rescale(in_core, rows)
    weigh(np.float32(levels[4] + levels[5] * level), np.float32(levels[5]), np.float32(levels[6]), crowded, rows)

    size = BACKGROUND + splines
    fill_background(rows, normal, right)
    fill_profile(splines, runs, rows, normal, right)
    scale = 1 / state[m, HEIGHT]
    for i in range(splines):
        right[BACKGROUND + i] += scale * pull[i]
        for k in range(i + 1):
            normal[BACKGROUND + i, BACKGROUND + k] += scale * scale * information[i, k]
    if not eliminate(normal, right, 0, size):
        return False
    solve(normal, right, size, solution)
    fill_model(splines, runs, solution, BACKGROUND, rows)
    fill_shift(splines, runs, rows, normal, right)
    if not eliminate(normal, right, size, size + 2):
        return False
    solve(normal, right, size + 2, solution)

    for k in range(splines):
        state[m, COEFFICIENTS + k] = solution[BACKGROUND + k]
    state[m, PEAK] = (2 * solution[BACKGROUND] + solution[BACKGROUND + 1]) / 3
    square, counted, state[m, EXCESS], seen = fill_residuals(in_core, solution, rows)
    state[m, MISFIT] = square / max(counted - size - 2, 1.0)
    if in_core > LARGE:
        state[m, UNEVEN] = _unevenness(in_core, rows)
    seen = max(seen, 1.0)
    _move(m, normal, solution, 1 + min(_HARDLY_SEEN / seen, 1.0) ** 2, state)
    state[m, SHARPNESS], state[m, SNR] = 2 / (normal[size, size] * seen), math.sqrt(seen)
    if crowded:
        _repaint(m, x, y, middle, state, added, painted, offsets, reach, in_core, rows)
    return True


@njit(fastmath=True, error_model="numpy")
def paint(
    m: int, middle: Any, state: Any, added: Any, painted: Any, pixels: Any, geometry: Any, workspace: Any
) -> None:
    """Add particle `m` to what crowded particles add to the image. The parameters are those of `step`."""
    rows = workspace[0]
    row, column, _, _, runs, offsets = pixels
    reach, in_core, step_px, half, _ = geometry
    x, y, per_px = state[m, X] - middle[m, 1], state[m, Y] - middle[m, 0], np.float32(1 / step_px)
    place(row, column, np.float32(x - half), np.float32(y - half), per_px, rows)
    fill_splines(len(runs), runs, per_px, rows)
    fill_model(len(runs), runs, state[m], COEFFICIENTS, rows)
    for p in range(in_core):
        painted[m, p] = _ZERO
    _repaint(m, x, y, middle, state, added, painted, offsets, reach, in_core, rows)


@njit(fastmath=True, error_model="numpy")
def doubt(m: int, state: Any, trust: Any, doubted: Any, patch: Any, workspace: Any) -> bool:
    """Trust each patch as its mean residual deserves, right after a `step`. Return whether much has changed.

    A robust fit whose weights fall with the fourth power of the residual, patch by patch: a pixel's own noise would
    hide from it what many pixels share. A patch's variance is that of the noise and of what is not round.
    """
    if not (doubted[m] or state[m, EXCESS] > _DOUBTED):  # what a patch may add to chi-square before it is doubted
        return False
    rows, _, _, _, sums = workspace
    sums[:] = _ZERO
    first = 0
    while patch[first] == 0:  # near the centre, and always trusted
        first += 1
    for p in range(first, patch.size):
        sums[0, patch[p]] += rows[RESIDUAL, p]
        sums[1, patch[p]] += rows[WEIGHT, p]
    slack = np.float32((_NOT_ROUND * state[m, PEAK]) ** 2)
    doubted[m], changed = False, False
    for k in range(1, sums.shape[1]):
        before, total, now = trust[m, k], sums[1, k], _ONE
        square, limit = sums[0, k] ** 2 / before, _DOUBTED * total * (_ONE + slack * total)
        if square > limit:
            now = max((limit / square) ** 2, _MIN_TRUST)
            doubted[m] = True
        trust[m, k] = now
        changed = changed or now < _HALF * before or before < _HALF * now
    return changed


@njit(fastmath=True, error_model="numpy")
def _unevenness(in_core: int, rows: Any) -> float:
    """Return how much more the residuals of whole octants pull at the centre than independent ones would.

    It is the variance of the pull, from the eight octants, over that which the noise of single pixels gives. The
    fringes of neighbours have one sign over many pixels.
    """
    pull = np.zeros((2, 8))
    expected = np.zeros(2)
    for p in range(in_core):
        cos, sin = rows[COS, p], rows[SIN, p]
        octant = (1 if cos > _ZERO else 0) + (2 if sin > _ZERO else 0) + (4 if abs(cos) > abs(sin) else 0)
        along, down = rows[SLOPE, p] * cos, rows[SLOPE, p] * sin
        pull[0, octant] += rows[RESIDUAL, p] * along
        pull[1, octant] += rows[RESIDUAL, p] * down
        expected[0] += rows[WEIGHT, p] * along * along
        expected[1] += rows[WEIGHT, p] * down * down
    ratio = 0.0
    for axis in range(2):
        if expected[axis] > 0:
            ratio += 0.5 * (pull[axis] ** 2).sum() / (_FREE * expected[axis])
    return ratio


@njit
def first_in_map(m: int, middle: Any, reach: int, added: Any) -> Any:
    """Return the number of a window's middle pixel in `added`, flat."""
    return (middle[m, 0] + reach) * added.shape[1] + middle[m, 1] + reach


@njit
def _move(m: int, factors: Any, solution: Any, larger: float, state: Any) -> None:
    """Take the step, and read the centre's covariance, times `larger`, off the last corner of the factors."""
    last = solution.size - 1
    share, variance = factors[last, last - 1], factors[last, last]
    state[m, VAR_X] = larger * (factors[last - 1, last - 1] + share * share * variance)
    state[m, VAR_Y] = larger * variance
    state[m, COV] = -larger * share * variance
    for axis in range(2):
        change = min(max(solution[last - 1 + axis], -_MAX_STEP_PX), _MAX_STEP_PX)
        found, before = state[m, FOUND_X + axis], state[m, X + axis]
        state[m, X + axis] = min(max(before + change, found - LIMIT_PX), found + LIMIT_PX)
        state[m, MOVED_X + axis] = state[m, X + axis] - before


@njit(fastmath=True, error_model="numpy")
def _repaint(
    m: int, x: float, y: float, middle: Any, state: Any, added: Any, painted: Any, offsets: Any, reach: int,
    in_core: int, rows: Any,
) -> None:  # fmt: skip
    """Add the profile, moved from (x, y) in the window to where the particle is now, in place of what was there."""
    shift_x = np.float32(state[m, X] - middle[m, 1] - x)
    shift_y = np.float32(state[m, Y] - middle[m, 0] - y)
    for p in range(in_core):
        profile = rows[PROFILE, p] - rows[SLOPE, p] * (shift_x * rows[COS, p] + shift_y * rows[SIN, p])
        rows[SHIFT_X, p] = profile - painted[m, p]
        painted[m, p] = profile
    flat, first = added.reshape(-1), first_in_map(m, middle, reach, added)
    for p in range(in_core):
        flat[np.uint64(first + offsets[p])] += rows[SHIFT_X, p]
