"""What scores are worth: the threshold with the best F1, and their reliability as probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.bench.accuracy.shapes import Floats
from livetrack.bench.matching import GATE_PX
from livetrack.particles import Rows

__all__ = ["MIN_SCORE", "ScoreBin", "best_threshold", "calibration_error", "score_bins", "true_rows"]

MIN_SCORE = 0.05
"""Of the rows whose reliability is measured."""

_BINS = 10


class ScoreBin(Struct, frozen=True):
    """The rows whose scores lie in one tenth of 0..1."""

    rows: int
    score: float
    """Sum of their scores: the number of particles that they promise."""
    true: int


def true_rows(rows: Rows, x: Floats, y: Floats) -> npt.NDArray[np.bool_]:
    """Return whether each row is a particle, (N,): the best one within the gate of a particle at `x`, `y`, (M,)."""
    is_true = np.zeros(len(rows), np.bool_)
    if not x.size:
        return is_true
    distance = np.hypot(rows["x"][:, None] - x, rows["y"][:, None] - y)
    for n in np.argsort(-rows["score"], kind="stable"):
        nearest = distance[n].argmin()
        if distance[n, nearest] < GATE_PX:
            is_true[n] = True
            distance[:, nearest] = np.inf
    return is_true


def best_threshold(score: Floats, is_true: npt.NDArray[np.bool_], particles: int) -> float:
    """Return the score, of those given, (N,), from which on rows give the best F1; infinite without rows."""
    if not score.size:
        return np.inf
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(is_true[order])
    f1 = 2 * found / (np.arange(1, score.size + 1) + particles)
    return float(score[order][f1.argmax()])


def score_bins(score: Floats, is_true: npt.NDArray[np.bool_]) -> tuple[ScoreBin, ...]:
    """Return the reliability diagram of rows, (N,)."""
    index = (score * _BINS).astype(int).clip(0, _BINS - 1)
    members = [index == n for n in range(_BINS)]
    return tuple(ScoreBin(int(m.sum()), float(score[m].sum()), int(is_true[m].sum())) for m in members)


def calibration_error(diagrams: Iterable[Sequence[ScoreBin]]) -> float | None:
    """Return the expected calibration error of all diagrams together: the mean of |score - fraction true| by bin."""
    promised, rows = 0.0, 0
    for bins in zip(*diagrams, strict=True):
        promised += abs(sum(each.score for each in bins) - sum(each.true for each in bins))
        rows += sum(each.rows for each in bins)
    return promised / rows if rows else None
