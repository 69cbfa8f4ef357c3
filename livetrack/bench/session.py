"""Sessions on the simulated camera, and the processes that a bench starts."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from livetrack.client import Subscriber, Update
from livetrack.config import load_config
from livetrack.errors import LivetrackError
from livetrack.session.engine import Engine

__all__ = ["child_process", "receive", "run_session", "simulated_session"]

_START_S = 120.0
_SILENCE_S = 10.0


def simulated_session(*overrides: str, **scene: object) -> list[str]:
    """Return the settings of a session with free local ports on the simulated camera, `scene` being its settings."""
    return [
        "camera.driver=simulated",
        *(f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")),
        *(f"camera.simulated.{key}={_toml(value)}" for key, value in scene.items()),
        *overrides,
    ]


def run_session(pipe: Connection, *overrides: str) -> None:
    """Send the engine's address through `pipe` and run the session until the process is killed."""
    with Engine(load_config(None, list(overrides))) as engine:
        pipe.send(engine.publisher.address)
        engine.run()


def receive(positions: Subscriber) -> Update:
    """Return the next message; raise `LivetrackError` if there is none for 10 s."""
    update = positions.receive(_SILENCE_S)
    if update is None:
        raise LivetrackError(f"the session of the bench sent nothing for {_SILENCE_S:g} s")
    return update


@contextmanager
def child_process(target: Callable[..., None], *arguments: str) -> Iterator[tuple[BaseProcess, Connection, str]]:
    """Run `target(pipe, *arguments)` in another process, which ends at the latest with this one.

    Yields the process, the pipe to it, and its first message, which it sends when ready.

    Raises
    ------
    LivetrackError
        It is not ready in time.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_run, args=(target, there, *arguments), daemon=True)
    process.start()
    try:
        if not here.poll(_START_S):
            raise LivetrackError(f"a process of the bench was not ready after {_START_S:g} s")
        yield process, here, here.recv()
    finally:
        process.kill()
        process.join()


def _run(target: Callable[..., None], pipe: Connection, *arguments: str) -> None:
    threading.Thread(target=_exit_with_parent, name="livetrack-parent", daemon=True).start()
    target(pipe, *arguments)


def _exit_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
