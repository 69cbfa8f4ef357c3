"""Calibrates the scores of a new network on scenes of its recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.score_calibration import ScoreCalibration, fit_score_calibration
from livetrack.training.recipe import Recipe
from livetrack.training.scenes import draw_scene
from livetrack.training.validate import IMAGE_SIDE_PX, match_rows

__all__ = ["calibrate_scores"]

_SCENES = 200
_SEED = 30_000  # distinct from those of training and validation
_MIN_SCORE = 0.05


def calibrate_scores(model: Path, recipe: Recipe, threads: int = 0) -> ScoreCalibration:
    """Return the score calibration of `model`, a file without one, run on so many threads (`NetworkLocalizer`)."""
    localizer = NetworkLocalizer(model, threshold=_MIN_SCORE, profile_fit=False, threads=threads)
    rng = np.random.default_rng(recipe.seed + _SEED)
    scores, intensities, is_particle = [], [], []
    for _ in range(_SCENES):
        scene = draw_scene(recipe, rng, IMAGE_SIDE_PX, IMAGE_SIDE_PX)
        rows = localizer.find(scene.image)
        scores.append(rows["score"])
        intensities.append(rows["intensity"] / scene.noise)
        is_particle.append(np.isin(np.arange(len(rows)), match_rows(scene, rows)))
    return fit_score_calibration(np.concatenate(scores), np.concatenate(intensities), np.concatenate(is_particle))
