"""Sections of a recipe: `[particles]`, `[scenes]`, `[network]` and `[training]`."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

import numpy as np
from msgspec import Meta, Struct

from livetrack.training.template_picture import TemplatePicture

__all__ = ["Network", "Particles", "Scenes", "Section", "Symmetry", "Training", "log_uniform"]

Positive = Annotated[float, Meta(gt=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
FractionBelowOne = Annotated[float, Meta(ge=0, lt=1)]
AtLeastOne = Annotated[float, Meta(ge=1)]
Range = tuple[float, float]
Symmetry: TypeAlias = Literal["round", "half turn", "none"]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all sections: immutable, without unknown keys. Ranges are [min, max]."""


class Particles(Section, frozen=True, kw_only=True):
    """`[particles]`: their appearance and number. Sizes and intensities are drawn log-uniformly."""

    contrast: Literal["bright", "dark", "either"] = "bright"
    size_px: Range
    """`spot`: sigma of the Gaussian; `bead`: radius that scales the Bessel functions; `rod`: width; `template`:
    diameter, which is `typical_diameter_px` in the template image."""
    airy: Fraction = 0.0
    """`spot`: fraction of scenes with Airy patterns instead of Gaussians of the same core."""
    orders: Annotated[int, Meta(ge=1, le=8)] = 1
    """`bead`: number of Bessel functions summed; more give more rings."""
    single_order: Fraction = 0.0
    """`bead`: fraction of scenes whose beads have one order alone, the first or the second."""
    elongation: tuple[AtLeastOne, AtLeastOne] = (1.0, 1.0)
    """`bead`, `rod`: length over width, uniform."""
    blur_px: Range = (0.8, 1.5)
    """`rod`: standard deviation of the optical blur, the same for all rods in a scene, log-uniform."""
    template: str = ""
    """`template`: image file of one particle, relative to the recipe's folder."""
    centre: Literal["light", "picture"] = "light"
    """`template`: the point that a position refers to: the particle's centroid, or the centre of the image."""
    turns: bool = True
    """`template`: the particle may have any orientation."""
    symmetry: Symmetry = "none"
    """`template`: whether the particle is round, or unchanged by half a turn, so that a fit can refine positions to the
    limit set by noise."""
    snr: Range = (2.0, 200.0)
    """Peak intensity / standard deviation of the background noise."""
    faint: Fraction = 0.0
    """Fraction of scenes whose SNR is at most 6; in crystals it is at least 5."""
    variety: Positive = 0.4
    """Standard deviation among the particles of a scene of log intensity and of the orders' weights; of log size, a
    third of it."""
    count: tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=1)]] = (0, 16)
    """Particles in a scene; count + 1 is log-uniform, so that from 0 to 16 a quarter of the scenes is empty."""
    apart: Positive = 2.0
    """Min distance between two centres, in sizes; never below 1.5 px."""
    touching: Fraction = 0.0
    """Fraction of scenes with particles that touch: in one half a patch of a crystal, in the other half close pairs."""
    spacing: Range = (1.0, 2.0)
    """Distance between neighbours in a crystal, in sizes, uniform; never below 3 px. Pairs are one to three times
    `apart` from each other."""
    typical_diameter_px: Positive
    """Nominal size, stored in the model; it helps users to choose a model."""
    picture: TemplatePicture | None = None
    """Contents of the file `template`, filled in by `load_recipe`."""


class Scenes(Section, frozen=True):
    """`[scenes]`: background and camera."""

    size_px: Annotated[int, Meta(ge=32, le=512, multiple_of=8)] = 64
    background: Range = (1.0, 3000.0)
    """Photoelectrons per pixel, log-uniform; increased where dark particles need more light to absorb."""
    tilt: Range = (0.0, 1.0)
    """Change of the background across the scene / its mean; half of the scenes have none."""
    vignetting: tuple[FractionBelowOne, FractionBelowOne] = (0.0, 0.4)
    """Fraction of the light lost at the far corner or before it; half of the scenes have none."""
    texture: Range = (0.1, 3.0)
    """Standard deviation of a smooth random structure / that of the noise, log-uniform; half have none."""
    texture_px: Range = (8.0, 40.0)
    """Size of that structure, log-uniform."""
    read_noise: Range = (0.5, 20.0)
    """Electrons rms, log-uniform."""
    noise_grey: Range = (0.3, 30.0)
    """Standard deviation of the noise in grey levels, log-uniform; it sets the camera's gain."""
    saturated: Fraction = 0.0
    """Fraction of scenes whose brightest pixels are clipped, by a full well or too few bits."""
    smoothed: Fraction = 0.25
    """Fraction of scenes blurred after exposure, as colour cameras do."""
    compressed: Fraction = 0.0
    """Fraction of scenes with lossy compression."""
    compression: Range = (0.5, 6.0)
    """Rounding step of the compression / standard deviation of the noise, log-uniform."""
    hot_pixels: Annotated[int, Meta(ge=0)] = 2
    """Max number of hot pixels in a scene; half of the scenes have none."""
    plain: Fraction = 0.0
    """Fraction of scenes with particles that are nearly alike, on an even background, without artefacts but noise."""


class Network(Section, frozen=True):
    """`[network]`: size and input of the network."""

    channels: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=1)]] = (32, 64)
    """At stride 4 and 8."""
    background_radius_px: Annotated[int, Meta(ge=3, le=255)] = 15
    """Half side of the box whose mean is subtracted as background; wider than the particles."""
    input_scale: Positive = 1.0
    """Standard deviations of the noise up to which the input is linear; it is logarithmic beyond."""
    crop_px: Annotated[int, Meta(ge=16, le=256, multiple_of=8)] = 32
    """Side of the crops around known particles."""


class Training(Section, frozen=True):
    """`[training]`: beginning, length and learning rate."""

    start: str = ""
    """Model whose weights the training begins with: the name of a shipped one, or an .onnx file relative to the
    recipe's folder. It must have the same channels. Empty: random weights."""
    steps: Annotated[int, Meta(ge=1)] = 50_000
    batch: Annotated[int, Meta(ge=1)] = 16
    """Scenes per step."""
    learning_rate: Positive = 0.002
    """Peak value: it rises over the first 2 % of the training and falls to zero along a cosine."""


def log_uniform(rng: np.random.Generator, bounds: Range) -> float:
    """Draw a number whose logarithm is uniform between those of `bounds`."""
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
