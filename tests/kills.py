"""Kills a real `livetrack run` while it records, and compares its session with what an independent client received.

Run as a program, this file is `livetrack` on a slow disk: `python kills.py MB_PER_S run ...`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import waiting

from livetrack.cli import main
from livetrack.client import Subscriber
from livetrack.record.account import account_for
from livetrack.record.inventory import take_inventory
from livetrack.record.recovery import recover

__all__ = ["Outcome", "busy_cores", "kill_while_recording"]

_START_S = 120.0


@dataclass(frozen=True)
class Outcome:
    """What a killed session contains of the frames up to the last one that the client received."""

    received: int
    """Frames up to that one, from the first of the recording on."""
    dropped: int
    """Frames that are listed without pixels."""
    lost: int
    """Frames of which neither the pixels are there, nor a row in `frames.arrow` that says that they were dropped."""
    lost_s: float
    """Time from the first lost frame to the last frame that the client received."""
    to_kill_s: float
    """Time from the first lost frame, or the last one that is there, to the kill: no loss can be longer."""
    rows_s: float
    """Time from the last frame in the tables of tracks to the last frame that the client received."""
    listed_s: float
    """The same for `frames.arrow`."""
    frames_per_s: float
    problems: list[str]


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Keep so many cores busy with another program."""
    with ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def kill_while_recording(
    folder: Path, settings: list[str], after_s: float, *, disk_mb_per_s: float | None = None
) -> Outcome:
    """Record into `folder` with a real process, kill it `after_s` after its first frame, and recover the session."""
    addresses = {key: f"tcp://127.0.0.1:{_free_port()}" for key in ("address", "preview_address", "command_address")}
    program = [__file__, str(disk_mb_per_s)] if disk_mb_per_s else ["-m", "livetrack"]
    sets = [*settings, *(f"publish.{key}={address}" for key, address in addresses.items()), "view.open=false"]
    command = [sys.executable, *program, "run", "--headless", f"--record={folder}", *(f"--set={each}" for each in sets)]
    frames: dict[int, int] = {}  # time of each frame that the client received
    ended = threading.Event()
    with Subscriber(addresses["address"], newest=False) as subscriber:

        def listen() -> None:
            while not ended.is_set():
                update = subscriber.receive(0.1)
                if update is not None:
                    frames[update.frame] = update.t_received_ns

        thread = threading.Thread(target=listen)
        thread.start()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        try:
            waiting.wait_for(lambda: len(frames) > 10, timeout_s=_START_S)
            time.sleep(after_s)
            killed_ns = time.perf_counter_ns()
            process.kill()
            process.wait()
            time.sleep(0.3)  # what was sent before
        finally:
            process.kill()
            process.wait()
            ended.set()
            thread.join()
    (session,) = (path for path in folder.iterdir() if path.is_dir())
    return _compare(session, frames, killed_ns)


def _compare(session: Path, frames: dict[int, int], killed_ns: int) -> Outcome:
    inventory = take_inventory(session)
    problems = []
    pages, without = set(inventory.pages.tolist()), set(inventory.without_image.tolist())
    pointing = set(inventory.listed.tolist()) - without
    if astray := pointing - pages:
        problems.append(f"rows of frames.arrow point to pixels that are not there: {sorted(astray)[:5]}")
    first, last = min(pages | without), max(frames)
    lost = [frame for frame in range(first, last + 1) if frame not in pages and frame not in without]
    times = dict(zip(inventory.times_ns["frame"].tolist(), inventory.times_ns["t_received_ns"].tolist(), strict=True))
    times = frames | times
    order = np.array(sorted(times))

    def time_s(frame: int) -> float:
        return float(np.interp(frame, order, [times[each] for each in order.tolist()])) / 1e9

    known = max(pages | without)
    account = recover(inventory)
    after = account_for(take_inventory(session))
    if account.delivered != account.written + account.dropped + account.lost or account.written != len(pages):
        problems.append(f"counts: {account}")
    if after.state != "recovered" or after.written != len(pages) or after.damages:
        problems.append(f"after recovery: {after}")
    return Outcome(
        received=last - first + 1,
        dropped=len(without),
        lost=len(lost),
        lost_s=time_s(last) - time_s(lost[0]) if lost else 0.0,
        to_kill_s=killed_ns / 1e9 - time_s(lost[0] if lost else known),
        rows_s=time_s(last) - time_s(int(inventory.tracked[-1])),
        listed_s=time_s(last) - time_s(int(inventory.listed[-1])),
        frames_per_s=(last - first) / (time_s(last) - time_s(first)),
        problems=problems,
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _slow_down(bytes_per_s: float) -> None:
    """Make each write to a file last for as long as on a slow disk, with all threads sharing that disk."""
    write, lock, free_at = os.write, threading.Lock(), [0.0]

    def slow_write(handle: int, data: Any) -> int:
        with lock:
            now = time.monotonic()
            free_at[0] = max(now, free_at[0]) + memoryview(data).nbytes / bytes_per_s
            wait_s = free_at[0] - now
        time.sleep(wait_s)
        return write(handle, data)

    os.write = slow_write


if __name__ == "__main__":
    _slow_down(float(sys.argv[1]) * 1e6)
    sys.exit(main(sys.argv[2:]))
