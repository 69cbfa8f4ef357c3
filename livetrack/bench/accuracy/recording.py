"""A real recording made worse on purpose: whether what was found before is still found, and at the same places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.bench.matching import GATE_PX, match
from livetrack.bench.result import TargetResult
from livetrack.errors import InputError
from livetrack.localize.localizer import Localizer
from livetrack.movies import open_movie

__all__ = ["degrade", "read_frames", "robustness"]

FULL_WELL_E = 30_000
"""Photoelectrons that the recording's white stands for."""

_WHITE = 255.0
_FLICKER, _GRADIENT = 0.5, 0.5


def read_frames(path: Path, count: int) -> list[npt.NDArray[Any]]:
    """Return `count` frames, (H, W) each, spread evenly over the recording.

    Raises
    ------
    InputError
        It cannot be read, or is not of 8 bits.
    """
    movie = open_movie(path)
    if movie.dtype != np.uint8:
        raise InputError(f"--recording {path}: frames are {movie.dtype}; the bench needs 8 bits, as bulk_water.tif has")
    step = max(1, (movie.length or count) // count)
    return list(islice(movie, 0, step * count, step))


def degrade(frame: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Return the frame, (H, W), under flickering, slanting light, with the shot noise of a camera.

    The light is 0.5-1.5 of its mean from frame to frame, and falls by as much again from one side of the frame
    to the other; at full light white is `FULL_WELL_E` photoelectrons.
    """
    light = rng.uniform(1 - _FLICKER, 1 + _FLICKER) * np.linspace(1 + _GRADIENT, 1 - _GRADIENT, frame.shape[1])
    return rng.poisson(frame * light * (FULL_WELL_E / _WHITE)).astype(np.uint16)


def robustness(
    localizer: Localizer, name: str, frames: Sequence[npt.NDArray[Any]], step: Callable[[], None] = lambda: None
) -> list[TargetResult]:
    """Return how many particles are kept, and how their places differ, over what is stated."""
    rng = np.random.default_rng(0)
    differences, stated, clean = [], [], []
    particles = extra = 0
    for frame in frames:
        before = localizer.localize(frame)
        after = localizer.localize(degrade(frame, rng))
        owner = match(after, before["x"].astype(np.float64), before["y"].astype(np.float64))
        kept = owner >= 0
        particles += len(before)
        extra += len(after) - int(kept.sum())
        for axis in ("x", "y"):
            differences.append(after[axis][owner[kept]] - before[axis][kept])
            stated.append(after[f"{axis}_std"][owner[kept]].astype(np.float64))
            clean.append(before[f"{axis}_std"][kept].astype(np.float64))
        step()
    difference, worse, better = (np.concatenate(each) for each in (differences, stated, clean))
    added = worse**2 - better**2
    sure = added > 0
    spread = _spread(difference / worse)
    recall = difference.size / 2 / particles if particles else 0.0
    made = (
        f"the recording with each frame's light at 0.5-1.5 of the mean, falling from 1.5 to 0.5 of that across it, and "
        f"the shot noise of {FULL_WELL_E:,} photoelectrons at grey 255; same settings"
    )
    return [
        TargetResult(
            name=f"{name}: the recording made worse, particles kept",
            definition=f"{made}; share of the clean frames' rows with one within {GATE_PX:g} px",
            n=particles,
            figures={"recall": recall, "new_per_frame": extra / len(frames)},
            target="at least 0.95",
            met=recall >= 0.95,
        ),
        TargetResult(
            name=f"{name}: the recording made worse, differences",
            definition=f"{made}; 1.4826 x median of |difference| / x_std, that of the frame made worse; beside it over "
            "the root of the sum of both frames' squares, and over that of their difference, which would be right if "
            "the clean frame's x_std told of noise alone that both share",
            n=int(difference.size // 2),
            figures={
                "spread": spread,
                "share_less_sure": float(sure.mean()) if sure.size else None,
                "spread_over_sum": _spread(difference / np.sqrt(worse**2 + better**2)),
                "spread_over_added": _spread(difference[sure] / np.sqrt(added[sure])),
                "x_std_px": float(np.median(worse)) if worse.size else None,
                "clean_x_std_px": float(np.median(better)) if better.size else None,
            },
            target="within 0.8-1.2",
            met=spread is not None and 0.8 <= spread <= 1.2,
        ),
    ]


def _spread(values: npt.NDArray[Any]) -> float | None:
    return 1.4826 * float(np.median(np.abs(values))) if values.size else None
