"""The mean profile of an image's particles, quickly, from means over rings."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.radial.ldl import eliminate, solve
from livetrack.localize.refine.radial.neighbours import brightest, neighbours, some, spacing
from livetrack.localize.refine.radial.profile_prior import ProfilePrior
from livetrack.localize.refine.radial.spline_tables import CORES, Knots, splines
from livetrack.localize.refine.radial.window_pixels import Image

__all__ = ["make_ring_tables", "typical_profile"]

Doubles = npt.NDArray[np.float64]

_SPACED = 100  # particles that the typical distance to a neighbour is found from
_SAMPLE = 12  # and the typical profile
_USEFUL = 0.98  # share of the information on the position that lies within it
_MARGIN, _MARGIN_PX = 1.25, 1.5  # beyond it, for the background
_BRIGHT = 10.0  # in units of the noise: what is brighter counts no more for the typical profile
_RING_PX = 0.45
_LOOK_PX = 2 * _RING_PX  # distance of the knots while the core is not known
_FAR = 0.8  # of the radius: beyond is background
_RADII_PX = [knots.core_px for knots in CORES]


def typical_profile(
    image: Image, places: Doubles, height: Doubles, wanted: npt.NDArray[np.bool_], prior: ProfilePrior, radius_px: float
) -> tuple[Knots, Doubles]:
    """Return knots, and (K,) the coefficients of the brightest's mean profile, for height 1, over the level beyond.

    The knots are one of `CORES`, which holds `_USEFUL` of the information on the position, sum of f'(r)^2 r, and a
    margin. What noise adds to that sum is taken off: of a faint particle it would stand for rings without end.

    Parameters
    ----------
    places, height
        (N, 2) x and y, px, and (N,) in units of the noise, as the network, and a look at the pixels, gave them.
    wanted
        (N,) which ones may be looked at.
    prior
        What is known of the profiles.
    radius_px
        Largest radius, px.
    """
    most = spacing(places[some(places, np.arange(len(places)), _SPACED)], places, radius_px)
    widest = CORES[max(bisect_right(_RADII_PX, most) - 1, 0)]
    rings = round(widest.core_px / _RING_PX)
    sample = brightest(height, wanted, _SAMPLE)
    sums, counts = np.zeros((sample.size, rings)), np.zeros((sample.size, rings))
    near = neighbours(places[sample], places, 2 * widest.core_px)
    _sum_rings(image.pixels, image.stuck, 1 / image.noise, places, sample, *near, sums, counts)
    said, weight, spread = _add_up(sums, counts, height[sample])

    look = _look(widest)
    form, noise = _fit_rings(*_splines_of_rings(look), *prior.of(look), sample.size, said, weight, spread)
    enough = _MARGIN * _useful_knots(form, noise) * _LOOK_PX + _MARGIN_PX
    knots = CORES[min(bisect_left(_RADII_PX, enough), CORES.index(widest))]
    form, _ = _fit_rings(*_splines_of_rings(knots), *prior.of(knots), sample.size, said, weight, spread)
    form -= form[-1]
    return knots, form


def make_ring_tables(knots: Knots, prior: ProfilePrior) -> None:
    """Make what `typical_profile` needs where it looks as far as `knots` reach, and where it chooses them."""
    for each in (knots, _look(knots)):
        _splines_of_rings(each)
        prior.of(each)


def _look(widest: Knots) -> Knots:
    """Return the knots that the profile has as long as its core is not known, but no larger than `widest`."""
    return Knots(round(widest.core_px / _LOOK_PX), _LOOK_PX)


@lru_cache(maxsize=64)
def _splines_of_rings(knots: Knots) -> tuple[Doubles, npt.NDArray[np.int64]]:
    """Return (K, R) the splines in the middle of each ring of the core, and (K,) the first ring of each."""
    middles = _RING_PX * (np.arange(round(knots.core_px / _RING_PX), dtype=np.float64) + 0.5)
    value = splines(middles, knots)[0]
    return value, (value > 0).argmax(axis=1)


@njit
def _sum_rings(
    pixels: Any, stuck: Any, scale: float, places: Any, sample: Any, start: Any, near: Any, sums: Any, counts: Any
) -> None:
    """Add up the grey levels, in units of the noise, and the pixels of each ring (S, R) about the places of `sample`.

    Pixels that are stuck or nearer to a neighbour are left out.
    """
    height, width = pixels.shape
    radius = sums.shape[1] * _RING_PX
    for s in range(sample.size):
        x, y = places[sample[s]]
        for i in range(max(0, math.ceil(y - radius)), min(height, math.ceil(y + radius))):
            reach = math.sqrt(max(0.0, radius * radius - (i - y) ** 2))
            for j in range(max(0, math.ceil(x - reach)), min(width, math.ceil(x + reach))):
                ring = int(math.sqrt((i - y) ** 2 + (j - x) ** 2) / _RING_PX)
                if ring >= sums.shape[1] or not stuck[0] < pixels[i, j] < stuck[1]:
                    continue
                own = True
                for k in range(start[s], start[s + 1]):
                    dx, dy = places[near[k], 0] - x, places[near[k], 1] - y
                    if (j - x) * dx + (i - y) * dy > 0.5 * (dx * dx + dy * dy):
                        own = False
                        break
                if own:
                    sums[s, ring] += scale * pixels[i, j]
                    counts[s, ring] += 1


@njit
def _add_up(sums: Any, counts: Any, height: Any) -> Any:
    """Return what all say of each ring, for height 1: weighed sums over the level, weights, and noise of the sums."""
    rings = sums.shape[1]
    said, weight, spread = np.zeros(rings), np.zeros(rings), np.zeros(rings)
    for s in range(height.size):
        far, pixels = 0.0, 0.0
        for r in range(int(_FAR * rings), rings):
            far += sums[s, r]
            pixels += counts[s, r]
        level = far / max(pixels, 1)
        bright = min(abs(height[s]), _BRIGHT) ** 2
        for r in range(rings):
            said[r] += bright / height[s] * (sums[s, r] - level * counts[s, r])
            weight[r] += bright * counts[s, r]
            spread[r] += (bright / height[s]) ** 2 * counts[s, r]
    return said, weight, spread


@njit
def _fit_rings(
    value: Any, begin: Any, information: Any, mean: Any, particles: int, said: Any, weight: Any, spread: Any
) -> Any:
    """Return (K,) the coefficients of what `_add_up` gave, and their variance by noise.

    The prior's `information` and `mean` hold for each of so many `particles`.
    """
    size, rings = value.shape
    both, right, form, noise = np.empty((size, size)), np.empty(size), np.empty(size), np.empty(size)
    for i in range(size):
        right[i], own, shaken = 0.0, 0.0, 0.0
        both[i, : i + 1] = particles * information[i, : i + 1]
        for k in range(size):
            right[i] += particles * information[i, k] * mean[k]
        for r in range(begin[i], rings):
            if value[i, r] == 0:
                break
            right[i] += value[i, r] * said[r]
            own += value[i, r] * weight[r]
            shaken += value[i, r] * spread[r]
            for k in range(i, -1, -1):
                if value[k, r] == 0:
                    break
                both[i, k] += value[i, r] * weight[r] * value[k, r]
        noise[i] = shaken / (own + particles * information[i, i]) ** 2
    eliminate(both, right, 0, size)
    solve(both, right, form)
    return form, noise


@njit
def _useful_knots(form: Any, noise: Any) -> int:
    """Return how many knots hold `_USEFUL` of the information on the position."""
    useful = np.zeros(form.size - 1)
    for k in range(1, form.size - 1):
        useful[k] = useful[k - 1] + k * ((form[k + 1] - form[k - 1]) ** 2 - noise[k + 1] - noise[k - 1])
    most = useful[1:].max()
    k = 1
    while useful[k] < most - (1 - _USEFUL) * abs(most):
        k += 1
    return k
