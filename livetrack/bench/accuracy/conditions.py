"""Cells: one kind of image each, drawn again and again from its own seed until there are particles enough."""

from __future__ import annotations

import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from livetrack.bench.accuracy.scene import Hints, Particles, Scene, windows
from livetrack.bench.accuracy.shapes import Floats, Shape, bessel

__all__ = ["Condition", "DeepTrackImages", "Fields", "Light", "scenes"]

Light: TypeAlias = Callable[[int, np.random.Generator], Floats]
"""(side in px, source of chance) -> what background and particles are multiplied by, (side, side)."""

_REACH_SIGMA = 8.0  # of a drawn particle, in the Gaussian's sigma that is nearest to it


@dataclass(frozen=True, kw_only=True)
class Condition(ABC):
    """What the grids are made of: images of one kind, `side_px` square.

    `name` is their seed too, so that they are the same in every run. `family` says which models it is for, "spot" or
    "bead", `definition` what is in the images and what SNR means, `generator` who makes the particles; `reach_px` is
    that of the bound's window, and `images` how many there are.
    """

    name: str
    grid: str
    family: str
    definition: str
    generator: str
    snr: float
    side_px: int = 512
    reach_px: int = 15
    images: int = 9

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Scene:
        """Return a new image."""


def scenes(condition: Condition, quick: bool = False) -> Iterator[Scene]:
    """Yield the images of `condition`, always the same ones; with `quick` an eighth of them."""
    rng = np.random.default_rng(zlib.crc32(condition.name.encode()))
    for _ in range(math.ceil(condition.images / 8) if quick else condition.images):
        yield condition.draw(rng)


@dataclass(frozen=True, kw_only=True)
class Fields(Condition):
    """Square images of equal particles, in grey levels.

    Parameters
    ----------
    size_px
        Of the shape.
    height, background
        Of a particle, and of what lies beneath, grey levels.
    read
        Standard deviation of additive noise, grey levels; 0 means Poisson noise instead.
    pitch_px
        Of the loose grid that isolated particles stand on, shifted by up to an eighth of it; None scatters them.
    gradient
        Linear, along any direction, added to the background: 1 takes it from 0 at one side to twice the mean at the
        other.
    count
        How many are scattered.
    margin_px
        From the image's edge.
    """

    shape: Shape
    size_px: float
    sigma_px: float
    height: float
    background: float
    read: float = 0.0
    light: Light | None = None
    gradient: float = 0.0
    pitch_px: int | None = None
    count: int = 0
    margin_px: float = 3.0

    def draw(self, rng: np.random.Generator) -> Scene:
        """Return a new image of whole grey levels."""
        x, y = self._on_a_grid(rng) if self.pitch_px else self._scattered(rng)
        particles = Particles(self.shape, x, y, np.full(x.size, self.height), np.full(x.size, self.size_px))
        light = np.ones((self.side_px, self.side_px)) if self.light is None else self.light(self.side_px, rng)
        beneath = self.background * (1 + self.gradient * _ramp(self.side_px, rng))
        expected = light * (beneath + _image(particles, self.side_px, math.ceil(_REACH_SIGMA * self.sigma_px)))
        if self.read:
            image = np.rint(rng.normal(expected, self.read))
            variance = np.full(expected.shape, self.read**2)
        else:
            variance = np.maximum(expected, 0)
            image = rng.poisson(variance)
        shot, read = (0.0, self.read**2) if self.read else (1.0, 0.0)
        hints = Hints(_diameter(self.sigma_px), self.sigma_px, self.height > 0, x.size, shot, read)
        return Scene(image.clip(0, 65535).astype(np.uint16), variance, light, particles, hints)

    def _on_a_grid(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        assert self.pitch_px
        count = self.side_px // self.pitch_px
        places = (np.arange(count) + 0.5) * (self.side_px / count) - 0.5
        x, y = (axis.ravel() for axis in np.meshgrid(places, places))
        shift = self.pitch_px / 8
        return x + rng.uniform(-shift, shift, x.size), y + rng.uniform(-shift, shift, y.size)

    def _scattered(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        low, high = self.margin_px - 0.5, self.side_px - 0.5 - self.margin_px
        return rng.uniform(low, high, self.count), rng.uniform(low, high, self.count)


@dataclass(frozen=True, kw_only=True)
class DeepTrackImages(Condition):
    """DeepTrack's image model: one particle in 51x51 px (Helgadottir, Argun, Volpe, Optica 6, 506 (2019)).

    Background 0.2-0.8 with a linear gradient, particle 4 n^2.5 (J_n(rho) / rho)^2 of height +-0.2-0.6, n 1 or 2,
    R 1.5-3 px, at N(0, 1) px from the centre; clipped to 0..1; noise Poisson(image SNR^2) / SNR^2. Where it is clipped
    the image says nothing of the position, and the bound knows that.
    """

    gradient: float = 0.0
    family: str = "bead"
    generator: str = "DeepTrack's Bessel functions, by SciPy"
    side_px: int = 51
    reach_px: int = 27
    images: int = 2000

    def draw(self, rng: np.random.Generator) -> Scene:
        """Return a new image of floats, mostly between 0 and 1."""
        side = self.side_px
        x, y = side // 2 + rng.normal(size=2)
        angle = rng.uniform(0, 2 * math.pi)
        size = rng.uniform(1.5, 3)
        height = rng.uniform(0.2, 0.6) * rng.choice([-1, 1])
        steps = np.arange(side) - side // 2
        tilt = self.gradient * (steps * math.sin(angle) + steps[:, None] * math.cos(angle)) / (math.sqrt(2) * side)
        particles = Particles(
            bessel(1 if rng.random() < 0.5 else 2), *(np.array([value]) for value in (x, y, height, size))
        )
        expected = rng.uniform(0.2, 0.8) + tilt + _image(particles, side, 30)
        image = rng.poisson(expected.clip(0, 1) * self.snr**2) / self.snr**2
        variance = np.where((expected > 0) & (expected < 1), expected / self.snr**2, np.inf)
        hints = Hints(13, 3.0, height > 0, 1, 1 / self.snr**2, 0.0, centred=True)
        return Scene(image, variance, np.ones((side, side)), particles, hints)


def _ramp(side: int, rng: np.random.Generator) -> Floats:
    """Return a plane between -1 and 1 that rises along any direction."""
    angle = rng.uniform(0, 2 * math.pi)
    steps = np.linspace(-1, 1, side)
    along = steps * math.cos(angle) + steps[:, None] * math.sin(angle)
    ramp: Floats = along / np.abs(along).max()
    return ramp


def _image(particles: Particles, side: int, reach: int) -> Floats:
    """Return the sum of all particles, (side, side)."""
    image = np.zeros((side, side))
    columns, rows = windows(particles.x, particles.y, reach)
    dx, dy = columns - particles.x[:, None], rows - particles.y[:, None]
    tall = particles.height[:, None, None] * particles.shape(
        dx[:, None, :], dy[:, :, None], particles.size[:, None, None]
    )
    for n in range(particles.x.size):
        right, below = (columns[n] >= 0) & (columns[n] < side), (rows[n] >= 0) & (rows[n] < side)
        image[np.ix_(rows[n][below], columns[n][right])] += tall[n][np.ix_(below, right)]
    return image


def _diameter(sigma: float) -> int:
    return max(7, 2 * round(3 * sigma) + 1)
