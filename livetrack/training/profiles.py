"""The radial profiles of a recipe's particles: what the fit of positions knows of them before it sees an image."""

from __future__ import annotations

import numpy as np

from livetrack.localize.refine.radial import radial_profile
from livetrack.training.families import draw_appearance
from livetrack.training.recipe import Recipe, log_uniform

__all__ = ["draw_profiles"]

_COUNT = 64
_DIGITS = 4
_REACH = 4.0  # radius of the picture that is drawn, in typical diameters
_LEAST_PX, _MOST_PX = 12, 30
_SCALE = 1000.0  # photoelectrons: what single precision rounds does not show


def draw_profiles(recipe: Recipe, seed: int) -> list[list[float]]:
    """Return (M, S) profiles of particles of `recipe`, of height 1, at 0, PROFILE_STEP_PX ... px; seeded.

    The height is the particle's extreme over the background, as in a row's intensity. None are drawn of particles
    that are not round.
    """
    if recipe.symmetry != "round":
        return []
    rng = np.random.default_rng(seed)
    reach = round(min(max(_REACH * recipe.particles.typical_diameter_px, _LEAST_PX), _MOST_PX))
    profiles = []
    for _ in range(_COUNT):
        appearance = draw_appearance(recipe, rng, np.array([log_uniform(rng, recipe.particles.size_px)]))
        photons = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        appearance.render(photons, np.array([float(reach)]), np.array([float(reach)]), np.array([_SCALE]))
        profiles.append(radial_profile(photons / _SCALE, reach - 1.0))
    return [[round(float(value), _DIGITS) for value in profile] for profile in profiles]
