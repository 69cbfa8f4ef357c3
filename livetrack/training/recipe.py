"""A recipe: the TOML file that says all of a model, from its particles to its training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct

from livetrack.errors import ConfigError
from livetrack.toml_file import TomlDocument

__all__ = ["Particles", "Recipe", "Scenes", "load_recipe", "log_uniform"]

Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Range = tuple[float, float]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """What all sections share: immutable, and strict about unknown keys. Ranges are [least, most]."""


class Particles(Section, frozen=True, kw_only=True):
    """`[particles]`: what they look like. Sizes and brightness are drawn log-uniformly."""

    contrast: Literal["bright", "dark", "either"] = "bright"
    size_px: Range
    """`spot`: the Gaussian's sigma; `bead`: the radius that scales the Bessel functions."""
    orders: Annotated[int, Meta(ge=1, le=8)] = 1
    """`bead`: Bessel functions summed; more give more rings."""
    elongation: Range = (1.0, 1.0)
    """`bead`: length over width, uniform."""
    airy: Share = 0.0
    """`spot`: share of scenes whose spots are Airy patterns, with the core of the Gaussian that they replace."""
    snr: Range = (2.0, 200.0)
    """Height over the background / standard deviation of the background's noise."""
    variety: Positive = 0.4
    """Spread among the particles of one scene: of log brightness, of the orders' weights; a third of it for size."""
    count: tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=1)]] = (0, 16)
    """Particles in a scene; count + 1 is log-uniform, so that from 0 to 16 a quarter of the scenes is empty."""
    apart: Positive = 2.0
    """Least distance of two centres, in sizes, and never below 2 px."""
    typical_diameter_px: Positive
    """What a person would call its size: written into the model, to choose one by."""


class Scenes(Section, frozen=True):
    """`[scenes]`: what is around the particles, and the camera."""

    size_px: Annotated[int, Meta(ge=32, le=512, multiple_of=8)] = 64
    background: Range = (1.0, 3000.0)
    """Photoelectrons per pixel, log-uniform; raised where dark particles could not be dark enough."""
    tilt: Range = (0.0, 1.0)
    """Change of the background across the scene over its mean; half of the scenes have none."""
    vignetting: Range = (0.0, 0.4)
    """Share of the light lost at the far corner or nearer to it; half of the scenes have none."""
    texture: Range = (0.1, 3.0)
    """Standard deviation of a smooth random structure over that of the noise, log-uniform; half have none."""
    texture_px: Range = (8.0, 40.0)
    """Size of that structure, log-uniform."""
    read_noise: Range = (0.5, 20.0)
    """Electrons rms, log-uniform."""
    noise_grey: Range = (0.3, 30.0)
    """Standard deviation of the noise in grey levels, log-uniform: it sets the camera's gain."""
    saturated: Share = 0.0
    """Share of scenes whose brightest pixels are cut off: a full camera, or too few bits."""
    smoothed: Share = 0.25
    """Share of scenes whose pixels are blurred after exposure, as colour cameras do."""
    compressed: Share = 0.0
    """Share of scenes that went through lossy compression."""
    compression: Range = (0.5, 6.0)
    """Its rounding step over the standard deviation of the noise, log-uniform."""
    hot_pixels: Annotated[int, Meta(ge=0)] = 2
    """Most hot pixels in a scene; half of the scenes have none."""


class Network(Section, frozen=True):
    """`[network]`: its size, and what it sees."""

    channels: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=1)]] = (32, 64)
    """At stride 4 and 8."""
    background_radius_px: Annotated[int, Meta(ge=3, le=255)] = 15
    """Of the box whose mean is taken off: wider than the particles."""
    crop_px: Annotated[int, Meta(ge=16, le=256, multiple_of=8)] = 32
    """Side of the crops about known particles."""


class Training(Section, frozen=True):
    """`[training]`: how long and how."""

    steps: Annotated[int, Meta(ge=1)] = 50_000
    batch: Annotated[int, Meta(ge=1)] = 16
    """Scenes a step."""
    learning_rate: Positive = 0.002
    """At its height: it rises over the first 2 % and falls to zero along a cosine."""


class Recipe(Section, frozen=True, kw_only=True):
    """All of a model."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]
    family: Literal["spot", "bead"]
    description: str = ""
    threshold: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """Least score of a particle, unless the user sets another: where missed and false ones balance."""
    seed: Annotated[int, Meta(ge=0)] = 1
    particles: Particles
    scenes: Scenes = Scenes()
    network: Network = Network()
    training: Training = Training()


def log_uniform(rng: np.random.Generator, bounds: Range) -> float:
    """Draw a number whose logarithm is uniform between those of `bounds`."""
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    Raises
    ------
    ConfigError
        The file is missing, is not TOML, or has a key or value that is wrong: one line with file, line and key.
    """
    document = TomlDocument(path)
    recipe = document.convert(Recipe)
    for section in ("particles", "scenes"):
        for key, value in ((name, getattr(getattr(recipe, section), name)) for name in _RANGES[section]):
            if not 0 <= value[0] <= value[1] or (value[0] == 0 and key not in _MAY_BE_ZERO):
                place = document.where((section, key))
                raise ConfigError(f"{place}: [{section}.{key}] = {list(value)}: expected [least, most], both above 0")
    return recipe


_RANGES = {
    "particles": ("size_px", "elongation", "snr", "count"),
    "scenes": ("background", "tilt", "vignetting", "texture", "texture_px", "read_noise", "noise_grey", "compression"),
}
_MAY_BE_ZERO = ("count", "tilt", "vignetting")
