"""A refresh of the window beside the bare technique's, frame by frame in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from livetrack.bench.result import TargetResult
from livetrack.bench.viewer.baseline import BaselineView
from livetrack.bench.viewer.harness import SIDE, window_harness
from livetrack.bench.viewer.scene import MARKERS, TAIL_POINTS, TAILS, Frame, Scene
from livetrack.viewer.window import Window

__all__ = ["refresh_time"]

_WARM = TAIL_POINTS + 5  # until the tails have their length
_MOST = 1.3


def refresh_time(app: Any, side_px: int, frames: int) -> TargetResult:
    """Return how long a refresh takes, by the processor's clock and on the wall, beside two bare ones."""
    scene = Scene(side_px)
    peers = [BaselineView(whole=False), BaselineView(whole=True)]
    for peer in peers:
        peer.resize(SIDE, SIDE)
        peer.show()
    app.processEvents()
    times: dict[str, list[tuple[float, float]]] = {"window": [], "bare": [], "bare_whole": []}
    with window_harness(app, fps=0.01) as window:
        for _ in range(_WARM + frames):
            frame = scene.next()
            window.feed(partial(_same, frame))
            times["window"].append(_timed(partial(_refresh, window.window)))
            for name, peer in zip(("bare", "bare_whole"), peers, strict=True):
                times[name].append(_timed(partial(_draw, peer, frame)))
            app.processEvents()
    for peer in peers:
        peer.close()
    spent = {name: np.array(pairs[_WARM:]) * 1e3 for name, pairs in times.items()}
    figures: dict[str, float | str | None] = {}
    for name, pairs in spent.items():
        figures[f"{name}_ms"] = float(np.median(pairs[:, 0]))
        figures[f"{name}_p95_ms"] = float(np.percentile(pairs[:, 0], 95))
    ratio = float(np.median(spent["window"][:, 0] / spent["bare"][:, 0]))
    figures |= {
        "ratio": ratio,
        "ratio_whole": float(np.median(spent["window"][:, 0] / spent["bare_whole"][:, 0])),
        "ratio_wall": float(np.median(spent["window"][:, 1] / spent["bare"][:, 1])),
    }
    return TargetResult(
        name=f"refresh, {side_px}x{side_px} px, {MARKERS:,} markers, {TAILS} tails of {TAIL_POINTS}",
        definition=f"from a message's content to painted pixels, viewport {SIDE}x{SIDE}, processor time of the "
        "thread, in turns with the bare technique on the same frame: one image item with the same 8-bit picture, one "
        "scatter item, one item for all tails; `whole`: the same with all pixels in 16 bits; median of the ratios",
        n=frames,
        figures=figures,
        target=f"at most {_MOST:g} x the bare technique",
        met=ratio <= _MOST,
    )


def _same(frame: Frame) -> Frame:
    return frame


def _refresh(window: Window) -> None:
    window.refresh()
    window.central.view.viewport().repaint()


def _draw(peer: BaselineView, frame: Frame) -> None:
    peer.show_frame(frame)
    peer.viewport().repaint()


def _timed(call: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds that a call takes: of this thread's processor time, and on the wall."""
    busy, start = time.thread_time(), time.perf_counter()
    call()
    return time.thread_time() - busy, time.perf_counter() - start
