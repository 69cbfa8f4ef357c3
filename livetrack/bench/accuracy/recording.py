"""Robustness: positions on a recording against those on the same recording, degraded."""

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
"""Photoelectrons assumed for the recording's white."""

_WHITE = 255.0
_FLICKER, _GRADIENT = 0.5, 0.5


def read_frames(path: Path, count: int, *, successive: bool = False) -> list[npt.NDArray[Any]]:
    """Return `count` frames, (H, W) each, evenly spaced over the recording, or its first ones if `successive`.

    Raises
    ------
    InputError
        It cannot be read, or its frames do not have 8 bits.
    """
    movie = open_movie(path)
    if movie.dtype != np.uint8:
        raise InputError(f"--recording {path}: frames are {movie.dtype}; the bench needs 8 bits, as bulk_water.tif has")
    step = 1 if successive else max(1, (movie.length or count) // count)
    return list(islice(movie, 0, step * count, step))


def degrade(frame: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Return the frame, (H, W), under flickering and uneven illumination, with the shot noise of a camera.

    The illumination is 0.5-1.5 of its mean from frame to frame, and falls from 1.5 to 0.5 of that across the frame;
    white corresponds to `FULL_WELL_E` photoelectrons at the mean.
    """
    illumination = rng.uniform(1 - _FLICKER, 1 + _FLICKER) * np.linspace(1 + _GRADIENT, 1 - _GRADIENT, frame.shape[1])
    return rng.poisson(frame * illumination * (FULL_WELL_E / _WHITE)).astype(np.uint16)


def robustness(
    localizer: Localizer, name: str, frames: Sequence[npt.NDArray[Any]], step: Callable[[], None] = lambda: None
) -> list[TargetResult]:
    """Return the fraction of particles still found, and the differences in position over their uncertainty."""
    rng = np.random.default_rng(0)
    differences, degraded, clean = [], [], []
    particles = extra = 0
    for frame in frames:
        clean_rows = localizer.localize(frame)
        rows = localizer.localize(degrade(frame, rng))
        owner = match(rows, clean_rows["x"].astype(np.float64), clean_rows["y"].astype(np.float64))
        kept = owner >= 0
        particles += len(clean_rows)
        extra += len(rows) - int(kept.sum())
        for axis in ("x", "y"):
            differences.append(rows[axis][owner[kept]] - clean_rows[axis][kept])
            degraded.append(rows[f"{axis}_std"][owner[kept]].astype(np.float64))
            clean.append(clean_rows[f"{axis}_std"][kept].astype(np.float64))
        step()
    difference, degraded_std, clean_std = (np.concatenate(values) for values in (differences, degraded, clean))
    added = degraded_std**2 - clean_std**2
    larger = added > 0
    spread = _spread(difference / degraded_std)
    recall = difference.size / 2 / particles if particles else 0.0
    definition = (
        "the recording with the illumination of each frame at 0.5-1.5 of the mean, falling from 1.5 to 0.5 of that "
        f"across it, and the shot noise of {FULL_WELL_E:,} photoelectrons at grey 255; same settings"
    )
    return [
        TargetResult(
            name=f"{name}: the degraded recording, particles kept",
            definition=f"{definition}; fraction of the clean frames' rows with one within {GATE_PX:g} px",
            n=particles,
            figures={"recall": recall, "new_per_frame": extra / len(frames)},
            target="at least 0.95",
            met=recall >= 0.95,
        ),
        TargetResult(
            name=f"{name}: the degraded recording, differences",
            definition=f"{definition}; 1.4826 x median of |difference| / x_std of the degraded frame; also over the "
            "root of the sum of both frames' squares, and over that of their difference, which applies if the noise of "
            "the clean frame is common to both",
            n=int(difference.size // 2),
            figures={
                "spread": spread,
                "fraction_less_precise": float(larger.mean()) if larger.size else None,
                "spread_over_sum": _spread(difference / np.sqrt(degraded_std**2 + clean_std**2)),
                "spread_over_added": _spread(difference[larger] / np.sqrt(added[larger])),
                "x_std_px": float(np.median(degraded_std)) if degraded_std.size else None,
                "clean_x_std_px": float(np.median(clean_std)) if clean_std.size else None,
            },
            target="within 0.8-1.2",
            met=spread is not None and 0.8 <= spread <= 1.2,
        ),
    ]


def _spread(values: npt.NDArray[Any]) -> float | None:
    return 1.4826 * float(np.median(np.abs(values))) if values.size else None
