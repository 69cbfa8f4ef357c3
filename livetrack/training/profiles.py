"""Radial profiles of a recipe's particles: the prior of the profile fit."""

from __future__ import annotations

import numpy as np

from livetrack.localize.refine.radial import radial_profile
from livetrack.training.recipe import Recipe
from livetrack.training.sections import log_uniform

__all__ = ["draw_profiles"]

_COUNT = 64
_DIGITS = 4
_REACH = 4.0  # typical diameters: half side of the image drawn
_MIN_PX, _MAX_PX = 12, 30
_SCALE = 1000.0  # photoelectrons: large enough that rounding to float32 does not matter


def draw_profiles(recipe: Recipe, seed: int) -> list[list[float]]:
    """Return (M, S) profiles of random particles of `recipe`, of intensity 1, at 0, PROFILE_STEP_PX, ... px.

    Empty for particles that are not round.
    """
    if recipe.symmetry != "round":
        return []
    rng = np.random.default_rng(seed)
    reach = round(min(max(_REACH * recipe.particles.typical_diameter_px, _MIN_PX), _MAX_PX))
    profiles = []
    for _ in range(_COUNT):
        appearance = recipe.draw_appearance(rng, np.array([log_uniform(rng, recipe.particles.size_px)]))
        photons = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        appearance.render(photons, np.array([float(reach)]), np.array([float(reach)]), np.array([_SCALE]))
        profiles.append(radial_profile(photons / _SCALE, reach - 1.0))
    return [[round(float(value), _DIGITS) for value in profile] for profile in profiles]
