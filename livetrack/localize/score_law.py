"""What a network's scores are worth: they are brought to the share of rows that are particles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ScoreLaw", "fit_score_law"]

_LEAST = 1e-6  # from 0 and 1, so that logits are finite
_HELD = 0.01  # information that holds the law to slope 1 and shift 0 where too little was seen
_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class ScoreLaw:
    """logit(probability) = slope logit(score) + shift (Platt, Advances in Large Margin Classifiers, 61 (1999))."""

    slope: float = 1.0
    shift: float = 0.0

    def probability(self, score: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the probability of rows of `score`, (N,) each."""
        exponent = self.slope * _logit(score) + self.shift
        return (1 / (1 + np.exp(-exponent))).astype(np.float32)

    def score(self, probability: float) -> float:
        """Return the network's score of rows of `probability`."""
        return 1 / (1 + math.exp((self.shift - float(_logit(np.array(probability)))) / self.slope))


def fit_score_law(score: npt.NDArray[np.float32], is_particle: npt.NDArray[np.bool_]) -> ScoreLaw:
    """Return the law of rows of `score` of which some are particles, (N,) each: the likeliest one, by Newton steps."""
    features = np.stack([_logit(score), np.ones(score.shape)], axis=1)
    start = law = np.array([1.0, 0.0])
    for _ in range(_ROUNDS):
        probability = 1 / (1 + np.exp(-features @ law))
        weight = probability * (1 - probability)
        rise = features.T @ (is_particle - probability) - _HELD * (law - start)
        law = law + np.linalg.solve((features.T * weight) @ features + _HELD * np.eye(2), rise).clip(-1, 1)
    return ScoreLaw(max(float(law[0]), 0.1), float(law[1]))


def _logit(probability: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    inside = np.clip(probability.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.log(inside / (1 - inside))
