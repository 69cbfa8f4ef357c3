"""Speed of a model."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.localize.localizer import Localizer
from livetrack.training.recipe import Recipe
from livetrack.training.scenes import draw_scene

__all__ = ["speed_line"]

_RUNS = 20
_SIDES = (64, 128, 512)
_SCENES = 64  # from which the one with most particles is chosen
_TILES = 8  # of 64x64 px along each side of the image with particles


def speed_line(localizer: Localizer, recipe: Recipe) -> str:
    """Return in one line the times of `localize` on images of noise and on one with particles."""
    rng = np.random.default_rng(0)
    parts = []
    for side in _SIDES:
        noise = rng.normal(1000, 10, (side, side)).astype(np.float32)
        parts.append(f"{side}x{side} in {_milliseconds(localizer, noise):.2g} ms")
    scenes = (draw_scene(recipe, np.random.default_rng(n), 64, 64) for n in range(_SCENES))
    fullest = max(scenes, key=lambda scene: len(localizer.find(scene.image)))
    image = np.tile(fullest.image, (_TILES, _TILES))
    milliseconds = _milliseconds(localizer, image)
    return f"{', '.join(parts)}, with {len(localizer.localize(image))} particles in {milliseconds:.2g} ms"


def _milliseconds(localizer: Localizer, image: npt.NDArray[Any]) -> float:
    """Return the shortest time of `localize`; other programs can only lengthen it."""
    localizer.warmup(image.shape, image.dtype)
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        localizer.localize(image)
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)
