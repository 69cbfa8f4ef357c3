"""What the engine feels of an open window: its latency with and without one, in turns."""

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

from livetrack.bench.result import TargetResult
from livetrack.camera import Frame
from livetrack.config import load_config
from livetrack.particles import Rows
from livetrack.session.engine import Engine

__all__ = ["engine_interference"]

_SIDE_PX, _FPS, _COUNT = 512, 30, 60
_SETTLE_S = 4.0  # until the window is open, or gone
_MOST = 1.2
_DRAWS = 2000  # of the bootstrap


def engine_interference(pairs: int, seconds: float) -> TargetResult:
    """Return the factors by which p50 and p99 rise, with their 95 % intervals over the pairs."""
    latencies: list[float] = []
    lock = threading.Lock()

    def note(frame: Frame, _: Rows) -> None:
        with lock:
            latencies.append((time.perf_counter_ns() - frame.t_received_ns) * 1e-6)

    def measured() -> npt.NDArray[np.float64]:
        time.sleep(_SETTLE_S)
        with lock:
            latencies.clear()
        time.sleep(seconds)
        with lock:
            return np.array(latencies)

    without, beside = [], []
    with Engine(load_config(None, _SETTINGS)) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop, "on_rows": note}, daemon=True)
        thread.start()
        try:
            for pair in range(pairs):
                for open_ in (False, True) if pair % 2 else (True, False):
                    if open_:
                        with _window(engine.publisher.address):
                            beside.append(measured())
                    else:
                        without.append(measured())
        finally:
            stop.set()
            thread.join(20)
    figures: dict[str, float | str | None] = {}
    highest = 0.0
    for percent in (50, 99):
        before, after = (np.array([np.percentile(block, percent) for block in each]) for each in (without, beside))
        low, high = _interval(after / before)
        highest = max(highest, high)
        figures |= {
            f"p{percent}_ms": float(np.median(before)),
            f"p{percent}_beside_ms": float(np.median(after)),
            f"p{percent}_factor": float(np.median(after / before)),
            f"p{percent}_low": low,
            f"p{percent}_high": high,
        }
    return TargetResult(
        name="the engine's latency with the window open",
        definition=f"receipt to published, simulated camera {_SIDE_PX}x{_SIDE_PX}, {_COUNT} particles, {_FPS} frames a "
        f"second, full search; pairs of {seconds:g} s with a window and without one in turns; 95 % bootstrap interval "
        "of the median factor over the pairs",
        n=pairs,
        figures=figures,
        target=f"intervals of both factors below {_MOST:g}",
        met=highest < _MOST,
    )


_SETTINGS = [
    *(f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")),
    f"camera.simulated.width={_SIDE_PX}",
    f"camera.simulated.height={_SIDE_PX}",
    f"camera.simulated.count={_COUNT}",
    f"camera.simulated.fps={_FPS}",
    "camera.simulated.loop_frames=64",
]


def _interval(factors: npt.NDArray[np.float64]) -> tuple[float, float]:
    draws = np.random.default_rng(0).choice(factors, (_DRAWS, len(factors)))
    low, high = np.percentile(np.median(draws, axis=1), (2.5, 97.5))
    return float(low), float(high)


@contextmanager
def _window(address: str) -> Iterator[None]:
    """Have a window open in a process of its own, on no screen where there is none."""
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
