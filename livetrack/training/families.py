"""How the particles of each family look: drawn once for a scene, then painted wherever they are wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.optics.bead import add_beads
from livetrack.optics.spot import add_spots, spot_height
from livetrack.training.recipe import Particles, Recipe

__all__ = ["Paint", "draw_particles"]

Doubles: TypeAlias = npt.NDArray[np.float64]

Paint: TypeAlias = Callable[[npt.NDArray[np.float32], Doubles, Doubles, Doubles], None]
"""`paint(photons, x, y, amplitude)` adds the particles, each with this extreme over the background."""

_AIRY_RADIUS = (
    1 / 1.32
)  # of a Gaussian's sigma: the Airy pattern nearest to it (Zhang et al., Appl. Opt. 46, 1819 (2007))


def draw_particles(recipe: Recipe, rng: np.random.Generator, size: Doubles) -> Paint:
    """Draw what particles of `size` (N,) px look like, all but their places and brightness."""
    return _FAMILIES[recipe.family](recipe.particles, rng, size)


def _spots(kind: Particles, rng: np.random.Generator, size: Doubles) -> Paint:
    """Draw Gaussians, or in some scenes the Airy patterns that have the same core."""
    amount = 1 / spot_height(size)
    if rng.random() >= kind.airy:
        return lambda photons, x, y, amplitude: add_spots(photons, x, y, size, amplitude * amount)
    order, core = np.ones((size.size, 1)), amount / (2 * math.pi * size**2)
    return lambda photons, x, y, amplitude: add_beads(photons, x, y, _AIRY_RADIUS * size, order, amplitude * core)


def _beads(kind: Particles, rng: np.random.Generator, size: Doubles) -> Paint:
    """Draw sums of Bessel functions, a little elliptical: alike within a scene, higher orders weaker."""
    falling = rng.uniform(0.2, 0.7) ** np.arange(kind.orders)
    common = rng.standard_normal(kind.orders)
    own = kind.variety * rng.standard_normal((size.size, kind.orders))
    weights = (common + own) * falling
    elongation = rng.uniform(*kind.elongation, size.size)
    angle = rng.uniform(0, math.pi, size.size)
    return lambda photons, x, y, amplitude: add_beads(photons, x, y, size, weights, amplitude, elongation, angle)


_FAMILIES = {"spot": _spots, "bead": _beads}
