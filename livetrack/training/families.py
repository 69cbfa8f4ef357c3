"""How the particles of each family look: drawn once for a scene, then painted wherever they are wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.optics.bead import add_beads
from livetrack.optics.rod import add_rods
from livetrack.optics.spot import add_spots, unit_spot_peak
from livetrack.optics.template import add_templates
from livetrack.training.recipe import Particles, Recipe, log_uniform

__all__ = ["Appearance", "draw_appearance"]

Doubles: TypeAlias = npt.NDArray[np.float64]


class Appearance(NamedTuple):
    """What the particles of a scene look like, all but their places and brightness.

    `render(photons, x, y, amplitude)` adds them to an image (H, W) in place, all parts (N,), each particle with this
    extreme over the background. `angle` (N,) is that of the long axis, rad from x towards y, NaN where there is none.
    """

    render: Callable[[npt.NDArray[np.float32], Doubles, Doubles, Doubles], None]
    angle: Doubles


_AIRY_RADIUS = 1 / 1.32  # of a Gaussian's sigma, for the same core (Zhang et al., Applied Optics 46, 1819 (2007))
_LONG = 1.2  # length over width from which on a rod has a long axis


def draw_appearance(recipe: Recipe, rng: np.random.Generator, size: Doubles) -> Appearance:
    """Draw what particles of `size` (N,) px look like."""
    return _FAMILIES[recipe.family](recipe.particles, rng, size)


def _spots(kind: Particles, rng: np.random.Generator, size: Doubles) -> Appearance:
    """Draw Gaussians, or in some scenes the Airy patterns that have the same core."""
    amount = 1 / unit_spot_peak(size)
    nowhere = np.full(size.size, math.nan)
    if rng.random() >= kind.airy:
        return Appearance(lambda photons, x, y, amplitude: add_spots(photons, x, y, size, amplitude * amount), nowhere)
    radius, order, core = _AIRY_RADIUS * size, np.ones((size.size, 1)), amount / (2 * math.pi * size**2)
    return Appearance(
        lambda photons, x, y, amplitude: add_beads(photons, x, y, radius, order, amplitude * core), nowhere
    )


def _beads(kind: Particles, rng: np.random.Generator, size: Doubles) -> Appearance:
    """Draw sums of Bessel functions, a little elliptical: alike within a scene, higher orders weaker."""
    falling = rng.uniform(0.2, 0.7) ** np.arange(kind.orders)
    common = rng.standard_normal(kind.orders)
    own = kind.variety * rng.standard_normal((size.size, kind.orders))
    weights = (common + own) * falling
    elongation = rng.uniform(*kind.elongation, size.size)
    angle = rng.uniform(0, math.pi, size.size)

    def render(photons: npt.NDArray[np.float32], x: Doubles, y: Doubles, amplitude: Doubles) -> None:
        add_beads(photons, x, y, size, weights, amplitude, elongation, angle)

    return Appearance(render, np.full(size.size, math.nan))


def _rods(kind: Particles, rng: np.random.Generator, size: Doubles) -> Appearance:
    """Draw rods that lie in any direction, seen through the same blur."""
    elongation = rng.uniform(*kind.elongation, size.size)
    angle = rng.uniform(0, math.pi, size.size)
    blur = np.full(size.size, log_uniform(rng, kind.blur_px))

    def render(photons: npt.NDArray[np.float32], x: Doubles, y: Doubles, amplitude: Doubles) -> None:
        add_rods(photons, x, y, size, elongation, angle, blur, amplitude)

    return Appearance(render, np.where(elongation >= _LONG, angle, math.nan))


def _pictured(kind: Particles, rng: np.random.Generator, size: Doubles) -> Appearance:
    """Draw particles that look as in the recipe's picture, resized and, if they turn, turned."""
    assert kind.picture is not None, "load_recipe puts it in"
    template = kind.picture.template(kind.centre)
    scale = size / kind.typical_diameter_px
    angle = rng.uniform(0, 2 * math.pi, size.size) if kind.turns else np.zeros(size.size)

    def render(photons: npt.NDArray[np.float32], x: Doubles, y: Doubles, amplitude: Doubles) -> None:
        add_templates(photons, x, y, template, scale, angle, amplitude)

    return Appearance(render, np.full(size.size, math.nan))


_FAMILIES = {"spot": _spots, "bead": _beads, "rod": _rods, "template": _pictured}
