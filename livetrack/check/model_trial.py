"""Tries a model at one scale on a few frames, or a classical method."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from livetrack.check.candidates import Candidate, load_alone
from livetrack.errors import ModelError
from livetrack.particles import Rows

__all__ = ["ModelTrial", "failed_trial", "summary", "try_candidate"]


class ModelTrial(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one model at one scale on a few frames; medians over all localisations, None without any."""

    model: str
    scale: float = 1.0
    """Of the image that the model searched."""
    count: float = 0.0
    """Localisations per frame."""
    explained: float | None = None
    """Fraction of the structure around them that is round."""
    score: float | None = None
    std_px: float | None = None
    """Uncertainty of x as the model reports it; None if it was not refined."""
    ms: float | None = None
    """Time per frame after warm-up; None if it was not refined."""
    problem: str = ""
    """Why the model could not be tried; else empty."""


def failed_trial(model: str, error: ModelError) -> ModelTrial:
    """Return the trial of a model that cannot be used."""
    return ModelTrial(model=model, problem=str(error))


def summary(candidate: Candidate, searched: float = 1.0) -> ModelTrial:
    """Return the trial of a candidate that was searched with, in this fraction of the images, and not refined."""
    return ModelTrial(
        model=candidate.model,
        scale=candidate.scale,
        count=candidate.count / searched,
        explained=candidate.explained,
        score=_median(np.concatenate(candidate.rows)["score"]),
    )


def try_candidate(candidate: Candidate, frames: Sequence[npt.NDArray[Any]]) -> tuple[ModelTrial, list[Rows]]:
    """Localize the particles of `frames`, (H, W) each, and refine them; return the figures and the rows of each."""
    localizer = load_alone(candidate.model, **candidate.options)
    localizer.localize(frames[0])  # not timed: it compiles and allocates
    started = time.perf_counter()
    found = [localizer.localize(frame).copy() for frame in frames]
    seconds = time.perf_counter() - started
    rows = np.concatenate(found)
    trial = msgspec.structs.replace(
        summary(candidate),
        count=len(rows) / len(frames),
        score=_median(rows["score"]),
        std_px=_median(rows["x_std"]),
        ms=1000 * seconds / len(frames),
    )
    return trial, found


def _median(values: npt.NDArray[np.float32]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None
