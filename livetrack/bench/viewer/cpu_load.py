"""Refresh rate of the window while every core is busy."""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import Any

import numpy as np

from livetrack.bench.result import TargetResult
from livetrack.bench.viewer.harness import SIDE, window_harness
from livetrack.bench.viewer.scene import MARKERS, TRAILS, Scene
from livetrack.viewer.app import lower_priority
from livetrack.viewer.qt import QtCore

__all__ = ["refresh_under_load"]

_FPS = 30
_SIDE_PX = 512
_SETTLE_S = 2.0


def refresh_under_load(app: Any, seconds: float) -> list[TargetResult]:
    """Count the refreshes of each second while one process per core keeps it busy."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for process in processes:
        process.start()
    lower_priority()  # as the window's own process does
    rates: list[int] = []
    try:
        with window_harness(app, fps=_FPS) as harness:
            harness.feed(Scene(_SIDE_PX).next)
            timer = QtCore.QTimer()
            timer.timeout.connect(lambda: rates.append(harness.window.frame_presenter.fps(time.perf_counter())))
            timer.start(1000)
            loop = QtCore.QEventLoop()  # the application's own loop does not start again after its windows closed
            QtCore.QTimer.singleShot(round((_SETTLE_S + seconds) * 1000), loop.quit)
            loop.exec()
            timer.stop()
    finally:
        for process in processes:
            process.kill()
            process.join()
    rates = rates[round(_SETTLE_S) :]
    return [
        TargetResult(
            name=f"refreshes per second, {len(processes)} busy processes on {os.cpu_count()} cores",
            definition=f"{_SIDE_PX}x{_SIDE_PX} px, {MARKERS:,} markers, {TRAILS} trails, viewport {SIDE}x{SIDE}, all "
            f"panels open, a new frame for each of {_FPS} refreshes per second; counted each second",
            n=len(rates),
            figures={"median": float(np.median(rates)), "min": float(min(rates))},
            target=f"median at least {_FPS - 1} of {_FPS}",
            met=bool(np.median(rates) >= _FPS - 1),
        )
    ]


def _spin() -> None:
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():
        for _ in range(1_000_000):
            pass
