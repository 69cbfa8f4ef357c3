"""The profile that an image's particles have on the whole, found at little cost: means over rings."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.profile_fit.neighbours import neighbours, spacing
from livetrack.localize.profile_fit.pixels import Image
from livetrack.localize.profile_fit.prior import ProfilePrior
from livetrack.localize.profile_fit.window import KNOT_PX, RUNGS, splines

__all__ = ["typical_profile"]

Doubles = npt.NDArray[np.float64]

_SPACED = 100  # particles that the typical distance to a neighbour is found from
_SAMPLE = 12  # and the typical profile
_USEFUL = 0.98  # share of the information on the position that lies within it
_MARGIN, _MARGIN_PX = 1.25, 1.5  # beyond it, for the background
_BRIGHT = 10.0  # in units of the noise: what is brighter counts no more for the typical profile
_RING_PX = KNOT_PX / 2
_FAR = 0.8  # of the radius: beyond is background


def typical_profile(
    image: Image, places: Doubles, height: Doubles, wanted: npt.NDArray[np.bool_], prior: ProfilePrior, radius_px: float
) -> Doubles:
    """Return (K,) the coefficients of the mean profile of the brightest, for height 1, over the level at its end.

    K is one of `RUNGS`, such that its core holds `_USEFUL` of the information on the position, sum of f'(r)^2 r, and a
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
    most = spacing(places[:: len(places) // _SPACED + 1], places, radius_px)
    knots = max((rung for rung in RUNGS if rung <= most / KNOT_PX), default=RUNGS[0])
    sample = np.argsort(-np.abs(height) * wanted, kind="stable")[:_SAMPLE]
    sample = sample[wanted[sample]]
    rings = 2 * knots
    sums, counts = np.zeros((sample.size, rings)), np.zeros((sample.size, rings))
    near = neighbours(places[sample], places, 2 * knots * KNOT_PX)
    _sum_rings(image.grey, image.stuck, 1 / image.noise, places, sample, *near, sums, counts)
    far = slice(int(_FAR * rings), None)
    level = sums[:, far].sum(axis=1) / np.maximum(counts[:, far].sum(axis=1), 1)
    bright = np.minimum(np.abs(height[sample]), _BRIGHT)
    said = (bright**2 / height[sample]) @ (sums - level[:, None] * counts)
    spline = _splines_of_rings(knots)
    information, mean = prior.of(knots)
    information = sample.size * information  # on the mean of so many
    both = (spline * (bright**2 @ counts)) @ spline.T + information
    form: Doubles = np.linalg.solve(both, spline @ said + information @ mean)
    pixels, spread = spline @ (bright**2 @ counts), spline @ ((bright**2 / height[sample]) ** 2 @ counts)
    noise = spread / (pixels + np.diag(information)) ** 2
    useful = np.cumsum(((form[2:] - form[:-2]) ** 2 - noise[2:] - noise[:-2]) * np.arange(1, knots - 1))
    last = 1 + int(np.argmax(useful >= useful.max() - (1 - _USEFUL) * abs(useful.max())))
    enough = _MARGIN * last + _MARGIN_PX / KNOT_PX
    form = form[: min((rung for rung in RUNGS if rung >= enough), default=knots)] - form[-1]
    form[-1] = 0
    return form


@lru_cache(maxsize=32)
def _splines_of_rings(knots: int) -> Doubles:
    """Return (K, 2 K) the splines in the middle of each ring."""
    middles = _RING_PX * (np.arange(2 * knots, dtype=np.float64) + 0.5)
    return splines(middles, knots)[0]


@njit
def _sum_rings(
    grey: Any, stuck: Any, scale: float, places: Any, sample: Any, start: Any, near: Any, sums: Any, counts: Any
) -> None:
    """Add up the grey levels, in units of the noise, and the pixels of each ring (S, R) about the places of `sample`.

    Pixels that are stuck or nearer to a neighbour are left out.
    """
    height, width = grey.shape
    radius = sums.shape[1] * _RING_PX
    for s in range(sample.size):
        x, y = places[sample[s]]
        for i in range(max(0, math.ceil(y - radius)), min(height, math.ceil(y + radius))):
            reach = math.sqrt(max(0.0, radius * radius - (i - y) ** 2))
            for j in range(max(0, math.ceil(x - reach)), min(width, math.ceil(x + reach))):
                ring = int(math.sqrt((i - y) ** 2 + (j - x) ** 2) / _RING_PX)
                if ring >= sums.shape[1] or not stuck[0] < grey[i, j] < stuck[1]:
                    continue
                own = True
                for k in range(start[s], start[s + 1]):
                    dx, dy = places[near[k], 0] - x, places[near[k], 1] - y
                    if (j - x) * dx + (i - y) * dy > 0.5 * (dx * dx + dy * dy):
                        own = False
                        break
                if own:
                    sums[s, ring] += scale * grey[i, j]
                    counts[s, ring] += 1
