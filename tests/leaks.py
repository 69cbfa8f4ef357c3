"""What a test leaves behind in this process: threads, processes that it started, and open files and sockets.

Not counted are the threads of libraries (Numba, ONNX Runtime, Qt, ZeroMQ, Micro-Manager's core), the pool that all
localizers share, and files of installed packages. Files and sockets are counted where there is `/proc/self/fd`.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import time
from collections import Counter
from multiprocessing import resource_tracker
from pathlib import Path
from typing import NamedTuple

import processes

__all__ = ["Held", "held", "left_behind"]

_HANDLES = Path("/proc/self/fd")
_EVENT = "anon_inode:[eventfd]"
_GRACE_S = (
    5.0  # for what ends on its own: threads that are stopping, ZeroMQ's sockets, which it closes in its own thread
)


class Held(NamedTuple):
    """What this process holds."""

    threads: frozenset[threading.Thread]
    processes: frozenset[int]
    handles: Counter[str]
    """Number of each open file, pipe, socket or device, by what it refers to."""


def held() -> Held:
    """Return what this process holds now."""
    children = {child.pid for child in multiprocessing.active_children() if child.pid is not None}
    threads = (each for each in threading.enumerate() if not _is_of_a_pool(each))
    return Held(frozenset(threads), frozenset(children | processes.running()), _handles())


def left_behind(before: Held, *, qt: bool = False) -> list[str]:
    """Return what is held that was not `before`, a line each; wait a while for what is about to end.

    `qt`: do not count handles for events, which Qt opens with its first windows and keeps.
    """
    if not _new(before, qt):
        return []
    gc.collect()  # an object in a circle of references is no leak
    deadline = time.monotonic() + _GRACE_S
    while (found := _new(before, qt)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def _new(before: Held, qt: bool) -> list[str]:
    now = held()
    handles = now.handles - before.handles
    if qt:
        handles.pop(_EVENT, None)
    return [
        *(f"thread {each.name}" for each in now.threads - before.threads),
        *(f"process {each}" for each in now.processes - before.processes),
        *(f"{count} x {name}" for name, count in handles.items()),
    ]


def _is_of_a_pool(thread: threading.Thread) -> bool:
    """Whether it is one of the threads that all localizers share, or was started by a library without Python."""
    return thread.name.startswith("livetrack_") or isinstance(thread, threading._DummyThread)


def _handles() -> Counter[str]:
    if not _HANDLES.is_dir():
        return Counter()
    found = Counter[str]()
    tracker = getattr(resource_tracker, "_resource_tracker")._fd  # noqa: B009  kept by multiprocessing once it is used
    for each in os.listdir(_HANDLES):
        try:
            name = os.readlink(f"{_HANDLES}/{each}")
        except OSError:  # the one of the list itself
            continue
        if "site-packages" not in name and each != str(tracker):  # fonts, which Matplotlib keeps
            found[name] += 1
    return found
