"""The parts of the feedback bench."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from livetrack.bench.feedback.live import live_results
from livetrack.bench.feedback.lockstep import CASES, stability_results, variance_results
from livetrack.bench.feedback.stiffness import CORNERS_HZ, stiffness_results
from livetrack.bench.report import Report
from livetrack.bench.runner import Progress, Task, check_parts, machine, no_progress, run_tasks

__all__ = ["PARTS", "run_feedback"]

PARTS = ("theory", "edge", "live", "stiffness")

_FRAMES = 12_000  # at each gain
_LIVE_S = 60.0
_STABILITY_CASES = [case for case in CASES if case.model.exposure_s == 0 and case.model.action != "step"]
_QUICK = 8


def run_feedback(*, only: Collection[str] = PARTS, quick: bool = False, progress: Progress = no_progress) -> Report:
    """Run the parts in `only`; `quick` takes an eighth of the frames, too few to resolve 5 %.

    Raises
    ------
    UsageError
        Unknown part.
    LivetrackError
        A feedback client failed.
    """
    check_parts(only, PARTS)
    divisor = _QUICK if quick else 1
    tasks = [
        *(Task("theory", c.name, len(c.gains), partial(variance_results, c, _FRAMES // divisor)) for c in CASES),
        *(Task("edge", f"{c.name}, limit", 0.5, partial(stability_results, c)) for c in _STABILITY_CASES),
        Task("live", "real time", 3, partial(live_results, _LIVE_S / divisor)),
        *(Task("stiffness", f"stiffness, {hz} Hz", 0.2, partial(stiffness_results, hz)) for hz in CORNERS_HZ),
    ]
    targets = run_tasks(tasks, only=only, progress=progress)
    return Report(bench="feedback", machine=machine(), quick=quick, targets=targets)
