"""Accuracy of a model on new scenes of its recipe."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.localize.localizer import Localizer
from livetrack.particles import Rows
from livetrack.training.recipe import Recipe, without_crystals
from livetrack.training.scenes import Scene, draw_scene

__all__ = ["IMAGE_SIDE_PX", "MATCH_RADIUS_PX", "Accuracy", "Validation", "match_rows", "validate"]

MATCH_RADIUS_PX = 3.0
"""Max distance between a particle and its localisation."""

IMAGE_SIDE_PX = 128
"""Side of the images."""

_SNR_EDGES = (1, 2, 3, 5, 10, 20, 50, 100, np.inf)
_SEED = 20_000  # distinct from that of training


class Accuracy(Struct, frozen=True):
    """Accuracy for particles of one range of SNR: peak intensity / standard deviation of the background noise.

    Errors are those of the particles found, NaN if there were none; `recall` is NaN without particles.
    """

    snr_from: float
    snr_to: float
    particles: int
    recall: float
    false_fraction: float
    """Fraction of the rows with an SNR in this range that are no particle."""
    rmse_px: float
    """Per axis."""
    median_px: float
    """Median absolute error per axis times 1.4826: like the RMSE, but insensitive to outliers by crowding."""
    bias_px: float
    """Larger mean error, of x and y."""
    spread: float
    """Robust standard deviation of error / x_std: 1 if the uncertainties are right."""


class Validation(NamedTuple):
    """Accuracy for all particles of SNR 1 and above, and by SNR; ranges without particles are omitted."""

    overall: Accuracy
    by_snr: list[Accuracy]


def validate(localizer: Localizer, recipe: Recipe, scenes: int = 200) -> Validation:
    """Return the accuracy on `scenes` images of `IMAGE_SIDE_PX`, without crystals."""
    recipe = without_crystals(recipe)
    rng = np.random.default_rng(recipe.seed + _SEED)
    found: list[npt.NDArray[np.float64]] = []
    false: list[npt.NDArray[np.float64]] = []
    for _ in range(scenes):
        scene = draw_scene(recipe, rng, IMAGE_SIDE_PX, IMAGE_SIDE_PX)
        rows = localizer.find(scene.image)
        owner = match_rows(scene, rows)
        found.append(_errors(scene, rows, owner))
        unmatched = np.setdiff1d(np.arange(len(rows)), owner)
        false.append(np.abs(rows["intensity"][unmatched]) / scene.noise)
    errors, false_snr = np.concatenate(found), np.concatenate(false)
    ranges = [_accuracy(errors, false_snr, *edges) for edges in pairwise(_SNR_EDGES)]
    overall = _accuracy(errors, false_snr, _SNR_EDGES[0], _SNR_EDGES[-1])
    return Validation(overall, [accuracy for accuracy in ranges if accuracy.particles])


def match_rows(scene: Scene, rows: Rows) -> npt.NDArray[np.int64]:
    """Return (N,) row of each particle, -1 for none: the nearest free row, brightest particle first."""
    owner = np.full(scene.x.size, -1)
    free = np.ones(len(rows), bool)
    for n in np.argsort(-np.abs(scene.intensity)):
        distance = np.where(free, np.hypot(rows["x"] - scene.x[n], rows["y"] - scene.y[n]), np.inf)
        if distance.size and distance.min() < MATCH_RADIUS_PX:
            owner[n] = distance.argmin()
            free[owner[n]] = False
    return owner


def _errors(scene: Scene, rows: Rows, owner: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return (N, 5): SNR, errors of x and y in px and in units of their uncertainty; NaN if not found."""
    table = np.full((scene.x.size, 5), np.nan)
    table[:, 0] = np.abs(scene.intensity) / scene.noise
    found = owner >= 0
    matched = rows[owner[found]]
    table[found, 1] = matched["x"] - scene.x[found]
    table[found, 2] = matched["y"] - scene.y[found]
    table[found, 3] = table[found, 1] / matched["x_std"]
    table[found, 4] = table[found, 2] / matched["y_std"]
    return table


def _accuracy(
    errors: npt.NDArray[np.float64], false_snr: npt.NDArray[np.float64], snr_from: float, snr_to: float
) -> Accuracy:
    particles = errors[(errors[:, 0] >= snr_from) & (errors[:, 0] < snr_to)]
    found = particles[~np.isnan(particles[:, 1])]
    false = int(((false_snr >= snr_from) & (false_snr < snr_to)).sum())
    return Accuracy(
        snr_from=snr_from,
        snr_to=snr_to,
        particles=len(particles),
        recall=len(found) / len(particles) if len(particles) else math.nan,
        false_fraction=false / max(1, false + len(found)),
        rmse_px=float(np.sqrt((found[:, 1:3] ** 2).mean())) if len(found) else math.nan,
        median_px=_spread(found[:, 1:3]),
        bias_px=float(np.abs(found[:, 1:3].mean(axis=0)).max()) if len(found) else math.nan,
        spread=_spread(found[:, 3:5]),
    )


def _spread(values: npt.NDArray[np.float64]) -> float:
    """Return the standard deviation about zero that a Gaussian of this median absolute value has."""
    return 1.4826 * float(np.median(np.abs(values))) if values.size else math.nan
