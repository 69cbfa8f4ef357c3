"""A recipe: the TOML file that says all of a model, from its particles to its training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct, structs

from livetrack.errors import ConfigError, InputError
from livetrack.toml_file import TomlDocument
from livetrack.training.template_picture import TemplatePicture, read_template_picture

__all__ = ["FAMILIES_OF", "Particles", "Recipe", "Scenes", "load_recipe", "log_uniform"]

Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Range = tuple[float, float]
AtLeastOne = Annotated[float, Meta(ge=1)]
PartOf = Annotated[float, Meta(ge=0, lt=1)]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """What all sections share: immutable, and strict about unknown keys. Ranges are [least, most]."""


class Particles(Section, frozen=True, kw_only=True):
    """`[particles]`: what they look like. Sizes and brightness are drawn log-uniformly."""

    contrast: Literal["bright", "dark", "either"] = "bright"
    size_px: Range
    """`spot`: the Gaussian's sigma; `bead`: the radius that scales the Bessel functions; `rod`: the width; `template`:
    the diameter, which is `typical_diameter_px` in the picture."""
    airy: Share = 0.0
    """`spot`: share of scenes whose spots are Airy patterns, with the core of the Gaussian that they replace."""
    orders: Annotated[int, Meta(ge=1, le=8)] = 1
    """`bead`: Bessel functions summed; more give more rings."""
    elongation: tuple[AtLeastOne, AtLeastOne] = (1.0, 1.0)
    """`bead`, `rod`: length over width, uniform."""
    blur_px: Range = (0.8, 1.5)
    """`rod`: standard deviation of the optics' blur, the same for all in a scene, log-uniform."""
    template: str = ""
    """`template`: the picture of one particle, an image file; its place is told from the recipe's folder."""
    centre: Literal["light", "picture"] = "light"
    """`template`: what a position means: the centroid of what differs from the background, or the picture's middle."""
    turns: bool = True
    """`template`: the particle may have any orientation."""
    symmetry: Literal["round", "half turn", "none"] = "none"
    """`template`: whether it looks the same from all sides, or after half a turn, so that a fit may bring positions to
    the limit of the noise."""
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
    picture: TemplatePicture | None = None
    """What `template` names, put in by `load_recipe`."""


class Scenes(Section, frozen=True):
    """`[scenes]`: what is around the particles, and the camera."""

    size_px: Annotated[int, Meta(ge=32, le=512, multiple_of=8)] = 64
    background: Range = (1.0, 3000.0)
    """Photoelectrons per pixel, log-uniform; raised where dark particles could not be dark enough."""
    tilt: Range = (0.0, 1.0)
    """Change of the background across the scene over its mean; half of the scenes have none."""
    vignetting: tuple[PartOf, PartOf] = (0.0, 0.4)
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
    family: Literal["spot", "bead", "rod", "template"]
    description: str = ""
    threshold: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """Least score of a particle, unless the user sets another: where missed and false ones balance."""
    seed: Annotated[int, Meta(ge=0)] = 1
    particles: Particles
    scenes: Scenes = Scenes()
    network: Network = Network()
    training: Training = Training()

    @property
    def symmetry(self) -> Literal["round", "half turn", "none"]:
        """Whether the particles look the same from all sides, or nearly so, or after half a turn."""
        return _SYMMETRY.get(self.family, self.particles.symmetry)

    @property
    def oriented(self) -> bool:
        """Whether the particles have a long axis."""
        return self.family == "rod"


FAMILIES_OF = {
    "airy": ("spot",),
    "orders": ("bead",),
    "elongation": ("bead", "rod"),
    "blur_px": ("rod",),
    "contrast": ("spot", "bead", "rod"),
    **dict.fromkeys(("template", "centre", "turns", "symmetry"), ("template",)),
    "picture": (),
}
"""Keys of `[particles]` that say something of some families only."""


def log_uniform(rng: np.random.Generator, bounds: Range) -> float:
    """Draw a number whose logarithm is uniform between those of `bounds`."""
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe, and the picture that it may name.

    Raises
    ------
    ConfigError
        A file is missing or cannot be used, or a key or value is wrong: one line with file, line and key.
    """
    document = TomlDocument(path)
    recipe = document.convert(Recipe)
    _check_ranges(document, recipe)
    _check_family(document, recipe)
    if recipe.family != "template":
        return recipe
    return structs.replace(recipe, particles=_with_picture(document, recipe.particles))


_RANGES = {
    "particles": ("size_px", "elongation", "blur_px", "snr", "count"),
    "scenes": ("background", "tilt", "vignetting", "texture", "texture_px", "read_noise", "noise_grey", "compression"),
}
_MAY_BE_ZERO = ("count", "tilt", "vignetting")
_SYMMETRY: dict[str, Literal["round", "half turn"]] = {"spot": "round", "bead": "round", "rod": "half turn"}


def _check_ranges(document: TomlDocument, recipe: Recipe) -> None:
    for section in ("particles", "scenes"):
        for key, value in ((name, getattr(getattr(recipe, section), name)) for name in _RANGES[section]):
            if not 0 <= value[0] <= value[1] or (value[0] == 0 and key not in _MAY_BE_ZERO):
                place = document.where((section, key))
                raise ConfigError(f"{place}: [{section}.{key}] = {list(value)}: expected [least, most], both above 0")


def _check_family(document: TomlDocument, recipe: Recipe) -> None:
    """Tell keys that say nothing of this family's particles."""
    for key in document.data["particles"]:
        families = FAMILIES_OF.get(key, (recipe.family,))
        if recipe.family not in families:
            whose = f"a key of {' and '.join(families)}" if families else "not for recipes"
            place = document.where(("particles", key))
            raise ConfigError(f"{place}: [particles.{key}] is {whose}; this is a recipe of the family {recipe.family}")


def _with_picture(document: TomlDocument, particles: Particles) -> Particles:
    place = document.where(("particles", "template"))
    if not particles.template:
        raise ConfigError(f'{place}: [particles.template] is missing: name a picture of the particle, as "crop.tif"')
    assert document.path is not None
    try:
        picture = read_template_picture(document.path.parent / particles.template)
    except InputError as error:
        raise ConfigError(f"{place}: [particles.template]: {error}") from None
    contrast: Literal["bright", "dark"] = "bright" if picture.template(particles.centre).sign > 0 else "dark"
    return structs.replace(particles, picture=picture, contrast=contrast)
