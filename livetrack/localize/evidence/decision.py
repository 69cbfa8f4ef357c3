"""The decision: the probability that each candidate is a particle, in this image.

In white noise the number of noise peaks falls with their evidence z as z exp(-z²/2), whatever the image; how many
particles there are, and how bright, the image itself shows. Both together give the odds of a particle (empirical Bayes:
Efron, Large-Scale Inference, chapter 5 (2010); the prior of each image as in Saerens et al., Neural Computation 14, 21
(2002)), to which the network adds what it sees besides. Where troughs show that the background is structured, near a
better candidate, and of what cannot be noise, the network decides what it is. How much each counts, training fits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.evidence.candidates import Candidates
from livetrack.localize.evidence.matched_filters import BAR, BEYOND_NOISE, Noise

__all__ = ["FEATURES", "Law", "decide"]

FEATURES = 14
"""Number of features, and of their weights."""

_ROUNDS = 20  # at most, until the law changes by less than this, relatively
_SETTLED = 0.002
_SKEWED = 0.5  # skewness of the noise of 4 photoelectrons a pixel: of fewer, the correction is too small
_WHITE_TAIL = 1.3  # of the noise: up to here it counts as white
_MOST = 6.0  # evidence up to which the law counts; from `BEYOND_NOISE` on it does not
_TYPICAL = 4.5  # evidence from which it is counted, so that the weights hardly depend on each other
_STRUCTURED, _BRIGHTNESS = 5.0, 2.0  # the same for a structured background, and its rise with the log of what is beyond
_LEAST_BESIDE, _MOST_BESIDE = -3.0, 8.0  # evidence beside a better candidate
_MISMATCH = 0.15  # of what a neighbour explains: particles are not quite Gaussian
_ALONE = 1.0  # evidence explained by a neighbour, up to which a candidate counts as alone
_MEAN, _STD = 2.1, 0.6  # of the particles' log evidence, before anything is seen
_LEAST_STD = 0.1
_BEFORE = (0.1, _MEAN, _STD)  # law from which the first round starts
_PARTICLES, _NOISE_PEAKS = 0.5, 2.0  # numbers before anything is seen
_STRENGTH, _KNOWN_STRENGTH = 2.0, 8.0  # particles that mean and standard deviation before count for
_SURE = 5.0  # evidence that no noise of an image has
_OTHERS = 0.05  # fraction of the particles whose evidence is not like that of the rest
_LOWEST = 1.5  # evidence below counts as this much
_FURTHEST = 30.0  # logit

Doubles = npt.NDArray[np.float64]


class Law(NamedTuple):
    """What an image's candidates have in common.

    `particles`, 0..1, is the fraction of them that are particles; `mean` and `std` are those of their log evidence;
    `noise` is that of the evidence.
    """

    particles: float
    mean: float
    std: float
    noise: Noise


def decide(candidates: Candidates, noise: Noise, weights: Doubles, law: Law | None = None) -> tuple[Doubles, Law]:
    """Return the probability that each candidate is a particle, (N,), and the law of the image.

    Parameters
    ----------
    noise
        Of the image.
    weights
        (`FEATURES`,) of the features.
    law
        Of the images before, where the candidates are those of parts of this one: they are decided by it, and what is
        returned follows the particles' evidence. None: their own.
    """
    score, found = np.empty(len(candidates.rows)), np.array(_BEFORE if law is None else law[:3])
    whiteness = min(1.0, (_WHITE_TAIL / noise.tail) ** 2) * min(1.0, (_SKEWED / max(noise.skewness, _SKEWED)) ** 4)
    troughs = noise.troughs if noise.tail <= _WHITE_TAIL else 0
    _decide(*candidates[1:], whiteness, troughs, weights, law is not None, found, score)
    particles, mean, std = found.tolist()
    return score, Law(particles, mean, std, noise)


@njit
def _weigh(logit: float, evidence: float, explained: float, whiteness: float, weights: Any) -> Any:
    """Return the logit of a particle, but for the law's part: a weighted sum of `FEATURES` features.

    They are those of white noise (5), of a structured background (4), or of a place beside a better candidate (5).
    """
    by_network = not math.isnan(logit)
    if explained >= _ALONE:
        doubt = math.sqrt(1 + (_MISMATCH * explained) ** 2)
        own = min(max(evidence, _LEAST_BESIDE) / doubt, _MOST_BESIDE)
        network = weights[9] + weights[10] * logit + weights[11] * logit * own if by_network else weights[12]
        return network + weights[13] * own
    strength = max(evidence, BAR)
    above, structured = min(strength, _MOST) - _TYPICAL, min(strength, BEYOND_NOISE) - _STRUCTURED
    structured += _BRIGHTNESS * math.log(max(strength / BEYOND_NOISE, 1.0))
    if by_network:
        white = weights[0] + weights[1] * logit + weights[2] * above
        other = weights[5] + weights[6] * logit
    else:
        white, other = weights[3] + weights[4] * above, weights[7]
    return whiteness * white + (1 - whiteness) * (other + weights[8] * structured)


@njit
def _decide(
    logit: Any, evidence: Any, explained: Any, whiteness: float, troughs: int, weights: Any, known: bool, law: Any,
    score: Any,
) -> None:  # fmt: skip
    """Fill `score`, and find the `law` by expectation and maximisation, or, if it is `known`, let it follow the scores.

    Where there are `troughs`, as many candidates are noise: the law cannot take faint particles for more than the rest.
    """
    count = evidence.size
    white, given, log_evidence, noise, others = np.empty((5, count))
    alone, peaks, sure = 0, 0, 0
    for n in range(count):
        white[n] = whiteness * min(max((BEYOND_NOISE - evidence[n]) / (BEYOND_NOISE - _MOST), 0.0), 1.0)
        given[n] = _weigh(logit[n], evidence[n], explained[n], white[n], weights)
        log_evidence[n] = math.log(max(evidence[n], _LOWEST))
        others[n] = _OTHERS * _gaussian(log_evidence[n], _MEAN, _STD)
        strength = min(max(evidence[n], BAR), _MOST)
        noise[n] = math.log(strength) - 0.5 * (strength * strength - BAR * BAR)
        alone += explained[n] < _ALONE
        peaks += explained[n] < _ALONE and evidence[n] >= BAR
        sure += explained[n] < _ALONE and evidence[n] >= _SURE
        if explained[n] >= _ALONE:
            score[n] = _sigmoid(given[n])
    most = max(peaks - troughs + math.sqrt(2.0 * troughs), float(sure)) if troughs else float(count)
    usual_mean, usual_std, held = law[1], law[2], _KNOWN_STRENGTH if known else _STRENGTH
    for _ in range(1 if known else _ROUNDS):
        particles, mean, std = law[0], law[1], law[2]
        prior = math.log(particles / (1 - particles))
        total, first, second = 0.0, 0.0, 0.0
        for n in range(count):
            if explained[n] < _ALONE:
                density = (1 - _OTHERS) * _gaussian(log_evidence[n], mean, std) + others[n]
                odds = prior + math.log(density) - log_evidence[n] - noise[n]
                score[n] = _sigmoid(given[n] + white[n] * odds)
                total += score[n]
                first += score[n] * log_evidence[n]
                second += score[n] * log_evidence[n] ** 2
        seen = total + held
        if not known:
            law[0] = (min(total, most) + _PARTICLES) / (alone + _PARTICLES + _NOISE_PEAKS)
        law[1] = (first + held * usual_mean) / seen
        variance = (second + held * (usual_mean * usual_mean + usual_std * usual_std)) / seen - law[1] * law[1]
        law[2] = max(math.sqrt(max(variance, 0.0)), math.exp(-law[1]), _LEAST_STD)
        if abs(law[0] - particles) < _SETTLED * particles and abs(law[1] - mean) < _SETTLED:
            break


@njit
def _gaussian(value: float, mean: float, std: float) -> float:
    return math.exp(-0.5 * ((value - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


@njit
def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-min(max(logit, -_FURTHEST), _FURTHEST)))
