"""Track-guided against full search, and the tracker against trackpy, frame by frame in turns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.bench.matching import GATE_PX
from livetrack.bench.result import TargetResult
from livetrack.bench.timing import TRACKPY_LOCATE, locate_beads, quiet_trackpy, speedup_figures, time_in_turns, timed
from livetrack.camera import load_driver
from livetrack.linking import Linker
from livetrack.localize import load_localizer
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Rows
from livetrack.tracker import Tracker

__all__ = [
    "FOLLOWED", "SEARCH_WARM_UP", "compare_followed_with_full_search", "compare_with_full_search",
    "compare_with_trackpy",
]  # fmt: skip

SEARCH_WARM_UP = 90
"""Frames after which the guided search knows all particles."""

FOLLOWED = {(64, 1): 60.0, (128, 5): 100.0}
"""Side of the image, px, and number of particles: maximum duration of an update, median, µs."""

_SIDE_PX, _COUNT, _FPS = 2048, 200, 100
_LOOP_FRAMES = 12
_FULL_SEARCH_EVERY = 4  # frames


def compare_with_full_search(frames: int, step: Callable[[], None]) -> list[TargetResult]:
    """Compare the speed and the positions of guided and full search; `step` is called after each frame.

    There are `SEARCH_WARM_UP` + `frames` frames.
    """
    guided, full = (Tracker(load_localizer(), Linker(5.0, 2, "velocity"), follow=follow) for follow in (True, False))
    for tracker in (guided, full):  # as a session does
        tracker.warmup((_SIDE_PX, _SIDE_PX), (np.uint16,))
        tracker.choose_threads((_SIDE_PX, _SIDE_PX))
    guided_ms, full_ms, differences = [], [], []
    missed = found = 0
    for number, frame in enumerate(_frames(SEARCH_WARM_UP + frames)):
        milliseconds, rows = timed(guided.update, frame, number / _FPS)
        if number >= SEARCH_WARM_UP:
            guided_ms.append(milliseconds)
            if number % _FULL_SEARCH_EVERY == 0:
                milliseconds, reference = timed(full.update, frame, number / _FPS)
                full_ms.append(milliseconds)
                difference = _differences(rows, reference)
                differences.append(difference)
                found += len(difference)
                missed += len(reference) - len(difference)
        step()
    speedup = float(np.median(full_ms) / np.median(guided_ms))
    difference = np.concatenate(differences)
    rms, rate = float(np.sqrt(np.mean(difference**2))), 1e3 / float(np.median(guided_ms))
    return [
        TargetResult(
            name=f"guided against full search, {_SIDE_PX}x{_SIDE_PX} px, {_COUNT} particles",
            definition=f"find, refine and link 16-bit frames of the simulated camera, {os.cpu_count()} cores, threads "
            f"chosen as in a session ({guided.localizer.threads} and {full.localizer.threads}); ratio of the medians, "
            f"every {_FULL_SEARCH_EVERY}th frame is searched in full as well; differences in units of the full "
            f"search's x_std (or y_std), of particles within {GATE_PX:g} px of each other",
            n=len(guided_ms),
            figures={
                "speedup": speedup,
                "frames_per_s": rate,
                "guided_ms": float(np.median(guided_ms)),
                "guided_p99_ms": float(np.percentile(guided_ms, 99)),
                "full_ms": float(np.median(full_ms)),
                "difference_rms": rms,
                "difference_p50": float(np.median(difference)),
                "difference_p99": float(np.percentile(difference, 99)),
                "fraction_missed": missed / max(1, missed + found),
            },
            target="at least 20 x faster, at least 200 frames/s, positions within 0.1 x_std (RMS)",
            met=speedup >= 20 and rate >= 200 and rms <= 0.1,
        )
    ]


def compare_followed_with_full_search(
    side_px: int, count: int, frames: int, step: Callable[[], None]
) -> list[TargetResult]:
    """Compare the duration of an update of a few followed particles with that of full search.

    There are `SEARCH_WARM_UP` + `frames` frames; `step` is called after each.
    """
    guided, full = (Tracker(load_localizer(), Linker(5.0, 2, "velocity"), follow=follow) for follow in (True, False))
    for tracker in (guided, full):
        tracker.warmup((side_px, side_px), (np.uint16,))
    runs = _count_network_runs(guided)
    guided_us, full_us, searched, differences = [], [], 0, []
    for number, frame in enumerate(_frames(SEARCH_WARM_UP + frames, side_px, count)):
        before = runs[0]
        milliseconds, rows = timed(partial(guided.update, learn=False), frame, number / _FPS)
        guided.learn()  # as in a session, after the rows were published
        if number >= SEARCH_WARM_UP:
            guided_us.append(1e3 * milliseconds)
            searched += runs[0] > before
        if number % _FULL_SEARCH_EVERY == 0:
            milliseconds, reference = timed(partial(full.update, learn=False), frame, number / _FPS)
            full.learn()
            if number >= SEARCH_WARM_UP:
                full_us.append(1e3 * milliseconds)
                differences.append(_differences(rows, reference))
        step()
    p50_us, target_us = float(np.median(guided_us)), FOLLOWED[side_px, count]
    particles = "1 particle" if count == 1 else f"{count} particles"
    return [
        TargetResult(
            name=f"followed without network, {side_px}x{side_px} px, {particles}",
            definition="whole update (measure or find, refine, link) of 16-bit frames of the simulated camera, one "
            "after the other, without learning from the frame, which a session does afterwards; every "
            f"{_FULL_SEARCH_EVERY}th frame is searched in full as well; differences in units of the full search's "
            "x_std (or y_std)",
            n=len(guided_us),
            figures={
                "p50_us": p50_us,
                "p99_us": float(np.percentile(guided_us, 99)),
                "full_p50_us": float(np.median(full_us)),
                "speedup": float(np.median(full_us)) / p50_us,
                "fraction_searched": searched / max(1, len(guided_us)),
                "difference_rms": float(np.sqrt(np.mean(np.concatenate(differences) ** 2))),
            },
            target=f"p50 at most {target_us:g} µs",
            met=p50_us <= target_us,
        )
    ]


def _count_network_runs(tracker: Tracker) -> list[int]:
    """Return a list whose only item is the number of runs of the tracker's network from now on."""
    assert isinstance(tracker.localizer, NetworkLocalizer)
    inference, runs = tracker.localizer.inference, [0]
    run = inference.run

    def counted(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        runs[0] += 1
        return run(batch)

    inference.run = counted  # type: ignore[method-assign]  # observes the real one
    return runs


def compare_with_trackpy(frames: Sequence[npt.NDArray[Any]], step: Callable[[], None]) -> list[TargetResult]:
    """Compare the tracker's frame rate on the recording with trackpy's, with and without profile fit."""
    trackers = [Tracker(load_localizer("bead", profile_fit=fit), Linker(5.0, 3)) for fit in (True, False)]
    for tracker in trackers:
        tracker.warmup(frames[0].shape, (frames[0].dtype,))
    pending: list[npt.NDArray[np.float64]] = []
    linked = quiet_trackpy().link_iter((pending.pop() for _ in frames), search_range=5, memory=3)

    def trackpy_update(frame: npt.NDArray[Any]) -> Any:
        pending.append(locate_beads(frame)[["y", "x"]].to_numpy())
        return next(linked)[1]

    times_ms, counts = time_in_turns([*(tracker.update for tracker in trackers), trackpy_update], frames, step)
    results = []
    for column, name in enumerate(("", ", without profile fit")):
        speedup, figures = speedup_figures(times_ms[:, [column, -1]], counts.mean(axis=0)[[column, -1]])
        results.append(
            TargetResult(
                name=f"full frame, the recording: find and link against trackpy{name}",
                definition=f"model bead, full search, search radius 5 px, memory 3, against {TRACKPY_LOCATE} and "
                "link_iter(search_range=5, memory=3); frame by frame in turns, median of the ratios",
                n=len(frames),
                figures=figures,
                target="at least 4 x the frame rate",
                met=speedup >= 4,
            )
        )
    return results


def _frames(frames: int, side_px: int = _SIDE_PX, count: int = _COUNT) -> Iterator[npt.NDArray[Any]]:
    """Yield frames of the simulated camera, `side_px` wide and high, with `count` particles."""
    driver = load_driver("simulated")
    settings = driver.Settings(
        width=side_px, height=side_px, count=count, fps=_FPS, loop_frames=_LOOP_FRAMES, lockstep=True,
        min_distance_um=1.5,
    )  # fmt: skip
    camera = driver(settings)
    camera.open()
    yield from islice((picture.pixels for picture in camera.pictures() if picture is not None), frames)


def _differences(rows: Rows, reference: Rows) -> npt.NDArray[np.float64]:
    """Return (N,) the larger difference of both axes over the uncertainty, for the reference rows with a row near."""
    if not len(rows) or not len(reference):
        return np.zeros(0)
    distance = np.hypot(reference["x"][:, None] - rows["x"], reference["y"][:, None] - rows["y"])
    near = distance.min(axis=1) < GATE_PX
    reference, rows = reference[near], rows[distance.argmin(axis=1)[near]]
    x, y = (np.abs(rows[axis] - reference[axis]) / reference[f"{axis}_std"] for axis in ("x", "y"))
    larger: npt.NDArray[np.float64] = np.maximum(x, y).astype(np.float64)
    return larger
