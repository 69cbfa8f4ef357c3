"""Effect of an open window on the engine's latency: blocks with and without a window in turns."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from livetrack.bench.result import Figure, TargetResult
from livetrack.bench.session import simulated_session
from livetrack.camera import Frame
from livetrack.config import load_config
from livetrack.particles import Rows
from livetrack.session.engine import Engine

__all__ = ["engine_interference"]

_SIDE_PX, _FPS, _COUNT = 512, 30, 60
_SETTLE_S = 4.0  # time to open or close the window
_MAX_RATIO = 1.2
_RESAMPLES = 2000


def engine_interference(pairs: int, seconds: float) -> list[TargetResult]:
    """Return the factors by which p50 and p99 rise, with their 95 % intervals over the pairs."""
    latencies: list[float] = []
    lock = threading.Lock()

    def record(frame: Frame, _: Rows) -> None:
        with lock:
            latencies.append((time.perf_counter_ns() - frame.t_received_ns) * 1e-6)

    def measure_block() -> npt.NDArray[np.float64]:
        time.sleep(_SETTLE_S)
        with lock:
            latencies.clear()
        time.sleep(seconds)
        with lock:
            return np.array(latencies)

    alone, loaded = [], []
    overrides = simulated_session(width=_SIDE_PX, height=_SIDE_PX, count=_COUNT, fps=_FPS, loop_frames=64)
    with Engine(load_config(None, overrides)) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop, "on_rows": record}, daemon=True)
        thread.start()
        try:
            for pair in range(pairs):
                for with_window in (False, True) if pair % 2 else (True, False):
                    if with_window:
                        with _window(engine.publisher.address):
                            loaded.append(measure_block())
                    else:
                        alone.append(measure_block())
        finally:
            stop.set()
            thread.join(20)
    figures: dict[str, Figure] = {}
    highest = 0.0
    for percent in (50, 99):
        before, after = (np.array([np.percentile(block, percent) for block in blocks]) for blocks in (alone, loaded))
        low, high = _interval(after / before)
        highest = max(highest, high)
        figures |= {
            f"p{percent}_ms": float(np.median(before)),
            f"p{percent}_with_window_ms": float(np.median(after)),
            f"p{percent}_factor": float(np.median(after / before)),
            f"p{percent}_low": low,
            f"p{percent}_high": high,
        }
    return [
        TargetResult(
            name="latency of the engine with the window open",
            definition=f"from receipt to publication, simulated camera {_SIDE_PX}x{_SIDE_PX} px, {_COUNT} particles, "
            f"{_FPS} frames/s, full search; pairs of {seconds:g} s with and without a window in turns; 95 % bootstrap "
            "interval of the median factor over the pairs",
            n=pairs,
            figures=figures,
            target=f"intervals of both factors below {_MAX_RATIO:g}",
            met=highest < _MAX_RATIO,
        )
    ]


def _interval(factors: npt.NDArray[np.float64]) -> tuple[float, float]:
    draws = np.random.default_rng(0).choice(factors, (_RESAMPLES, len(factors)))
    low, high = np.percentile(np.median(draws, axis=1), (2.5, 97.5))
    return float(low), float(high)


@contextmanager
def _window(address: str) -> Iterator[None]:
    """Keep a window open in another process, off screen if there is no display."""
    from livetrack.viewer import display_problem

    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"XDG_CONFIG_HOME": home}
        if display_problem():
            environment["QT_QPA_PLATFORM"] = "offscreen"
        command = [sys.executable, "-m", "livetrack", "view", address, "--no-config", "--close-on-eof"]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.kill()
            process.communicate()
