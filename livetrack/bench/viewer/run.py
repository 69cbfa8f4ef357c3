"""The parts of the window bench."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import partial

from livetrack.bench.report import Report
from livetrack.bench.runner import Progress, Task, check_parts, machine, no_progress, run_tasks

__all__ = ["PARTS", "run_window"]

PARTS = ("refresh", "beside", "busy")
"""The last one lowers the priority of this process."""

_SIDES_PX = 512, 2048
_FRAMES, _LOAD_S, _PAIRS, _PAIR_S = 240, 20.0, 16, 10.0
_QUICK = 4


def run_window(*, only: Collection[str] = PARTS, quick: bool = False, progress: Progress = no_progress) -> Report:
    """Run the parts in `only`, off screen if there is no display; other work on the machine affects the figures.

    `quick` takes a quarter of the frames, seconds and pairs.

    Raises
    ------
    UsageError
        Unknown part.
    """
    check_parts(only, PARTS)
    from livetrack.viewer import display_problem

    if display_problem():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    import pyqtgraph

    from livetrack.bench.viewer.cpu_load import refresh_under_load
    from livetrack.bench.viewer.interference import engine_interference
    from livetrack.bench.viewer.refresh import refresh_time

    app = pyqtgraph.mkQApp("livetrack")
    app.setStyle("Fusion")
    divisor = _QUICK if quick else 1
    pairs, pair_s, load_s = max(2, _PAIRS // divisor), _PAIR_S / divisor, _LOAD_S / divisor
    tasks = [
        *(
            Task("refresh", f"refresh, {side} px", 20 / divisor, partial(refresh_time, app, side, _FRAMES // divisor))
            for side in _SIDES_PX
        ),
        Task("beside", "engine latency", 2 * pairs * pair_s, partial(engine_interference, pairs, pair_s)),
        Task("busy", "refresh under load", load_s, partial(refresh_under_load, app, load_s)),
    ]
    targets = run_tasks(tasks, only=only, progress=progress)
    return Report(bench="window", machine=machine(), quick=quick, targets=targets)
