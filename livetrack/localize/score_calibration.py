"""Calibration of a network's scores: to the probability that a row is a particle."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.particles import Rows

__all__ = ["ScoreCalibration", "fit_score_calibration"]

_MIN_SCORE = 1e-6  # distance from 0 and 1 that keeps logits finite
_PRIOR = 0.01  # weight of the prior, "the network's score is the probability", where few rows were seen
_STEPS = 40

Floats = npt.NDArray[np.floating]


class ScoreCalibration(NamedTuple):
    """logit(probability) = slope logit(score) + brightness asinh(|intensity| / noise) + shift.

    Platt's calibration (Advances in Large Margin Classifiers, 61 (1999)) with the intensity added. A bright particle
    on the corner of four cells, which share its score unevenly, scores as low as a faint one that may be noise; the
    intensity tells them apart.
    """

    slope: float = 1.0
    brightness: float = 0.0
    shift: float = 0.0

    def apply(self, rows: Rows, noise: float, threshold: float = 0.0) -> Rows:
        """Turn the scores of `rows`, (N,), into probabilities, in place; return a view of those above `threshold`.

        The `noise` is in grey levels. Rows that are dropped are overwritten.
        """
        return rows[: _apply(rows, noise, self.slope, self.brightness, self.shift, threshold)]


def fit_score_calibration(score: Floats, height: Floats, is_particle: npt.NDArray[np.bool_]) -> ScoreCalibration:
    """Return the maximum-likelihood calibration for rows known to be particles or not, by Newton steps.

    All are (N,); `height` is the intensity over the noise.
    """
    features = _features(score, height)
    weights = start = np.array(ScoreCalibration())
    for _ in range(_STEPS):
        probability = 1 / (1 + np.exp(-features @ weights))
        variance = probability * (1 - probability)
        gradient = features.T @ (is_particle - probability) - _PRIOR * (weights - start)
        curvature = (features.T * variance) @ features + _PRIOR * np.eye(3)
        weights = weights + np.linalg.solve(curvature, gradient).clip(-1, 1)
    return ScoreCalibration(*weights.tolist())


@njit
def _apply(rows: Any, noise: float, slope: float, brightness: float, shift: float, threshold: float) -> int:
    kept = 0
    for n in range(len(rows)):
        row = rows[n]
        score = min(max(row["score"], _MIN_SCORE), 1 - _MIN_SCORE)
        height = abs(row["intensity"]) / noise
        logit = slope * math.log(score / (1 - score)) + brightness * math.asinh(height) + shift
        row["score"] = 1 / (1 + math.exp(-logit))
        if row["score"] >= threshold:
            if kept < n:
                rows[kept] = row
            kept += 1
    return kept


def _features(score: Floats, height: Floats) -> npt.NDArray[np.float64]:
    score = np.clip(score.astype(np.float64), _MIN_SCORE, 1 - _MIN_SCORE)
    return np.stack([np.log(score / (1 - score)), np.arcsinh(np.abs(height)), np.ones(score.shape)], axis=1)
