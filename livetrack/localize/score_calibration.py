"""What a network's scores are worth: they are brought to the share of rows that are particles."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.particles import Rows

__all__ = ["ScoreCalibration", "fit_score_calibration"]

_LEAST = 1e-6  # from 0 and 1, so that logits are finite
_HELD = 0.01  # information that holds the law to the network's own scores where too little was seen
_ROUNDS = 40

Floats = npt.NDArray[np.floating]


class ScoreCalibration(NamedTuple):
    """logit(probability) = slope logit(score) + brightness asinh(|height| / noise) + shift.

    As Platt's law (Advances in Large Margin Classifiers, 61 (1999)), which has no height. A bright particle on the
    corner of four cells, among which the network shares it out badly, scores as low as a faint one that may be none:
    the height tells them apart.
    """

    slope: float = 1.0
    brightness: float = 0.0
    shift: float = 0.0

    def apply(self, rows: Rows, noise: float, threshold: float = 0.0) -> Rows:
        """Turn the scores of `rows`, (N,), into probabilities; return a view of those that reach `threshold`.

        The `noise` is in grey levels; `rows` are changed in place.
        """
        return rows[: _apply(rows, noise, self.slope, self.brightness, self.shift, threshold)]


def fit_score_calibration(score: Floats, height: Floats, is_particle: npt.NDArray[np.bool_]) -> ScoreCalibration:
    """Return the likeliest law of rows of which some are particles, (N,) each, by Newton steps."""
    features = _features(score, height)
    law = start = np.array(ScoreCalibration())
    for _ in range(_ROUNDS):
        probability = 1 / (1 + np.exp(-features @ law))
        weight = probability * (1 - probability)
        rise = features.T @ (is_particle - probability) - _HELD * (law - start)
        law = law + np.linalg.solve((features.T * weight) @ features + _HELD * np.eye(3), rise).clip(-1, 1)
    return ScoreCalibration(*law.tolist())


@njit
def _apply(rows: Any, noise: float, slope: float, brightness: float, shift: float, threshold: float) -> int:
    kept = 0
    for n in range(len(rows)):
        row = rows[n]
        inside = min(max(row["score"], _LEAST), 1 - _LEAST)
        height = abs(row["intensity"]) / noise
        logit = slope * math.log(inside / (1 - inside)) + brightness * math.asinh(height) + shift
        row["score"] = 1 / (1 + math.exp(-logit))
        if row["score"] >= threshold:
            if kept < n:
                rows[kept] = row
            kept += 1
    return kept


def _features(score: Floats, height: Floats) -> npt.NDArray[np.float64]:
    inside = np.clip(score.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.stack([np.log(inside / (1 - inside)), np.arcsinh(np.abs(height)), np.ones(inside.shape)], axis=1)
