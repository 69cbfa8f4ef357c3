"""What a network's scores are worth: they are brought to the share of rows that are particles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ScoreLaw", "fit_score_law"]

_LEAST = 1e-6  # from 0 and 1, so that logits are finite
_HELD = 0.01  # information that holds the law to the network's own scores where too little was seen
_ROUNDS = 40

Floats = npt.NDArray[np.floating]


class ScoreLaw(NamedTuple):
    """logit(probability) = slope logit(score) + brightness asinh(|height| / noise) + shift.

    As Platt's law (Advances in Large Margin Classifiers, 61 (1999)), which has no height. A bright particle on the
    corner of four cells, among which the network shares it out badly, scores as low as a faint one that may be none:
    the height tells them apart.
    """

    slope: float = 1.0
    brightness: float = 0.0
    shift: float = 0.0

    def probability(self, score: Floats, height: Floats) -> npt.NDArray[np.float32]:
        """Return (N,) the probability of rows of `score` and `height` in units of the noise, (N,) each."""
        return _logistic(_features(score, height) @ np.array(self)).astype(np.float32)


def fit_score_law(score: Floats, height: Floats, is_particle: npt.NDArray[np.bool_]) -> ScoreLaw:
    """Return the likeliest law of rows of which some are particles, (N,) each, by Newton steps."""
    features = _features(score, height)
    law = start = np.array(ScoreLaw())
    for _ in range(_ROUNDS):
        probability = _logistic(features @ law)
        weight = probability * (1 - probability)
        rise = features.T @ (is_particle - probability) - _HELD * (law - start)
        law = law + np.linalg.solve((features.T * weight) @ features + _HELD * np.eye(3), rise).clip(-1, 1)
    return ScoreLaw(*law.tolist())


def _features(score: Floats, height: Floats) -> npt.NDArray[np.float64]:
    inside = np.clip(score.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.stack([np.log(inside / (1 - inside)), np.arcsinh(np.abs(height)), np.ones(inside.shape)], axis=1)


def _logistic(logit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    probability: npt.NDArray[np.float64] = 1 / (1 + np.exp(-logit))
    return probability
