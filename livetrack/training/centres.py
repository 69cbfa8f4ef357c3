"""Where the particles of a scene are: scattered, in close pairs, or in a patch of a crystal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.optics.drawing import Doubles
from livetrack.training.sections import Particles, log_uniform

__all__ = ["draw_centres"]

_MARGIN = 0.08  # fraction of the scene: particles are placed this far beyond its edge, so that the edge cuts some
_MIN_DISTANCE_PX = 1.5
_WIDEST_PAIR = 3.0  # times the min distance
_MIN_SPACING_PX = 3.0  # in a crystal
_MAX_RADIUS_PX = 64.0
_HEXAGONAL = 0.6  # fraction of the crystals; the others are square
_MAX_DISORDER = 0.12  # standard deviation of the centres, over the spacing
_MAX_VACANCIES = 0.2
_LOOSE = 4  # a crystal has this many times fewer particles around it than another scene


def draw_centres(
    particles: Particles, rng: np.random.Generator, size: float, width: int, height: int, *, crystal: bool
) -> Doubles:
    """Return the centres (N, 2), x and y, of particles of `size` px in a scene and its margin.

    Those too close to an earlier one are left out. Without a `crystal`, some scenes have close pairs, as often as
    `particles.touching` has them.
    """
    low, high = particles.count
    count = int((low + 1) * ((high + 2) / (low + 1)) ** rng.random()) - 1
    margin = _MARGIN * max(width, height)
    least, most = np.array((-margin, -margin)), np.array((width + margin, height + margin))
    centres = rng.uniform(least, most, (count, 2))
    apart = max(_MIN_DISTANCE_PX, particles.apart * size)
    if crystal:
        middle = rng.uniform((0, 0), (width, height))
        patch = middle + _draw_patch(rng, particles, size)
        inside = (patch > least).all(axis=1) & (patch < most).all(axis=1)
        centres = np.concatenate((patch[inside], centres[: count // _LOOSE]))
    elif rng.random() < particles.touching / 2:
        distance, angle = apart * rng.uniform(1, _WIDEST_PAIR, count), rng.uniform(0, 2 * math.pi, count)
        partners = centres + distance[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1)
        centres = np.concatenate((centres, partners[rng.random(count) < rng.random()]))
    kept: Doubles = centres[_far_from_earlier(centres, apart)]
    return kept


def _draw_patch(rng: np.random.Generator, particles: Particles, size: float) -> Doubles:
    """Draw a round patch of a lattice about (0, 0), with disorder and vacancies: (N, 2)."""
    spacing = max(_MIN_SPACING_PX, rng.uniform(*particles.spacing) * size)
    radius = 1 + log_uniform(rng, (1.0, max(1.0, _MAX_RADIUS_PX / spacing)))  # in spacings
    reach = math.ceil(1.5 * radius)
    column, row = (axis.ravel() for axis in np.meshgrid(*2 * [np.arange(-reach, reach + 1.0)]))
    if rng.random() < _HEXAGONAL:
        column, row = column + row % 2 / 2, math.sqrt(3) / 2 * row
    lattice = np.stack((column, row), axis=1) + rng.uniform(-0.5, 0.5, 2)
    lattice = lattice[np.hypot(*lattice.T) < radius]
    lattice = lattice[rng.random(len(lattice)) >= rng.uniform(0, _MAX_VACANCIES)]
    lattice += rng.uniform(0, _MAX_DISORDER) * rng.standard_normal(lattice.shape)
    angle = rng.uniform(0, 2 * math.pi)
    turned: Doubles = spacing * lattice @ [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    return turned


@njit
def _far_from_earlier(points: Any, distance: float) -> Any:
    """Return (N,) bool: whether each point is at least `distance` from all earlier ones that are kept."""
    kept = np.ones(len(points), np.bool_)
    for n in range(len(points)):
        for k in range(n):
            if kept[k] and (points[n, 0] - points[k, 0]) ** 2 + (points[n, 1] - points[k, 1]) ** 2 < distance**2:
                kept[n] = False
    return kept
