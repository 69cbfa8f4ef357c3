"""Conditions: one kind of image each, drawn repeatedly from a fixed seed until there are enough particles."""

from __future__ import annotations

import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from livetrack.bench.accuracy.layouts import Layout, square_grid
from livetrack.bench.accuracy.scene import Hints, Particles, Scene, crop_indices
from livetrack.bench.accuracy.shapes import Floats, Shape, bessel

__all__ = ["Condition", "DeepTrackImages", "EqualParticles", "Illumination", "image_count", "scenes"]

Illumination: TypeAlias = Callable[[int, np.random.Generator], Floats]
"""(side in px, random generator) -> factor on background and particles, (side, side)."""

_EXTENT_SIGMA = 8.0  # half width of a drawn particle, in sigma of the Gaussian nearest to it


@dataclass(frozen=True, kw_only=True)
class Condition(ABC):
    """One kind of image, `side_px` square: an element of a grid.

    Parameters
    ----------
    name
        Also the seed, so that the images are the same in every run: a new name gives new images.
    family
        Of the models to measure, "spot" or "bead".
    definition
        Content of the images and meaning of SNR.
    generator
        Origin of the particles' shape.
    half_width_px
        Of the crop for the bound.
    images
        Their number.
    """

    name: str
    grid: str
    family: str
    definition: str
    generator: str
    snr: float
    side_px: int = 512
    half_width_px: int = 15
    images: int = 9

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Scene:
        """Return a new image."""


def image_count(condition: Condition, quick: bool) -> int:
    """Return the number of images."""
    return math.ceil(condition.images / 8) if quick else condition.images


def scenes(condition: Condition, quick: bool = False) -> Iterator[Scene]:
    """Yield the images of `condition`, always the same ones; an eighth of them if `quick`."""
    rng = np.random.default_rng(zlib.crc32(condition.name.encode()))
    for _ in range(image_count(condition, quick)):
        yield condition.draw(rng)


