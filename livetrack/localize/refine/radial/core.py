"""The core's radius, and a first mean profile, from means over rings around an image's brightest particles."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.radial.ldl import eliminate, solve
from livetrack.localize.refine.radial.particles import nearest_squares
from livetrack.localize.refine.radial.pixels import CORES, Core
from livetrack.localize.refine.radial.prior import ProfilePrior
from livetrack.localize.refine.radial.step import HEIGHT, X, Y

__all__ = ["choose_core"]

Doubles = npt.NDArray[np.float64]

_SAMPLE = 12  # particles
_RING_PX = 0.9
_USEFUL = 0.98  # share of the information on the position that lies within it
_MARGIN, _MARGIN_PX = 1.25, 1.5  # beyond it, for the background
_BRIGHT = 10.0  # in units of the noise: what is brighter counts no more
_FAR = 0.8  # of the radius: beyond is background
_FIRST_LOOK = 6  # of the cores: only if that is hardly enough, wider rings are looked at
_MAX_NEAR = 64
_DENSE_PX = 16.0  # radius: within wider ones, not every row of pixels is needed
_RADII_PX = [core.radius_px for core in CORES]


def choose_core(
    image: npt.NDArray[Any], levels: Doubles, state: Doubles, active: npt.NDArray[np.bool_], prior: ProfilePrior,
    max_radius_px: float,
) -> tuple[Core, Doubles]:  # fmt: skip
    """Return one of `CORES`, and (K,) the coefficients of the mean profile, of height 1.

    The core holds `_USEFUL` of the information on the position, the sum of f'(r)^2 r, and a margin. What noise adds to
    that sum is taken off: of a faint particle it would stand for rings without end. It is no wider than the typical
    distance to a neighbour, nor than `max_radius_px`. `levels`, `state` and `active` are those of `step`.
    """
    spacing = _spacing(state, active, max_radius_px)
    widest = max(bisect_right(_RADII_PX, spacing) - 1, 0)
    sample = np.argsort(-np.abs(state[:, HEIGHT]) * active, kind="stable")[:_SAMPLE]
    sample = sample[active[sample]]
    for look in sorted({min(_FIRST_LOOK, widest), widest}):
        rings = round(_RADII_PX[look] / _RING_PX)
        total, weight, spread = _sum_rings(image, levels, state, sample, rings)
        profile, noise = _mean_profile(*prior.at(rings, _RING_PX), total, weight, spread, len(sample))
        enough = _MARGIN * _useful_rings(profile, noise) * _RING_PX + _MARGIN_PX
        if enough < _FAR * _RADII_PX[look]:
            break
    core = CORES[min(bisect_left(_RADII_PX, enough), look)]
    knots = np.abs(np.arange(-1, core.splines + 1))
    at = np.interp(core.step_px * knots, _RING_PX * np.arange(rings), profile, right=0.0)
    return core, (8 * at[1:-1] - at[:-2] - at[2:]) / 6  # the splines average over their neighbours


@njit
def _spacing(state: Any, active: Any, limit: float) -> float:
    """Return the median distance to the nearest other particle, px, or `limit` where it is less."""
    squares = nearest_squares(state, limit, np.empty(len(state), np.int64))[active]
    return float(min(math.sqrt(np.sort(squares)[squares.size // 2]), limit))


@njit
def _sum_rings(image: Any, levels: Any, state: Any, sample: Any, rings: int) -> Any:
    """Return what the particles of `sample` say of each ring (R,), for height 1: sums over the level, weights, noise.

    Pixels that are stuck or nearer to a neighbour are left out.
    """
    height, width = image.shape
    radius = (rings - 0.5) * _RING_PX
    every = 1 + int(radius / _DENSE_PX)  # rows
    total, weight, spread = np.zeros(rings), np.zeros(rings), np.zeros(rings)
    sums, counts = np.empty(rings), np.empty(rings)
    near = np.empty((_MAX_NEAR, 2))
    for s in sample:
        x, y = state[s, X], state[s, Y]
        others = 0
        for m in range(len(state)):
            dx, dy = state[m, X] - x, state[m, Y] - y
            if abs(dx) < 2 * radius and abs(dy) < 2 * radius and abs(dx) + abs(dy) > 0 and others < _MAX_NEAR:
                near[others] = dx, dy
                others += 1
        sums[:], counts[:] = 0, 0
        for i in range(max(0, math.ceil(y - radius)), min(height, math.ceil(y + radius)), every):
            across = math.sqrt(max(0.0, radius * radius - (i - y) ** 2))
            for j in range(max(0, math.ceil(x - across)), min(width, math.ceil(x + across))):
                value = np.float32(image[i, j])
                own = levels[2] < value < levels[3]
                for k in range(others):
                    dx, dy = near[k, 0], near[k, 1]
                    own = own and (j - x) * dx + (i - y) * dy <= 0.5 * (dx * dx + dy * dy)
                if own:
                    away = math.sqrt((i - y) ** 2 + (j - x) ** 2)
                    ring = min(int(away * (1 / _RING_PX) + 0.5), rings - 1)
                    sums[ring] += levels[0] * (value - levels[1])
                    counts[ring] += 1
        far = int(_FAR * rings)
        level = sums[far:].sum() / max(counts[far:].sum(), 1)
        tall = state[s, HEIGHT]
        bright = min(abs(tall), _BRIGHT) ** 2
        for r in range(rings):
            total[r] += bright / tall * (sums[r] - level * counts[r])
            weight[r] += bright * counts[r]
            spread[r] += (bright / tall) ** 2 * counts[r]
    return total, weight, spread


@njit
def _mean_profile(mean: Any, information: Any, total: Any, weight: Any, spread: Any, particles: int) -> Any:
    """Return (R,) the mean profile, and its variance by noise, from what so many `particles` and the prior say."""
    size = mean.size
    both, right, profile, noise = particles * information, total.copy(), np.empty(size), np.empty(size)
    for r in range(size):
        for k in range(size):
            right[r] += both[r, k] * mean[k]
        both[r, r] += weight[r]
        noise[r] = spread[r] / both[r, r] ** 2
    eliminate(both, right, 0, size)
    solve(both, right, size, profile)
    return profile, noise


@njit
def _useful_rings(profile: Any, noise: Any) -> int:
    """Return how many rings hold `_USEFUL` of the information on the position."""
    useful = np.zeros(profile.size - 1)
    for k in range(1, profile.size - 1):
        useful[k] = useful[k - 1] + k * ((profile[k + 1] - profile[k - 1]) ** 2 - noise[k + 1] - noise[k - 1])
    most = useful[1:].max()
    k = 1
    while useful[k] < most - (1 - _USEFUL) * abs(most):
        k += 1
    return k
