"""Following beside a full search, and the tracker on a real recording beside trackpy's: frame by frame in turns."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.bench.matching import GATE_PX
from livetrack.bench.result import TargetResult
from livetrack.camera import load_driver
from livetrack.linking import Linker
from livetrack.localize import load_localizer
from livetrack.particles import Rows
from livetrack.tracker import Tracker

__all__ = ["compare_with_full_search", "compare_with_trackpy"]

_SIDE_PX, _COUNT, _FPS = 2048, 200, 100
_LOOP = 12  # frames that are played to and fro
_ROUND = 90  # frames, after which all particles must be known
_SEARCH_EVERY = 4  # frames


def compare_with_full_search(frames: int, step: Callable[[], None]) -> TargetResult:
    """Return how much quicker following is than a full search of the same frames, and how their places differ."""
    following, searching = (
        Tracker(load_localizer(), Linker(5.0, 2, "velocity"), follow=follow) for follow in (True, False)
    )
    for tracker in (following, searching):  # as a session does
        tracker.warmup((_SIDE_PX, _SIDE_PX), (np.uint16,))
        tracker.choose_threads((_SIDE_PX, _SIDE_PX))
    quick, slow, differences = [], [], []
    missed = found = 0
    for number, frame in enumerate(_scene(_ROUND + frames)):
        milliseconds, rows = _timed(following.update, frame, number / _FPS)
        if number >= _ROUND:
            quick.append(milliseconds)
            if number % _SEARCH_EVERY == 0:
                milliseconds, whole = _timed(searching.update, frame, number / _FPS)
                slow.append(milliseconds)
                difference = _differences(rows, whole)
                differences.append(difference)
                found += len(difference)
                missed += len(whole) - len(difference)
        step()
    ratio = float(np.median(slow) / np.median(quick))
    difference = np.concatenate(differences)
    rms, rate = float(np.sqrt(np.mean(difference**2))), 1e3 / float(np.median(quick))
    return TargetResult(
        name=f"following against full search, {_SIDE_PX}x{_SIDE_PX} px, {_COUNT} particles",
        definition=f"find, fit and link the simulated camera's frames of 16 bits, {os.cpu_count()} cores, threads "
        f"chosen as in a session ({following.localizer.threads} and {searching.localizer.threads}); ratio of the "
        f"medians, each {_SEARCH_EVERY}th frame searched as well; differences over the x_std (or y_std) of the full "
        f"search, of particles within {GATE_PX:g} px of each other: those are all but the share missed",
        n=len(quick),
        figures={
            "faster": ratio,
            "frames_per_s": rate,
            "follow_ms": float(np.median(quick)),
            "follow_p99_ms": float(np.percentile(quick, 99)),
            "full_ms": float(np.median(slow)),
            "difference_rms": rms,
            "difference_p50": float(np.median(difference)),
            "difference_p99": float(np.percentile(difference, 99)),
            "share_missed": missed / max(1, missed + found),
        },
        target="at least 8 x faster, at least 30 frames/s, positions within 0.1 x_std (RMS)",
        met=ratio >= 8 and rate >= 30 and rms <= 0.1,
    )


def compare_with_trackpy(frames: Sequence[npt.NDArray[Any]], step: Callable[[], None]) -> list[TargetResult]:
    """Return how many times trackpy's frame rate the tracker reaches on the recording, with profile fit and without."""
    import trackpy

    logging.getLogger("trackpy").setLevel(logging.ERROR)
    trackers = [Tracker(load_localizer("bead", profile_fit=fit), Linker(5.0, 3)) for fit in (True, False)]
    for tracker in trackers:
        tracker.warmup(frames[0].shape, (frames[0].dtype,))
    waiting: list[npt.NDArray[np.float64]] = []
    linked = trackpy.link_iter((waiting.pop() for _ in frames), search_range=5, memory=3)

    def theirs(frame: npt.NDArray[Any]) -> Any:
        spots = trackpy.locate(frame, 11, invert=True, minmass=20)
        waiting.append(spots[["y", "x"]].to_numpy())
        return next(linked)[1]

    calls: list[Callable[..., Any]] = [*(tracker.update for tracker in trackers), theirs]
    times, found = np.empty((len(frames), len(calls))), np.zeros(len(calls))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # trackpy 0.7 in its use of pandas 3
        for n, frame in enumerate(frames):
            for k, call in enumerate(calls):
                times[n, k], rows = _timed(call, frame)
                found[k] += len(rows)
            step()
    return [
        _against_trackpy(what, times[:, k], times[:, -1], found[[k, -1]] / len(frames))
        for k, what in enumerate(("", ", without profile fit"))
    ]


def _against_trackpy(
    what: str, ours_ms: npt.NDArray[np.float64], theirs_ms: npt.NDArray[np.float64], found: npt.NDArray[np.float64]
) -> TargetResult:
    ratio = float(np.median(theirs_ms / ours_ms))
    return TargetResult(
        name=f"full frame, the recording: find and link against trackpy{what}",
        definition="model bead, full search, search radius 5 px, memory 3, against trackpy.locate(frame, 11, "
        "invert=True, minmass=20) and link_iter(search_range=5, memory=3); frame by frame in turns, median of the "
        "ratios",
        n=len(ours_ms),
        figures={
            "faster": ratio,
            "livetrack_ms": float(np.median(ours_ms)),
            "trackpy_ms": float(np.median(theirs_ms)),
            "particles": float(found[0]),
            "particles_trackpy": float(found[1]),
        },
        target="at least 4 x the frame rate",
        met=ratio >= 4,
    )


def _scene(count: int) -> Iterator[npt.NDArray[Any]]:
    """Yield frames of the simulated camera."""
    camera = load_driver("simulated")
    settings = camera.Settings(
        width=_SIDE_PX, height=_SIDE_PX, count=_COUNT, fps=_FPS, loop_frames=_LOOP, lockstep=True, min_distance_um=1.5
    )
    device = camera(settings)
    device.open()
    yield from islice((picture.pixels for picture in device.pictures() if picture is not None), count)


def _differences(rows: Rows, others: Rows) -> npt.NDArray[np.float64]:
    """Return (N,) the larger of the two axes' differences over the uncertainty, for the `others` that are found."""
    if not len(rows) or not len(others):
        return np.zeros(0)
    distance = np.hypot(others["x"][:, None] - rows["x"], others["y"][:, None] - rows["y"])
    near = distance.min(axis=1) < GATE_PX
    others, rows = others[near], rows[distance.argmin(axis=1)[near]]
    x, y = (np.abs(rows[axis] - others[axis]) / others[f"{axis}_std"] for axis in ("x", "y"))
    larger: npt.NDArray[np.float64] = np.maximum(x, y).astype(np.float64)
    return larger


def _timed(call: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    start_ns = time.perf_counter_ns()
    result = call(*arguments)
    return (time.perf_counter_ns() - start_ns) * 1e-6, result