@dataclass(frozen=True, kw_only=True)
class EqualParticles(Condition):
    """Images of equal particles, in grey levels.

    Parameters
    ----------
    size_px
        Of the shape.
    intensity, background
        Of a particle and below it, grey levels.
    read
        Standard deviation of additive noise, grey levels; 0: Poisson noise instead.
    pitch_px
        Of a grid of isolated particles, each shifted by up to an eighth of it; None: random positions.
    gradient
        Relative linear gradient of the background in a random direction; 1: from 0 at one side to twice the mean at
        the other.
    count
        Number of particles at random positions.
    margin_px
        Their min distance from the image's edge.
    layout
        Instead of a grid or random positions.
    """

    shape: Shape
    size_px: float
    sigma_px: float
    intensity: float
    background: float
    read: float = 0.0
    illumination: Illumination | None = None
    gradient: float = 0.0
    pitch_px: int | None = None
    count: int = 0
    margin_px: float = 3.0
    layout: Layout | None = None

    @property
    def is_crowded(self) -> bool:
        """Whether particles may overlap."""
        return self.pitch_px is None

    def draw(self, rng: np.random.Generator) -> Scene:
        """Return a new image of integer grey levels."""
        x, y = self._positions(rng)
        particles = Particles(self.shape, x, y, np.full(x.size, self.intensity), np.full(x.size, self.size_px))
        side = self.side_px
        illumination = np.ones((side, side)) if self.illumination is None else self.illumination(side, rng)
        background = illumination * self.background * (1 + self.gradient * _ramp(self.side_px, rng))
        expected = background + illumination * _image(particles, side, math.ceil(_EXTENT_SIGMA * self.sigma_px))
        if self.read:
            image = np.rint(rng.normal(expected, self.read))
            variance = np.full(expected.shape, self.read**2)
        else:
            variance = np.maximum(expected, 0)
            image = rng.poisson(variance)
        shot, read = (0.0, self.read**2) if self.read else (1.0, 0.0)
        hints = Hints(_diameter(self.sigma_px), self.sigma_px, self.intensity > 0, x.size, shot, read)
        return Scene(image.clip(0, 65535).astype(np.uint16), variance, illumination, particles, hints, background)

    def _positions(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        if self.layout:
            return self.layout(self.side_px, rng)
        if self.pitch_px:
            x, y = square_grid(self.side_px, self.pitch_px)
            shift = self.pitch_px / 8
            return x + rng.uniform(-shift, shift, x.size), y + rng.uniform(-shift, shift, y.size)
        low, high = self.margin_px - 0.5, self.side_px - 0.5 - self.margin_px
        return rng.uniform(low, high, self.count), rng.uniform(low, high, self.count)


@dataclass(frozen=True, kw_only=True)
class DeepTrackImages(Condition):
    """DeepTrack's image model: one particle in 51x51 px (Helgadottir, Argun, Volpe, Optica 6, 506 (2019)).

    Background 0.2-0.8 with a linear gradient, particle 4 n^2.5 (J_n(rho) / rho)^2 of intensity +-0.2-0.6, n 1 or 2,
    R 1.5-3 px, at N(0, 1) px from the centre; clipped to 0..1; noise Poisson(image SNR^2) / SNR^2. Clipped pixels carry
    no information, which the bound takes into account.
    """

    gradient: float = 0.0
    family: str = "bead"
    generator: str = "DeepTrack's Bessel functions, by SciPy"
    side_px: int = 51
    half_width_px: int = 27
    images: int = 2000

    def draw(self, rng: np.random.Generator) -> Scene:
        """Return a new image of floats, mostly between 0 and 1."""
        side = self.side_px
        x, y = side // 2 + rng.normal(size=2)
        angle = rng.uniform(0, 2 * math.pi)
        size = rng.uniform(1.5, 3)
        intensity = rng.uniform(0.2, 0.6) * rng.choice([-1, 1])
        steps = np.arange(side) - side // 2
        tilt = self.gradient * (steps * math.sin(angle) + steps[:, None] * math.cos(angle)) / (math.sqrt(2) * side)
        particles = Particles(
            bessel(1 if rng.random() < 0.5 else 2), *(np.array([value]) for value in (x, y, intensity, size))
        )
        expected = rng.uniform(0.2, 0.8) + tilt + _image(particles, side, 30)
        image = rng.poisson(expected.clip(0, 1) * self.snr**2) / self.snr**2
        variance = np.where((expected > 0) & (expected < 1), expected / self.snr**2, np.inf)
        hints = Hints(13, 3.0, intensity > 0, 1, 1 / self.snr**2, 0.0, centred=True)
        return Scene(image, variance, np.ones((side, side)), particles, hints)


def _ramp(side: int, rng: np.random.Generator) -> Floats:
    """Return a plane between -1 and 1 that rises in a random direction."""
    angle = rng.uniform(0, 2 * math.pi)
    steps = np.linspace(-1, 1, side)
    along = steps * math.cos(angle) + steps[:, None] * math.sin(angle)
    ramp: Floats = along / np.abs(along).max()
    return ramp


def _image(particles: Particles, side: int, half_width: int) -> Floats:
    """Return the sum of all particles, (side, side)."""
    image = np.zeros((side, side))
    columns, rows = crop_indices(particles.x, particles.y, half_width)
    dx, dy = columns - particles.x[:, None], rows - particles.y[:, None]
    crops = particles.intensity[:, None, None] * particles.shape(
        dx[:, None, :], dy[:, :, None], particles.size[:, None, None]
    )
    for n in range(particles.x.size):
        across, down = (columns[n] >= 0) & (columns[n] < side), (rows[n] >= 0) & (rows[n] < side)
        image[np.ix_(rows[n][down], columns[n][across])] += crops[n][np.ix_(down, across)]
    return image


def _diameter(sigma: float) -> int:
    return max(7, 2 * round(3 * sigma) + 1)
