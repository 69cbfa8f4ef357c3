"""Where the particles of an image lie, if neither on a grid nor at random: touching crystals and close pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from livetrack.bench.accuracy.shapes import Floats

__all__ = ["Lattice", "Layout", "crystals", "pairs", "square_grid"]

Layout: TypeAlias = Callable[[int, np.random.Generator], tuple[Floats, Floats]]
"""(side in px, random generator) -> x and y of the particles, (N,)."""

Lattice: TypeAlias = Literal["hexagonal", "square"]

_CRYSTAL_PITCH_PX = 102
_CRYSTAL_RADIUS = 5.5  # in spacings: about 100 particles
_DISORDER = 0.05  # standard deviation of each particle's place, in spacings
_PAIR_PITCH_PX = 42


def crystals(spacing_px: float, lattice: Lattice) -> Layout:
    """Return a layout of round patches of a lattice, each turned at random, with slight disorder."""
    steps = np.arange(-8.0, 9.0)
    x, y = (axis.ravel() for axis in np.meshgrid(steps, steps))
    if lattice == "hexagonal":
        x, y = x + y / 2, y * math.sqrt(3) / 2
    near = np.hypot(x, y) < _CRYSTAL_RADIUS
    x, y = x[near], y[near]

    def layout(side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        centres_x, centres_y = square_grid(side, _CRYSTAL_PITCH_PX)
        angle = rng.uniform(0, 2 * math.pi, (centres_x.size, 1))
        shift_x, shift_y = rng.uniform(-0.5, 0.5, (2, centres_x.size, 1))
        disorder_x, disorder_y = rng.normal(0, _DISORDER, (2, centres_x.size, x.size))
        turned_x = np.cos(angle) * x - np.sin(angle) * y + shift_x + disorder_x
        turned_y = np.sin(angle) * x + np.cos(angle) * y + shift_y + disorder_y
        places_x, places_y = centres_x[:, None] + spacing_px * turned_x, centres_y[:, None] + spacing_px * turned_y
        return places_x.ravel(), places_y.ravel()

    return layout


def pairs(distance_px: float) -> Layout:
    """Return a layout of isolated pairs in random directions."""

    def layout(side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        x, y = square_grid(side, _PAIR_PITCH_PX)
        x, y = x + rng.uniform(-5, 5, x.size), y + rng.uniform(-5, 5, y.size)
        angle = rng.uniform(0, 2 * math.pi, x.size)
        across, down = distance_px / 2 * np.cos(angle), distance_px / 2 * np.sin(angle)
        return np.concatenate([x - across, x + across]), np.concatenate([y - down, y + down])

    return layout


def square_grid(side: int, pitch_px: int) -> tuple[Floats, Floats]:
    """Return x and y of the centres of squares of about `pitch_px` that fill the image."""
    count = side // pitch_px
    centres = (np.arange(count) + 0.5) * (side / count) - 0.5
    x, y = (axis.ravel() for axis in np.meshgrid(centres, centres))
    return x, y
