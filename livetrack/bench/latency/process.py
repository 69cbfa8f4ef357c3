"""Another process of the bench, with a pipe to here."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from livetrack.errors import LivetrackError

__all__ = ["started_process"]

_START_S = 120.0


@contextmanager
def started_process(target: Callable[..., None], *args: str) -> Iterator[tuple[BaseProcess, Connection, str]]:
    """Start another process with a pipe to here; yield it once it is ready, and its first message.

    The process ends with this one, however this one ends.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_run, args=(target, there, *args), daemon=True)
    process.start()
    try:
        if not here.poll(_START_S):
            raise LivetrackError("the bench's processes do not start")
        yield process, here, here.recv()
    finally:
        process.kill()
        process.join()


def _run(target: Callable[..., None], pipe: Connection, *args: str) -> None:
    threading.Thread(target=_end_with_parent, name="livetrack-parent", daemon=True).start()
    target(pipe, *args)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
