"""How many refreshes a second are kept while every core is busy with something else."""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import Any

import numpy as np

from livetrack.bench.result import TargetResult
from livetrack.bench.viewer.harness import SIDE, window_harness
from livetrack.bench.viewer.scene import MARKERS, TAILS, Scene
from livetrack.viewer.app import lower_priority
from livetrack.viewer.qt import QtCore

__all__ = ["refresh_under_load"]

_FPS = 30
_SIDE_PX = 512
_SETTLE_S = 2.0


def refresh_under_load(app: Any, seconds: float) -> TargetResult:
    """Return the refreshes of each second with a process that never rests on each core."""
    spawn = multiprocessing.get_context("spawn")
    others = [spawn.Process(target=_spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for other in others:
        other.start()
    lower_priority()  # as the window's own process does
    rates: list[int] = []
    try:
        with window_harness(app, fps=_FPS) as window:
            window.feed(Scene(_SIDE_PX).next)
            look = QtCore.QTimer()
            look.timeout.connect(lambda: rates.append(window.window.frame_presenter.fps(time.perf_counter())))
            look.start(1000)
            loop = QtCore.QEventLoop()  # after the application's own has ended with its windows, no other begins
            QtCore.QTimer.singleShot(round((_SETTLE_S + seconds) * 1000), loop.quit)
            loop.exec()
            look.stop()
    finally:
        for other in others:
            other.kill()
            other.join()
    rates = rates[round(_SETTLE_S) :]
    return TargetResult(
        name=f"refreshes a second, {len(others)} busy processes on {os.cpu_count()} cores",
        definition=f"{_SIDE_PX}x{_SIDE_PX} px, {MARKERS:,} markers, {TAILS} tails, viewport {SIDE}x{SIDE}, all panels "
        f"open, a new frame for each of {_FPS} refreshes a second; counted second by second",
        n=len(rates),
        figures={"median": float(np.median(rates)), "least": float(min(rates))},
        target=f"{_FPS} kept: a median of at least {_FPS - 1}",
        met=bool(np.median(rates) >= _FPS - 1),
    )


def _spin() -> None:
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():
        for _ in range(1_000_000):
            pass
