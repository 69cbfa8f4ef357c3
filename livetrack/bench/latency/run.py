"""The parts of the latency bench."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from itertools import islice
from pathlib import Path

from livetrack.bench.latency.comparisons import (
    FOLLOWED,
    SEARCH_WARM_UP,
    compare_followed_with_full_search,
    compare_with_full_search,
    compare_with_trackpy,
)
from livetrack.bench.latency.end_to_end import (
    PATH_WARM_UP,
    Case,
    cases,
    end_to_end_result,
    end_to_end_table,
    measure_case,
)
from livetrack.bench.latency.soak import SAMPLES, SoakSample, soak, soak_table
from livetrack.bench.latency.subscriber_load import measure_subscriber_load
from livetrack.bench.latency.while_recording import RECORDED, RECORDING_PAIRS, measure_while_recording
from livetrack.bench.report import Report
from livetrack.bench.result import TargetResult, not_measured
from livetrack.bench.runner import Progress, Task, check_parts, machine, no_progress, run_tasks
from livetrack.localize import load_localizer
from livetrack.movies import open_movie

__all__ = ["PARTS", "run_latency"]

PARTS = ("path", "following", "recording", "readers", "disk")

_PATH_FRAMES, _SEARCH_FRAMES, _RECORDING_FRAMES, _PAIRS = 400, 240, 100, 40
_FOLLOWED_FRAMES = 4000
_DISK_S = 30.0
_DISK_WEIGHT = 30  # a second of this part takes as long as so many frames of the other parts
_FOLLOWED_WEIGHT = 10  # frames of this part take as long as one of the other parts
_PAIR_WEIGHT = 300  # a pair takes as long as this many frames of the other parts
_MINUTE_WEIGHT = 1500
_QUICK = 4


def run_latency(
    *,
    only: Collection[str] = PARTS,
    quick: bool = False,
    recording: Path | None = None,
    soak_minutes: float = 0.0,
    progress: Progress = no_progress,
) -> Report:
    """Run the parts in `only`, then a soak of `soak_minutes`, if any; other work on the machine affects the figures.

    `quick` takes a quarter of the frames. Without a `recording`, the target of that part is reported as not measured.

    Raises
    ------
    UsageError
        Unknown part.
    InputError
        The recording cannot be read.
    """
    check_parts(only, PARTS)
    divisor = _QUICK if quick else 1
    path_frames, search_frames, pairs = (count // divisor for count in (_PATH_FRAMES, _SEARCH_FRAMES, _PAIRS))
    frames = []
    if recording and "recording" in only:
        frames = list(islice(open_movie(recording), _RECORDING_FRAMES // divisor))
    path: list[TargetResult] = []
    samples: list[SoakSample] = []

    def measure_path(case: Case, step: Callable[[], None]) -> list[TargetResult]:
        path.append(end_to_end_result(case, measure_case(case, path_frames, step)))
        return path[-1:]

    def measure_soak(step: Callable[[], None]) -> list[TargetResult]:
        result, intervals = soak(soak_minutes, step)
        samples.extend(intervals)
        return [result]

    path_steps = PATH_WARM_UP + path_frames
    search_steps = SEARCH_WARM_UP + search_frames
    followed_frames = _FOLLOWED_FRAMES // divisor
    follow_steps = SEARCH_WARM_UP + followed_frames
    compare_search = partial(compare_with_full_search, search_frames)
    tasks = [
        *(Task("path", case.name, path_steps, partial(measure_path, case), path_steps) for case in cases()),
        *(
            Task(
                "following",
                f"{count} followed",
                follow_steps / _FOLLOWED_WEIGHT,
                partial(compare_followed_with_full_search, side_px, count, followed_frames),
                follow_steps,
            )
            for side_px, count in FOLLOWED
        ),
        Task("following", "guided search", search_steps, compare_search, search_steps),
        Task("recording", "the recording", len(frames), partial(compare_with_trackpy, frames), len(frames))
        if frames
        else Task("recording", "the recording", 1, lambda: [_NO_RECORDING]),
        Task("readers", "client load", pairs * _PAIR_WEIGHT, partial(measure_subscriber_load, pairs), pairs),
    ]
    seconds = _DISK_S / divisor
    tasks += [
        Task(
            "disk",
            f"recording {side_px} px",
            2 * RECORDING_PAIRS * seconds * _DISK_WEIGHT,
            partial(measure_while_recording, side_px, fps, seconds),
            RECORDING_PAIRS,
        )
        for side_px, fps in RECORDED
    ]
    if soak_minutes:
        label = f"soak, {soak_minutes:g} minutes"
        tasks.append(Task("soak", label, soak_minutes * _MINUTE_WEIGHT, measure_soak, SAMPLES))
    return Report(
        bench="latency",
        machine=machine(f"network on {load_localizer().provider}"),
        quick=quick,
        targets=run_tasks(tasks, only=[*only, "soak"], progress=progress),
        tables=[*([end_to_end_table(path)] if path else []), *([soak_table(samples)] if samples else [])],
        measurements={"soak": samples},
    )


_NO_RECORDING = not_measured(
    "full frame, the recording: find and link against trackpy",
    "at least 4 x the frame rate",
    needs="--recording bulk_water.tif",
)
