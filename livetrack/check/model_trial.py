"""Tries a shipped model on a few frames."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from livetrack.errors import ModelError
from livetrack.localize import load_localizer
from livetrack.particles import Rows

__all__ = ["ModelTrial", "try_model"]


class ModelTrial(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one model on a few frames; medians over all localisations, None without any."""

    model: str
    count: float = 0.0
    """Localisations per frame."""
    score: float | None = None
    std_px: float | None = None
    """Uncertainty of x as the model reports it."""
    ms: float = 0.0
    """Time per frame after warm-up."""
    problem: str = ""
    """Why the model could not be tried; else empty."""


def try_model(model: str, frames: Sequence[npt.NDArray[Any]]) -> tuple[ModelTrial, list[Rows]]:
    """Localize the particles of `frames` with a shipped model; return the figures and the rows of each frame."""
    try:
        localizer = load_localizer(model)
    except ModelError as error:
        return ModelTrial(model=model, problem=str(error)), []
    localizer.warmup(frames[0].shape, frames[0].dtype)
    started = time.perf_counter()
    found = [localizer.localize(frame).copy() for frame in frames]
    seconds = time.perf_counter() - started
    rows = np.concatenate(found)
    trial = ModelTrial(
        model=model,
        count=len(rows) / len(frames),
        score=_median(rows["score"]),
        std_px=_median(rows["x_std"]),
        ms=1000 * seconds / len(frames),
    )
    return trial, found


def _median(values: npt.NDArray[np.float32]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None
