"""Clients that are stopped, killed, or late: the engine is not affected, and they know what they missed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from livetrack.camera import Frame, Geometry
from livetrack.client import Remote, Subscriber
from livetrack.config import PublishSettings, load_config
from livetrack.linking import Linker
from livetrack.localize import load_localizer
from livetrack.particles import empty_rows
from livetrack.session.engine import Engine
from livetrack.session.publisher import Publisher
from livetrack.session.sockets import SocketFactory
from livetrack.tracker import Tracker

ANY_PORT = [f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")]
SMALL = [f"camera.simulated.{each}" for each in ("width=64", "height=64", "count=3", "exposure_ms=2", "fps=200")]

# prints seq and gap of each message, after a first line when it is ready
READER = """
import sys
from livetrack.client import Subscriber
with Subscriber(sys.argv[1], newest=sys.argv[2] == "newest") as positions:
    for update in positions:
        print(f"{update.seq} {update.gap}\\n", end="", flush=True)  # in one write, even if it is killed here
"""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")


class Reader:
    """A client in another process."""

    def __init__(self, address: str, mode: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", READER, address, mode], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.lines: list[tuple[int, int]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            seq, gap = map(int, line.split())
            self.lines.append((seq, gap))

    def until(self, seq: int) -> None:
        deadline = time.monotonic() + 30
        while not self.lines or self.lines[-1][0] < seq:
            assert time.monotonic() < deadline, (seq, self.lines[-3:])
            time.sleep(0.01)

    def send(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def reading(address: str, mode: str) -> Iterator[Reader]:
    reader = Reader(address, mode)
    try:
        yield reader
    finally:
        reader.close()


def test_the_engine_continues_and_clients_know_what_they_missed() -> None:
    with Engine(load_config(None, [*ANY_PORT, *SMALL])) as engine:
        address, stop = engine.publisher.address, threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop}, daemon=True)
        thread.start()
        with (
            Remote(engine.command_address) as remote,
            reading(address, "newest") as newest,
            reading(address, "every") as every,
            reading(address, "every") as killed,
        ):
            for reader in (newest, every, killed):
                reader.until(0)
            for reader in (newest, every):
                reader.send(signal.SIGSTOP)
            killed.send(signal.SIGKILL)
            begin = remote.state()
            time.sleep(1.0)
            with Subscriber(address) as late:
                update = late.receive(5)
                assert update is not None
                assert update.gap == 0  # a late client has missed none of its messages
                assert update.seq > begin.tracked - 5
            end = remote.state()
            assert end.tracked - begin.tracked > 10
            for reader in (newest, every):
                reader.send(signal.SIGCONT)
                reader.until(end.tracked)
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
    for reader in (newest, every):  # every message is read or reported
        seqs, gaps = np.array(reader.lines).T
        assert (np.diff(seqs) - 1 == gaps[1:]).all()
    assert max(gap for _, gap in newest.lines) > 5
    assert max(gap for _, gap in every.lines) == 0  # a second fits into the queue


def test_a_client_stopped_for_longer_than_the_queue_lasts_knows_its_gap() -> None:
    """20,000 messages of 100 rows: more than the engine's queue and the network's buffers hold."""
    settings = PublishSettings(address="tcp://127.0.0.1:*", preview_address="tcp://127.0.0.1:*", preview_fps=0)
    sockets = SocketFactory(settings)
    publisher = Publisher(settings, 1, sockets)
    tracker = Tracker(load_localizer("centroid", diameter_px=7.0), Linker(5.0))
    frame = Frame(np.zeros((64, 64), np.uint8), 0, 0, 0, None, 0.0, Geometry(64, 64), 0)
    rows = empty_rows(100)
    seq = -1

    def publish(count: int) -> float:
        nonlocal seq
        begin = time.perf_counter()
        for _ in range(count):
            publisher.publish(frame, rows, tracker, 0, 0)
            seq += 1
        return time.perf_counter() - begin

    with reading(publisher.address, "every") as reader:
        while not reader.lines:
            publish(1)
            time.sleep(0.01)
        reader.until(seq)
        reader.send(signal.SIGSTOP)
        longest = max(publish(1) for _ in range(20_000))
        reader.send(signal.SIGCONT)
        deadline = time.monotonic() + 30
        while not any(gap for _, gap in reader.lines):  # a loss is reported with the next message
            assert time.monotonic() < deadline
            publish(1)
            time.sleep(0.05)
    publisher.close()
    sockets.close()
    gaps = [gap for _, gap in reader.lines]
    assert longest < 1  # a stopped client delays nobody
    assert sum(gaps) > 1000
    assert len(gaps) + sum(gaps) == reader.lines[-1][0] - reader.lines[0][0] + 1
