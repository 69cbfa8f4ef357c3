"""Calibrates the scores of a new network on scenes of its recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import structs

from livetrack.localize.evidence.decision import decide
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.score_calibration import ScoreCalibration, fit_score_calibration
from livetrack.training.recipe import Recipe, without_crystals
from livetrack.training.scenes import Scene, draw_scene
from livetrack.training.validate import IMAGE_SIDE_PX, match_rows

__all__ = ["TYPICAL_WEIGHTS", "calibrate_scores", "filters_for", "fit_decision"]

TYPICAL_WEIGHTS = [0.4, 0.5, -2.0, -2.0, -2.6, 0.6, 1.4, -7.0, 0.3, 0.0, 0.8, 0.0, -4.7, 0.25]
"""Of the decision, before they are fitted."""

_SCENES = 200
_DECISION_SCENES, _DECISION_SIDE_PX = 240, 256
_FAINT_SNR, _ALIKE = 8.0, 0.07  # of plain images: largest SNR, and standard deviation of its logarithm
_SEED = 30_000  # distinct from those of training and validation
_MIN_SCORE = 0.05
_SMALLEST, _LARGEST = 1.12, 1.2  # the first and the last filter's sigma, over and under the recipe's limits
_FILTER_RATIO = 1.7  # largest, between neighbouring filters
_MOST_CANDIDATES = 5000  # in an image: a trained network has a tenth of that
_EDGE_PX = 3.0  # nearer to the edge, particles outside show too
_STEPS, _STEP = 6, 0.05  # their number, and by how much a weight is changed for a derivative
_PRIOR = 1.0  # of a weight: its inverse variance around the typical one

Doubles = npt.NDArray[np.float64]


def calibrate_scores(model: Path, recipe: Recipe, threads: int = 0) -> ScoreCalibration:
    """Return the score calibration of `model`, a file without one, run on so many threads (`NetworkLocalizer`).

    On scenes of the recipe without crystals, in which the same outputs of the network mean far less, and on such
    without structure in their background.
    """
    localizer = NetworkLocalizer(model, threshold=_MIN_SCORE, profile_fit=False, threads=threads)
    scores, intensities, is_particle = [], [], []
    recipe = without_crystals(recipe)
    for scene in _scenes([recipe, _plain(recipe)], _SCENES, IMAGE_SIDE_PX):
        rows = localizer.find(scene.image)
        scores.append(rows["score"])
        intensities.append(rows["intensity"] / scene.noise)
        is_particle.append(np.isin(np.arange(len(rows)), match_rows(scene, rows)))
    return fit_score_calibration(np.concatenate(scores), np.concatenate(intensities), np.concatenate(is_particle))


def filters_for(recipe: Recipe) -> list[float]:
    """Return the sigmas of the matched filters for the recipe's particles, px; none unless they are spots."""
    if recipe.family != "spot" or recipe.particles.contrast == "either":
        return []
    smallest, largest = recipe.particles.size_px
    first, last = min(_SMALLEST * smallest, largest), max(largest / _LARGEST, smallest)
    count = 1 + math.ceil(max(math.log(last / first), 0.0) / math.log(_FILTER_RATIO))
    return [round(float(sigma), 3) for sigma in np.geomspace(first, last, count)]


def fit_decision(model: Path, recipe: Recipe, threads: int = 0) -> list[float]:
    """Return the weights of the decision's features for `model`, a file with filters, run on so many threads.

    They are the most probable ones on scenes of the recipe, and on such without structure in their background; the
    typical ones for a network that has not learnt to tell particles from noise yet.
    """
    localizer = NetworkLocalizer(model, profile_fit=False, threads=threads)
    seen, is_particle, inner = [], [], []
    recipe = without_crystals(_crowded(recipe))
    for scene in _scenes([recipe, _plain(recipe)], _DECISION_SCENES, _DECISION_SIDE_PX):
        candidates, noise = localizer.candidates(scene.image)
        if len(candidates.rows) > _MOST_CANDIDATES:
            return TYPICAL_WEIGHTS
        seen.append((candidates, noise))
        is_particle.append(np.isin(np.arange(len(candidates.rows)), match_rows(scene, candidates.rows)))
        x, y = candidates.rows["x"], candidates.rows["y"]
        last = _DECISION_SIDE_PX - 1
        inner.append(np.minimum(np.minimum(x, last - x), np.minimum(y, last - y)) > _EDGE_PX)
    truth, used = np.concatenate(is_particle), np.concatenate(inner)

    def logit(weights: Doubles) -> Doubles:
        score = np.concatenate([decide(candidates, noise, weights)[0] for candidates, noise in seen])[used]
        logits: Doubles = np.log(score / (1 - score))
        return logits

    return [round(float(weight), 4) for weight in _most_probable(logit, truth[used], np.array(TYPICAL_WEIGHTS))]


def _most_probable(logit: Callable[[Doubles], Doubles], truth: npt.NDArray[np.bool_], start: Doubles) -> Doubles:
    """Return the most probable weights of `logit`, near `start`, by Fisher scoring with differences as derivatives.

    The whole of `logit` is differentiated: a weight also moves the law that is found with it.
    """
    weights = start
    for _ in range(_STEPS):
        now = logit(weights)
        slopes = np.stack([(logit(weights + step) - now) / _STEP for step in _STEP * np.eye(weights.size)], axis=1)
        probability = 1 / (1 + np.exp(-now))
        gradient = slopes.T @ (truth - probability) - _PRIOR * (weights - start)
        curvature = (slopes.T * (probability * (1 - probability))) @ slopes + _PRIOR * np.eye(weights.size)
        weights = weights + np.linalg.solve(curvature, gradient).clip(-1, 1)
    return weights


def _crowded(recipe: Recipe) -> Recipe:
    """Return the recipe with as many particles in the larger image as there are in so many of its scenes."""
    low, high = recipe.particles.count
    area = (_DECISION_SIDE_PX / recipe.scenes.size_px) ** 2
    return structs.replace(recipe, particles=structs.replace(recipe.particles, count=(low, round(area * high))))


def _plain(recipe: Recipe) -> Recipe:
    """Return the recipe for images without structure in their background, of faint particles that are much alike."""
    low, high = recipe.particles.snr
    particles = structs.replace(
        recipe.particles, snr=(low, min(high, max(low, _FAINT_SNR))), variety=min(recipe.particles.variety, _ALIKE)
    )
    return structs.replace(recipe, particles=particles, scenes=structs.replace(recipe.scenes, plain=1.0))


def _scenes(recipes: list[Recipe], count: int, side_px: int) -> Iterator[Scene]:
    """Yield scenes of the recipes in turn."""
    rng = np.random.default_rng(recipes[0].seed + _SEED)
    for n in range(count):
        yield draw_scene(recipes[n % len(recipes)], rng, side_px, side_px)
