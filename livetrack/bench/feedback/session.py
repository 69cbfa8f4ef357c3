"""One closed loop through the whole system: camera, network, linker, ZeroMQ, a client's process, commands."""

from __future__ import annotations

import multiprocessing
import threading
from typing import Any

from livetrack.bench.feedback.client import LoopPlan, LoopRun, run_client
from livetrack.config import load_config
from livetrack.errors import LivetrackError
from livetrack.session.engine import Engine

__all__ = ["PIXEL_UM", "SIDE_PX", "closed_loop", "loop_settings"]

SIDE_PX, PIXEL_UM = 32, 0.1
_ADDRESSES = ("address", "preview_address", "command_address")


def loop_settings(**simulated: Any) -> list[str]:
    """Return overrides: one 1 µm bead in water, seen as a spot in the middle of a small image."""
    fixed: dict[str, Any] = {
        "width": SIDE_PX, "height": SIDE_PX, "pixel_size_um": PIXEL_UM, "count": 1, "spread": 0.0, "gradient": 0.0,
        "min_distance_um": 0.95 * SIDE_PX * PIXEL_UM, "drift_um_s": [0.0, 0.0],
    }  # fmt: skip
    return [
        *(f"publish.{name}=tcp://127.0.0.1:*" for name in _ADDRESSES),
        "publish.preview_fps=0",
        f"linker.search_radius_px={2 * SIDE_PX}",
        "localizer.threads=1",
        *(f"camera.simulated.{name}={_toml(value)}" for name, value in (fixed | simulated).items()),
    ]


def closed_loop(overrides: list[str], plan: LoopPlan) -> LoopRun:
    """Run an engine here and the client in a process of its own, until the plan is fulfilled.

    Raises
    ------
    LivetrackError
        The client could not go through with it; says why.
    """
    stop = threading.Event()
    with Engine(load_config(None, overrides)) as engine:
        here, there = multiprocessing.get_context("spawn").Pipe()
        client = multiprocessing.get_context("spawn").Process(
            target=run_client, args=(engine.publisher.address, plan, there), daemon=True
        )
        client.start()
        there.close()
        answers: list[Any] = []

        def wait() -> None:
            try:
                answers.append(here.recv())
            except EOFError:
                answers.append("the client ended without a word")
            stop.set()

        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        engine.run(stop=stop)
        waiting.join()
        client.join(10)
    (answer,) = answers
    if isinstance(answer, str):
        raise LivetrackError(f"the feedback client: {answer}")
    run: LoopRun = answer
    return run


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
