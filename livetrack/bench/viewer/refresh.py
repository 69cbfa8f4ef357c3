"""Duration of a refresh of the window against bare pyqtgraph, frame by frame in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from livetrack.bench.result import Figure, TargetResult
from livetrack.bench.viewer.baseline import BaselineView
from livetrack.bench.viewer.harness import SIDE, window_harness
from livetrack.bench.viewer.scene import MARKERS, TRAIL_POINTS, TRAILS, Frame, Scene
from livetrack.viewer.window import Window

__all__ = ["refresh_time"]

_WARM_UP = TRAIL_POINTS + 5  # frames until the trails have their full length
_MAX_RATIO = 1.3


def refresh_time(app: Any, side_px: int, frames: int) -> list[TargetResult]:
    """Return the processor and wall time of a refresh, and its ratios to those of two baselines."""
    scene = Scene(side_px)
    baselines = {"baseline": BaselineView(full=False), "baseline_full": BaselineView(full=True)}
    for view in baselines.values():
        view.resize(SIDE, SIDE)
        view.show()
    app.processEvents()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ("window", *baselines)}
    with window_harness(app, fps=0.01) as harness:
        for _ in range(_WARM_UP + frames):
            frame = scene.next()
            harness.feed(partial(_same, frame))
            times["window"].append(_durations(partial(_refresh, harness.window)))
            for name, view in baselines.items():
                times[name].append(_durations(partial(_draw, view, frame)))
            app.processEvents()
    for view in baselines.values():
        view.close()
    spent = {name: np.array(durations[_WARM_UP:]) * 1e3 for name, durations in times.items()}
    figures: dict[str, Figure] = {}
    for name, durations in spent.items():
        figures[f"{name}_ms"] = float(np.median(durations[:, 0]))
        figures[f"{name}_p95_ms"] = float(np.percentile(durations[:, 0], 95))
    ratio = float(np.median(spent["window"][:, 0] / spent["baseline"][:, 0]))
    figures |= {
        "ratio": ratio,
        "ratio_full": float(np.median(spent["window"][:, 0] / spent["baseline_full"][:, 0])),
        "ratio_wall": float(np.median(spent["window"][:, 1] / spent["baseline"][:, 1])),
    }
    return [
        TargetResult(
            name=f"refresh, {side_px}x{side_px} px, {MARKERS:,} markers, {TRAILS} trails of {TRAIL_POINTS}",
            definition=f"from the content of a message to painted pixels, viewport {SIDE}x{SIDE}, processor time of "
            "the thread, in turns with bare pyqtgraph on the same frame: one image item with the same 8-bit image, one "
            "scatter item, one item for all trails; `full`: the same with all pixels in 16 bits; median of the ratios",
            n=frames,
            figures=figures,
            target=f"at most {_MAX_RATIO:g} x bare pyqtgraph",
            met=ratio <= _MAX_RATIO,
        )
    ]


def _same(frame: Frame) -> Frame:
    return frame


def _refresh(window: Window) -> None:
    window.refresh()
    window.central.view.viewport().repaint()


def _draw(view: BaselineView, frame: Frame) -> None:
    view.show_frame(frame)
    view.viewport().repaint()


def _durations(call: Callable[[], None]) -> tuple[float, float]:
    """Return the duration of a call, s: processor time of this thread, and wall time."""
    busy, start = time.thread_time(), time.perf_counter()
    call()
    return time.thread_time() - busy, time.perf_counter() - start
