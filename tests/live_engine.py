"""An engine that runs in a thread during a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from livetrack.camera import Camera
from livetrack.config import load_config
from livetrack.session.engine import Engine

ANY_PORT = [f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")]


@contextmanager
def running(overrides: list[str], camera: Camera | None = None) -> Iterator[Engine]:
    with Engine(load_config(None, [*ANY_PORT, *overrides]), camera=camera) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop}, daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            stop.set()
            thread.join(20)
