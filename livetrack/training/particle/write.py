"""Writes the recipe of a particle: its average as an image, and ranges around what was measured."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import tifffile

from livetrack.errors import UsageError, reason
from livetrack.training.particle.align import AlignedParticle
from livetrack.whole_file import replacing, write_whole

__all__ = ["write_recipe"]

_SIZES = 0.9, 1.1  # of the measured diameter
_MAX_FAINTEST_SNR, _LEAST_SNR = 5.0, 1.5  # the faintest to be found is at most the first, and above the second
_FAINTER, _BRIGHTER, _MIN_BRIGHTEST_SNR = 5.0, 3.0, 20.0
_SCENE_PX = 64
_MAX_COUNT, _MAX_COVERED = 12, 0.3  # particles in a scene, and the part of it that they may cover
_BACKGROUND_PX, _CROP_PX = 31, 48  # for particles up to these sizes
_WIDER = 1.25

_RECIPE = """\
# Made from {used} images of one particle by `livetrack learn`: SNR {snr:.1f}, diameter {diameter:.1f} px.
# To train again, longer: livetrack train {file} -o {name}.onnx --minutes 30

name = "{name}"
family = "template"
description = {description}

[particles]
template = {template}
centre = "picture"
typical_diameter_px = {diameter:.2f}
size_px = [{smallest:.2f}, {largest:.2f}]
turns = {turns}
symmetry = "{symmetry}"
snr = [{faintest:.1f}, {brightest:.1f}]
variety = 0.2
count = [0, {count}]
apart = 0.8

[scenes]
size_px = {scene}
background = [20.0, 5000.0]
smoothed = 0.2
compressed = 0.15

[network]
background_radius_px = {background}
crop_px = {crop}

[training]
start = {start}
batch = {batch}
learning_rate = {rate}
"""


def write_recipe(recipe: Path, particle: AlignedParticle, start: str) -> None:
    """Write `recipe`, a .toml file, and next to it the average of the particle's crops, a .tif file.

    Parameters
    ----------
    recipe
        File to write.
    particle
        The particle; the recipe is for others like it, from faint to brighter ones.
    start
        Model that the training begins with.

    Raises
    ------
    UsageError
        A file cannot be written.
    """
    image, side = recipe.with_suffix(".tif"), particle.image.shape[0]
    scene = _multiple_of_8(max(_SCENE_PX, 2 * side))
    most = _MAX_COVERED * scene**2 / (math.pi / 4 * particle.diameter_px**2)
    text = _RECIPE.format(
        used=particle.used,
        snr=abs(particle.snr),
        diameter=particle.diameter_px,
        file=recipe.name,
        name=_model_name(recipe.stem),
        description=_quoted(f"particles as in {image.name}"),
        template=_quoted(image.name),
        smallest=_SIZES[0] * particle.diameter_px,
        largest=_SIZES[1] * particle.diameter_px,
        turns="false" if particle.symmetry == "round" else "true",
        symmetry=particle.symmetry,
        faintest=max(_LEAST_SNR, min(_MAX_FAINTEST_SNR, abs(particle.snr) / _FAINTER)),
        brightest=max(_MIN_BRIGHTEST_SNR, abs(particle.snr) * _BRIGHTER),
        count=min(_MAX_COUNT, math.ceil(most)),
        scene=scene,
        background=max(_BACKGROUND_PX, round(_WIDER * side / 2)),
        crop=_multiple_of_8(max(_CROP_PX, _WIDER * side)),
        start=_quoted(start),
        batch=16,
        rate=0.004,
    )
    try:
        with replacing(image) as unfinished:
            tifffile.imwrite(unfinished, particle.image.astype(np.float32))
        write_whole(recipe, text)
    except OSError as error:
        raise UsageError(f"{recipe}: cannot be written: {reason(error)}") from None


def _quoted(text: str) -> str:
    """Return `text` as a TOML string."""
    return json.dumps(text, ensure_ascii=False)


def _multiple_of_8(length: float) -> int:
    return 8 * math.ceil(length / 8)


def _model_name(stem: str) -> str:
    """Return a name that a recipe may have: small letters, digits and underscores, a letter first."""
    name = re.sub(r"[^a-z0-9_]+", "_", stem.lower()).strip("_")
    return name if name[:1].isalpha() else f"particle_{name}".rstrip("_")
