"""Particle families: how the particles of a recipe are drawn.

A family is a function that draws an `Appearance`, and its entry in `FAMILIES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from livetrack.optics.bead import add_beads
from livetrack.optics.drawing import Doubles, Photons
from livetrack.optics.rod import add_rods
from livetrack.optics.spot import add_spots, unit_spot_peak
from livetrack.optics.template import add_templates
from livetrack.training.sections import Particles, Symmetry, log_uniform

__all__ = ["FAMILIES", "Appearance", "Family"]


class Appearance(NamedTuple):
    """Appearance of the N particles of a scene: all but their positions and intensities.

    `render(photons, x, y, amplitude)` adds them to an image (H, W) in place, at (N,) positions and with (N,) peak
    intensities over the background. `angle` (N,) is the direction of the long axis, rad from x towards y, NaN where
    there is none.
    """

    render: Callable[[Photons, Doubles, Doubles, Doubles], None]
    angle: Doubles


class Family(NamedTuple):
    """Particle family of a recipe."""

    draw: Callable[[Particles, np.random.Generator, Doubles], Appearance]
    """`draw(particles, rng, size)`: the appearance of particles of `size` (N,) px."""
    keys: tuple[str, ...]
    """Keys of `[particles]` that are not for all families."""
    symmetry: Symmetry | None
    """None: the recipe sets it."""
    oriented: bool = False
    """Whether the particles have a long axis, which the network is to find."""


_AIRY_RADIUS = 1 / 1.32  # over a Gaussian's sigma, for the same core (Zhang et al., Applied Optics 46, 1819 (2007))
_MIN_ELONGATION = 1.2  # of a rod with a long axis


def _draw_spots(particles: Particles, rng: np.random.Generator, size: Doubles) -> Appearance:
    """Draw Gaussians or, in some scenes, the Airy patterns with the same core."""
    amount = 1 / unit_spot_peak(size)
    airy = rng.random() < particles.airy
    radius, order, core = _AIRY_RADIUS * size, np.ones((size.size, 1)), amount / (2 * math.pi * size**2)

    def render(photons: Photons, x: Doubles, y: Doubles, amplitude: Doubles) -> None:
        if airy:
            add_beads(photons, x, y, radius, order, amplitude * core)
        else:
            add_spots(photons, x, y, size, amplitude * amount)

    return Appearance(render, np.full(size.size, math.nan))


def _draw_beads(particles: Particles, rng: np.random.Generator, size: Doubles) -> Appearance:
    """Draw slightly elliptical sums of Bessel functions, similar within a scene; higher orders are weaker."""
    falling = rng.uniform(0.2, 0.7) ** np.arange(particles.orders)
    common = rng.standard_normal(particles.orders)
    individual = particles.variety * rng.standard_normal((size.size, particles.orders))
    weights = (common + individual) * falling
    if rng.random() < particles.single_order:
        weights[:] = np.arange(particles.orders) == rng.integers(min(2, particles.orders))
    elongation = rng.uniform(*particles.elongation, size.size)
    angle = rng.uniform(0, math.pi, size.size)

    def render(photons: Photons, x: Doubles, y: Doubles, amplitude: Doubles) -> None:
        add_beads(photons, x, y, size, weights, amplitude, elongation, angle)

    return Appearance(render, np.full(size.size, math.nan))


def _draw_rods(particles: Particles, rng: np.random.Generator, size: Doubles) -> Appearance:
    """Draw rods in any direction, all with the same blur."""
    elongation = rng.uniform(*particles.elongation, size.size)
    angle = rng.uniform(0, math.pi, size.size)
    blur = np.full(size.size, log_uniform(rng, particles.blur_px))

    def render(photons: Photons, x: Doubles, y: Doubles, amplitude: Doubles) -> None:
        add_rods(photons, x, y, size, elongation, angle, blur, amplitude)

    return Appearance(render, np.where(elongation >= _MIN_ELONGATION, angle, math.nan))


def _draw_templates(particles: Particles, rng: np.random.Generator, size: Doubles) -> Appearance:
    """Draw resized and, if `turns`, rotated copies of the template image."""
    assert particles.picture is not None, "load_recipe reads it"
    template = particles.picture.template(particles.centre)
    scale = size / particles.typical_diameter_px
    angle = rng.uniform(0, 2 * math.pi, size.size) if particles.turns else np.zeros(size.size)

    def render(photons: Photons, x: Doubles, y: Doubles, amplitude: Doubles) -> None:
        add_templates(photons, x, y, template, scale, angle, amplitude)

    return Appearance(render, np.full(size.size, math.nan))


FAMILIES = {
    "spot": Family(_draw_spots, ("contrast", "airy"), "round"),
    "bead": Family(_draw_beads, ("contrast", "orders", "single_order", "elongation"), "round"),
    "rod": Family(_draw_rods, ("contrast", "elongation", "blur_px"), "half turn", oriented=True),
    "template": Family(_draw_templates, ("template", "centre", "turns", "symmetry"), None),
}
"""Families by the name that a recipe gives."""
