"""One closed loop through the whole system: camera, network, linker, sockets, client process, commands."""

from __future__ import annotations

import multiprocessing
import threading
from typing import Any

from livetrack.bench.feedback.client import LoopPlan, LoopRun, run_client
from livetrack.bench.session import simulated_session
from livetrack.config import load_config
from livetrack.errors import LivetrackError
from livetrack.session.engine import Engine

__all__ = ["PIXEL_UM", "closed_loop", "loop_settings"]

PIXEL_UM = 0.1
_SIDE_PX = 32


def loop_settings(**simulated: Any) -> list[str]:
    """Return the settings of a session with one 1 µm bead in water, a spot at the centre of a small image."""
    scene: dict[str, Any] = {
        "width": _SIDE_PX, "height": _SIDE_PX, "pixel_size_um": PIXEL_UM, "count": 1, "spread": 0.0, "gradient": 0.0,
        "min_distance_um": 0.95 * _SIDE_PX * PIXEL_UM, "drift_um_s": [0.0, 0.0],
    }  # fmt: skip
    overrides = "publish.preview_fps=0", f"linker.search_radius_px={2 * _SIDE_PX}", "localizer.threads=1"
    return simulated_session(*overrides, **(scene | simulated))


def closed_loop(overrides: list[str], plan: LoopPlan) -> LoopRun:
    """Run an engine in this process and the client in another one until the plan is carried out.

    Raises
    ------
    LivetrackError
        The client failed.
    """
    stop = threading.Event()
    with Engine(load_config(None, overrides)) as engine:
        spawn = multiprocessing.get_context("spawn")
        here, there = spawn.Pipe()
        client = spawn.Process(target=run_client, args=(engine.publisher.address, plan, there), daemon=True)
        client.start()
        there.close()
        results: list[Any] = []

        def wait() -> None:
            try:
                results.append(here.recv())
            except EOFError:
                results.append("ended without a result")
            stop.set()

        waiter = threading.Thread(target=wait, daemon=True)
        waiter.start()
        engine.run(stop=stop)
        waiter.join()
        client.join(10)
    (result,) = results
    if isinstance(result, str):
        raise LivetrackError(f"the feedback client: {result}")
    run: LoopRun = result
    return run
