"""Recipe: the TOML file that defines a model, from the appearance of its particles to the training."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, structs

from livetrack.errors import ConfigError, InputError, ModelError
from livetrack.localize.models import find_model
from livetrack.optics.drawing import Doubles
from livetrack.toml_file import TomlDocument
from livetrack.training.families import FAMILIES, Appearance
from livetrack.training.sections import Network, Particles, Scenes, Section, Symmetry, Training
from livetrack.training.template_picture import read_template_picture

__all__ = ["Recipe", "find_start", "keys_of_other_families", "load_recipe", "without_crystals"]


class Recipe(Section, frozen=True, kw_only=True):
    """All settings of a model."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]
    family: str
    """One of `FAMILIES`."""
    description: str = ""
    threshold: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """Default threshold of the score, at which missed and false particles balance."""
    seed: Annotated[int, Meta(ge=0)] = 1
    particles: Particles
    scenes: Scenes = Scenes()
    network: Network = Network()
    training: Training = Training()

    @property
    def symmetry(self) -> Symmetry:
        """Whether the particles are round, or nearly so, or unchanged by half a turn."""
        return FAMILIES[self.family].symmetry or self.particles.symmetry

    @property
    def oriented(self) -> bool:
        """Whether the particles have a long axis."""
        return FAMILIES[self.family].oriented

    def draw_appearance(self, rng: np.random.Generator, size: Doubles) -> Appearance:
        """Draw the appearance of particles of `size` (N,) px."""
        return FAMILIES[self.family].draw(self.particles, rng, size)


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe and the template image that it may name.

    Raises
    ------
    ConfigError
        A file is missing or unusable, or a key or value is wrong: one line with file, line and key.
    """
    document = TomlDocument(path)
    recipe = document.convert(Recipe)
    _check_ranges(document, recipe)
    _check_family(document, recipe)
    _check_start(document, recipe)
    if recipe.family != "template":
        return recipe
    return structs.replace(recipe, particles=_with_picture(document, recipe.particles))


def find_start(recipe_path: str | Path, recipe: Recipe) -> Path | None:
    """Return the model file that the training of `recipe` begins with, None for none. Raises `ModelError`."""
    start = recipe.training.start
    if not start:
        return None
    return find_model(Path(recipe_path).parent / start if start.endswith(".onnx") else start)


def without_crystals(recipe: Recipe) -> Recipe:
    """Return the recipe without crystals and close pairs: a crystal has as many particles as many other scenes."""
    return structs.replace(recipe, particles=structs.replace(recipe.particles, touching=0.0))


def keys_of_other_families(family: str) -> set[str]:
    """Return the keys of `[particles]` that have no meaning for `family`."""
    return set().union(*(other.keys for other in FAMILIES.values())) - set(FAMILIES[family].keys)


_RANGES = {
    "particles": ("size_px", "elongation", "blur_px", "snr", "count", "spacing"),
    "scenes": ("background", "tilt", "vignetting", "texture", "texture_px", "read_noise", "noise_grey", "compression"),
}
_MAY_BE_ZERO = ("count", "tilt", "vignetting")


def _check_ranges(document: TomlDocument, recipe: Recipe) -> None:
    for section, keys in _RANGES.items():
        for key in keys:
            low, high = getattr(getattr(recipe, section), key)
            if not 0 <= low <= high or (low == 0 and key not in _MAY_BE_ZERO):
                place = document.where((section, key))
                raise ConfigError(f"{place}: [{section}.{key}] = {[low, high]}: expected [min, max], both above 0")


def _check_family(document: TomlDocument, recipe: Recipe) -> None:
    """Reject unknown families and keys that belong to other families."""
    family = recipe.family
    if family not in FAMILIES:
        close = difflib.get_close_matches(family, FAMILIES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(FAMILIES)}"
        raise ConfigError(f"{document.where(('family',))}: [family] = {family!r}: unknown family; {hint}")
    for key in document.data["particles"]:
        place = f"{document.where(('particles', key))}: [particles.{key}]"
        if key == "picture":
            raise ConfigError(f"{place} cannot be set in a recipe; name an image file in template")
        if key in keys_of_other_families(family):
            owners = " and ".join(name for name, other in FAMILIES.items() if key in other.keys)
            raise ConfigError(f"{place} is a key of {owners}; this recipe is of family {family}")


def _check_start(document: TomlDocument, recipe: Recipe) -> None:
    assert document.path is not None
    try:
        find_start(document.path, recipe)
    except ModelError as error:
        raise ConfigError(f"{document.where(('training', 'start'))}: [training.start]: {error}") from None


def _with_picture(document: TomlDocument, particles: Particles) -> Particles:
    """Return `particles` with the template image, and the contrast that it has."""
    place = f"{document.where(('particles', 'template'))}: [particles.template]"
    if not particles.template:
        raise ConfigError(f'{place} is missing: name an image of the particle, for example "crop.tif"')
    assert document.path is not None
    try:
        picture = read_template_picture(document.path.parent / particles.template)
    except InputError as error:
        raise ConfigError(f"{place}: {error}") from None
    contrast: Literal["bright", "dark"] = "bright" if picture.template(particles.centre).sign > 0 else "dark"
    return structs.replace(particles, picture=picture, contrast=contrast)
