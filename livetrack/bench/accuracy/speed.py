"""The targets of speed: a whole `localize`, by the clock."""

from __future__ import annotations

import logging
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.bench.accuracy.conditions import Fields
from livetrack.bench.accuracy.methods import THREADS
from livetrack.bench.accuracy.shapes import gaussian
from livetrack.bench.result import TargetResult
from livetrack.localize.localizer import Localizer

__all__ = ["against_trackpy", "small_image_speed"]


def small_image_speed(localizer: Localizer, name: str, runs: int) -> TargetResult:
    """Return the median time of 64x64 px with one spot of SNR 10."""
    condition = Fields(
        name="speed", grid="speed", family="spot", definition="", generator="", snr=10, shape=gaussian, size_px=1.3,
        sigma_px=1.3, height=200, background=1000, read=20, side_px=64, count=1, margin_px=16,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    images = [condition.draw(rng).image for _ in range(16)]
    localizer.warmup(images[0].shape, images[0].dtype)
    times = [_milliseconds(localizer.localize, images[n % len(images)]) for n in range(runs)]
    found = sum(len(localizer.localize(image)) for image in images) / len(images)
    return TargetResult(
        name=f"{name}: speed, 64x64 px with one particle",
        definition=f"whole `localize` on {localizer.provider}, {THREADS} threads, median of the runs; other work on "
        "the machine lengthens it",
        n=runs,
        figures={
            "p50_ms": (p50 := statistics.median(times)),
            "p99_ms": float(np.percentile(times, 99)),
            "least_ms": min(times),
            "found": found,
        },
        target="p50 under 0.5 ms",
        met=p50 < 0.5,
    )


def against_trackpy(localizer: Localizer, name: str, frames: list[npt.NDArray[Any]]) -> TargetResult:
    """Return how many times faster than trackpy's `locate` the frames of the recording are localised, in turns."""
    import trackpy

    logging.getLogger("trackpy").setLevel(logging.ERROR)

    def locate(frame: npt.NDArray[Any]) -> Any:
        return trackpy.locate(frame, 11, invert=True, minmass=20)

    ours, theirs = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # trackpy 0.7 in its use of pandas 3
        localizer.warmup(frames[0].shape, frames[0].dtype)
        rows, spots = len(localizer.localize(frames[0])), len(locate(frames[0]))
        for frame in frames:
            ours.append(_milliseconds(localizer.localize, frame))
            theirs.append(_milliseconds(locate, frame))
    ratio = statistics.median(each / own for each, own in zip(theirs, ours, strict=True))
    return TargetResult(
        name=f"{name}: speed on the recording against trackpy",
        definition=f"whole `localize`, {THREADS} threads, against trackpy.locate(frame, 11, invert=True, minmass=20), "
        "frame by frame in turns; median of the ratios",
        n=len(frames),
        figures={
            "faster": ratio,
            "localize_ms": statistics.median(ours),
            "trackpy_ms": statistics.median(theirs),
            "particles": rows,
            "particles_trackpy": spots,
        },
        target="at least 3.5 x faster",
        met=ratio >= 3.5,
    )


def _milliseconds(call: Callable[[npt.NDArray[Any]], Any], image: npt.NDArray[Any]) -> float:
    start = time.perf_counter()
    call(image)
    return 1e3 * (time.perf_counter() - start)
