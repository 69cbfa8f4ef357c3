"""Durations: of calls made in turns, and percentiles of stamps."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.bench.result import Figure

__all__ = [
    "TRACKPY_LOCATE",
    "locate_beads",
    "percentile_us",
    "quiet_trackpy",
    "speedup_figures",
    "time_in_turns",
    "timed",
]

TRACKPY_LOCATE = "trackpy.locate(frame, 11, invert=True, minmass=20)"
"""What `locate_beads` calls; the settings suit bulk_water.tif."""


def timed(call: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Return the duration of a call in ms, and what the call returned."""
    start_ns = time.perf_counter_ns()
    result = call(*arguments)
    return (time.perf_counter_ns() - start_ns) * 1e-6, result


def time_in_turns(
    calls: Sequence[Callable[[npt.NDArray[Any]], Any]],
    frames: Sequence[npt.NDArray[Any]],
    step: Callable[[], None] = lambda: None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Make each call on each frame, frame by frame in turns; `step` is called after each frame.

    Returns
    -------
    times_ms
        (frames, calls).
    counts
        (frames, calls) number of rows that each call returned.
    """
    times, counts = np.empty((len(frames), len(calls))), np.empty((len(frames), len(calls)), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # trackpy 0.7 uses pandas 3 in a deprecated way
        for n, frame in enumerate(frames):
            for k, call in enumerate(calls):
                times[n, k], rows = timed(call, frame)
                counts[n, k] = len(rows)
            step()
    return times, counts


def speedup_figures(times_ms: npt.NDArray[np.float64], particles: npt.NDArray[Any]) -> tuple[float, dict[str, Figure]]:
    """Return the median ratio of the times of trackpy to livetrack, and all figures; arrays of (livetrack, trackpy)."""
    speedup = float(np.median(times_ms[:, 1] / times_ms[:, 0]))
    livetrack_ms, trackpy_ms = np.median(times_ms, axis=0).tolist()
    figures: dict[str, Figure] = {"speedup": speedup, "livetrack_ms": livetrack_ms, "trackpy_ms": trackpy_ms}
    return speedup, figures | {"particles": float(particles[0]), "particles_trackpy": float(particles[1])}


def percentile_us(durations_ns: npt.NDArray[np.int64], percent: float) -> float:
    """Return a percentile of durations in µs, to 0.1 µs."""
    return round(float(np.percentile(durations_ns, percent)) / 1e3, 1)


def quiet_trackpy() -> Any:
    """Return the module trackpy, which then logs errors only."""
    import trackpy

    logging.getLogger("trackpy").setLevel(logging.ERROR)
    return trackpy


def locate_beads(frame: npt.NDArray[Any]) -> Any:
    """Return trackpy's table of the dark beads of one frame of bulk_water.tif."""
    return quiet_trackpy().locate(frame, 11, invert=True, minmass=20)
