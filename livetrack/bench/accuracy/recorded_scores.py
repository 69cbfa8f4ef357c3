"""The reliability of the scores on a recording, where the truth is what the frames before and after agree on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from livetrack.bench.accuracy.scores import MIN_SCORE, calibration_error, score_bins
from livetrack.bench.result import TargetResult, at_most
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Rows

__all__ = ["MAX_CALIBRATION_ERROR", "recorded_scores"]

MAX_CALIBRATION_ERROR = 0.03

_RADIUS_PX = 4.0  # a bead moves farther in less than one frame in a hundred


def recorded_scores(
    localizer: NetworkLocalizer,
    name: str,
    frames: Sequence[npt.NDArray[Any]],
    step: Callable[[], None] = lambda: None,
) -> list[TargetResult]:
    """Return the expected calibration error of the rows of successive frames, (H, W) each.

    A row is a particle if the frames before and after both have one near it, at the model's own threshold. What
    persists without being a particle counts as one, and one that is seen in two frames only does not.
    """
    threshold, localizer.threshold = localizer.threshold, MIN_SCORE
    try:
        rows = [localizer.localize(frame).copy() for frame in frames]
    finally:
        localizer.threshold = threshold
    published = [each[each["score"] >= threshold] for each in rows]
    scores, is_true = [np.empty(0)], [np.empty(0, np.bool_)]
    for before, middle, after in zip(published, rows[1:], published[2:], strict=False):
        scores.append(middle["score"].astype(np.float64))
        is_true.append(_has_near(middle, before) & _has_near(middle, after))
        step()
    bins = score_bins(np.concatenate(scores), np.concatenate(is_true))
    error = calibration_error([bins])
    return [
        TargetResult(
            name=f"{name}: the recording, reliability of the scores",
            definition=f"expected calibration error of the rows from {MIN_SCORE:g} on, in ten bins of score, of "
            f"{len(frames)} successive frames; true are those with a row at the model's threshold within "
            f"{_RADIUS_PX:g} px in the frame before and in the one after",
            n=sum(each.rows for each in bins),
            figures={"calibration_error": error},
            details={f"true_at_{each.score / each.rows:.2f}": each.true / each.rows for each in bins if each.rows},
            target=f"at most {MAX_CALIBRATION_ERROR:g}",
            met=at_most(error, MAX_CALIBRATION_ERROR),
        )
    ]


def _has_near(rows: Rows, others: Rows) -> npt.NDArray[np.bool_]:
    if not len(others):
        return np.zeros(len(rows), np.bool_)
    places, targets = (np.stack([each["x"], each["y"]], axis=1) for each in (rows, others))
    near: npt.NDArray[np.bool_] = np.isfinite(cKDTree(targets).query(places, distance_upper_bound=_RADIUS_PX)[0])
    return near
