"""How good a model is, on scenes of its recipe that it was not trained on."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.localize.localizer import Localizer
from livetrack.particles import Rows
from livetrack.training.recipe import Recipe
from livetrack.training.scenes import Scene, draw_scene

__all__ = ["IMAGE_SIDE_PX", "MATCH_RADIUS_PX", "Accuracy", "Validation", "match_rows", "validate"]

MATCH_RADIUS_PX = 3.0
"""A row this near to a particle has found it."""

IMAGE_SIDE_PX = 128
"""Of the images."""

_SNR_EDGES = (1, 2, 3, 5, 10, 20, 50, 100, np.inf)
_SEED = 20_000  # apart from the training's


class Accuracy(Struct, frozen=True):
    """Accuracy for particles of one range of SNR: height over the background / noise of the background.

    What is said of the particles found is NaN where none was, and `recall` where there was none to find.
    """

    snr_from: float
    snr_to: float
    particles: int
    recall: float
    false_fraction: float
    """Rows with no particle near, among all rows whose own height is in this range."""
    rmse_px: float
    """Per axis, of the particles found."""
    median_px: float
    """Median of the absolute error per axis times 1.4826: the RMSE without the tails that crowding makes."""
    bias_px: float
    """Larger of the means of the errors along x and y."""
    spread: float
    """Robust standard deviation of error / x_std: 1 where the localizer knows its uncertainty."""


class Validation(NamedTuple):
    """Accuracy over all particles of SNR 1 and above, and by SNR; ranges without particles are left out."""

    overall: Accuracy
    by_snr: list[Accuracy]


def validate(localizer: Localizer, recipe: Recipe, scenes: int = 200) -> Validation:
    """Return the accuracy on `scenes` images of `IMAGE_SIDE_PX`."""
    rng = np.random.default_rng(recipe.seed + _SEED)
    found: list[npt.NDArray[np.float64]] = []
    wrong: list[npt.NDArray[np.float64]] = []
    for _ in range(scenes):
        scene = draw_scene(recipe, rng, IMAGE_SIDE_PX, IMAGE_SIDE_PX)
        rows = localizer.find(scene.image)
        owner = match_rows(scene, rows)
        found.append(_errors(scene, rows, owner))
        false = np.setdiff1d(np.arange(len(rows)), owner)
        wrong.append(np.abs(rows["intensity"][false]) / scene.noise)
    errors, heights = np.concatenate(found), np.concatenate(wrong)
    cells = [_accuracy(errors, heights, *edges) for edges in pairwise(_SNR_EDGES)]
    overall = _accuracy(errors, heights, _SNR_EDGES[0], _SNR_EDGES[-1])
    return Validation(overall, [cell for cell in cells if cell.particles])


def match_rows(scene: Scene, rows: Rows) -> npt.NDArray[np.int64]:
    """Return the row of each particle, -1 where none is near; brightest first, nearest row first."""
    owner = np.full(scene.x.size, -1)
    free = np.ones(len(rows), bool)
    for n in np.argsort(-np.abs(scene.intensity)):
        distance = np.where(free, np.hypot(rows["x"] - scene.x[n], rows["y"] - scene.y[n]), np.inf)
        if distance.size and distance.min() < MATCH_RADIUS_PX:
            owner[n] = distance.argmin()
            free[owner[n]] = False
    return owner


def _errors(scene: Scene, rows: Rows, owner: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return (N, 5): SNR, errors along x and y, and both over their stated uncertainty; NaN where not found."""
    table = np.full((scene.x.size, 5), np.nan)
    table[:, 0] = np.abs(scene.intensity) / scene.noise
    seen = owner >= 0
    own = rows[owner[seen]]
    table[seen, 1] = own["x"] - scene.x[seen]
    table[seen, 2] = own["y"] - scene.y[seen]
    table[seen, 3] = table[seen, 1] / own["x_std"]
    table[seen, 4] = table[seen, 2] / own["y_std"]
    return table


def _accuracy(
    found: npt.NDArray[np.float64], wrong: npt.NDArray[np.float64], snr_from: float, snr_to: float
) -> Accuracy:
    cell = found[(found[:, 0] >= snr_from) & (found[:, 0] < snr_to)]
    seen = cell[~np.isnan(cell[:, 1])]
    false = int(((wrong >= snr_from) & (wrong < snr_to)).sum())
    return Accuracy(
        snr_from=snr_from,
        snr_to=snr_to,
        particles=len(cell),
        recall=len(seen) / len(cell) if len(cell) else math.nan,
        false_fraction=false / max(1, false + len(seen)),
        rmse_px=float(np.sqrt((seen[:, 1:3] ** 2).mean())) if len(seen) else math.nan,
        median_px=_spread(seen[:, 1:3]),
        bias_px=float(np.abs(seen[:, 1:3].mean(axis=0)).max()) if len(seen) else math.nan,
        spread=_spread(seen[:, 3:5]),
    )


def _spread(values: npt.NDArray[np.float64]) -> float:
    """Return the standard deviation about zero that a Gaussian of this median absolute value has."""
    return 1.4826 * float(np.median(np.abs(values))) if values.size else math.nan
