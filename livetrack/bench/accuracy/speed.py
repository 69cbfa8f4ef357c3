"""The targets of speed: duration of a whole `localize`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.bench.accuracy.conditions import EqualParticles
from livetrack.bench.accuracy.methods import THREADS
from livetrack.bench.accuracy.shapes import gaussian
from livetrack.bench.result import TargetResult
from livetrack.bench.timing import TRACKPY_LOCATE, locate_beads, speedup_figures, time_in_turns
from livetrack.localize.localizer import Localizer

__all__ = ["small_image_speed", "speed_against_trackpy"]


def small_image_speed(localizer: Localizer, name: str, runs: int) -> TargetResult:
    """Return the median time for 64x64 px with one spot of SNR 10."""
    condition = EqualParticles(
        name="speed", grid="speed", family="spot", definition="", generator="", snr=10, shape=gaussian, size_px=1.3,
        sigma_px=1.3, intensity=200, background=1000, read=20, side_px=64, count=1, margin_px=16,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    images = [condition.draw(rng).image for _ in range(16)]
    localizer.warmup(images[0].shape, images[0].dtype)
    times_ms, counts = time_in_turns([localizer.localize], [images[n % len(images)] for n in range(runs)])
    p50_ms = float(np.median(times_ms))
    return TargetResult(
        name=f"{name}: speed, 64x64 px with one particle",
        definition=f"whole `localize` on {localizer.provider}, {THREADS} threads, median of the runs; other work on "
        "the machine lengthens it",
        n=runs,
        figures={
            "p50_ms": p50_ms,
            "p99_ms": float(np.percentile(times_ms, 99)),
            "min_ms": float(times_ms.min()),
            "found": float(counts.mean()),
        },
        target="p50 below 0.5 ms",
        met=p50_ms < 0.5,
    )


def speed_against_trackpy(localizer: Localizer, name: str, frames: list[npt.NDArray[Any]]) -> TargetResult:
    """Return how many times faster than trackpy's `locate` the frames of the recording are localised."""
    calls = localizer.localize, locate_beads
    localizer.warmup(frames[0].shape, frames[0].dtype)
    _, warmup_counts = time_in_turns(calls, frames[:1])
    times_ms, _ = time_in_turns(calls, frames)
    speedup, figures = speedup_figures(times_ms, warmup_counts[0])
    return TargetResult(
        name=f"{name}: speed on the recording against trackpy",
        definition=f"whole `localize`, {THREADS} threads, against {TRACKPY_LOCATE}, frame by frame in turns; median of "
        "the ratios",
        n=len(frames),
        figures=figures,
        target="at least 3.5 x faster",
        met=speedup >= 3.5,
    )
