"""A long session with everything in use: memory, handles, threads, latency and the accounting stay as they are.

It takes a minute, or as many as LIVETRACK_SOAK_MINUTES says; `LIVETRACK_SOAK_MINUTES=120 python -m pytest -m soak -s`
shows the figures of each.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import psutil
import pytest
from live_engine import ANY_PORT
from side_tasks import running_tasks
from waiting import wait_for

from livetrack.client import EventSubscriber, PreviewSubscriber, Remote, StatusSubscriber, Subscriber
from livetrack.record import read_session
from livetrack.wire import Status, accounting_errors

MINUTES = float(os.environ.get("LIVETRACK_SOAK_MINUTES", "1"))
FPS, SIDE_PX, PARTICLES = 100, 128, 20
RECORDING_S = 8.0

MAX_GROWTH_MB = 10.0  # in the first minutes; arenas of the allocators fill
MAX_GROWTH_MB_PER_MIN = 0.1
MAX_LATENCY_RATIO, MAX_LATENCY_STEP_MS = 2.0, 5.0  # the computer's own speed changes, too

SCENE = [
    *ANY_PORT, "camera.driver=simulated", f"camera.simulated.fps={FPS}", "camera.simulated.exposure_ms=5",
    f"camera.simulated.width={SIDE_PX}", f"camera.simulated.height={SIDE_PX}", f"camera.simulated.count={PARTICLES}",
    "localizer.search=follow", "localizer.threads=1", "calibration.file=", "record.queue_s=60",
]  # fmt: skip


class Sample(NamedTuple):
    """What the session's process holds."""

    minutes: float
    rss_mb: float
    handles: int
    threads: int
    latency_ms: float
    """Median since the last sample, from receipt of a frame to receipt by a client."""
    received: int
    """Positions messages since then."""


class Listener:
    """Receives every positions message in a thread, and keeps the latencies since they were last taken."""

    def __init__(self, address: str) -> None:
        self.first = self.last = -1
        self.count = self.gaps = 0
        self._latencies_ms: list[float] = []
        self._address = address

    def run(self, stop: threading.Event) -> None:
        with Subscriber(self._address, newest=False) as positions:
            while not stop.is_set():
                if (update := positions.receive(0.2)) is None:
                    continue
                self.first = update.seq if self.first < 0 else self.first
                self.last = update.seq
                self.count += 1
                self.gaps += update.gap
                self._latencies_ms.append((update.t_client_ns - update.t_received_ns) * 1e-6)

    def take(self) -> list[float]:
        taken, self._latencies_ms = self._latencies_ms, []
        return taken


def come_and_go(address: str, stop: threading.Event) -> None:
    """Open and close what a window and a feedback program open, again and again."""
    while not stop.wait(0.1):
        with Remote(address, timeout_s=60) as remote, Subscriber(address) as positions, EventSubscriber(address):
            preview_address = remote.hello().addresses.preview
            with StatusSubscriber(address) as status, PreviewSubscriber(preview_address, True) as previews:
                assert positions.receive(60) is not None
                assert previews.receive(60) is not None
                assert status.receive(60) is not None


def read_slowly(address: str, stop: threading.Event) -> None:
    """Read far fewer messages than there are: their number in the queue is bounded."""
    with Subscriber(address, newest=False) as positions:
        while not stop.wait(1.0):
            positions.receive(0.0)


def command(address: str, stop: threading.Event) -> None:
    """Change settings that a session may change, again and again."""
    with Remote(address, timeout_s=60) as remote:
        for turn in itertools.count():
            if stop.wait(0.2):
                return
            remote.set_threshold(0.5 + 0.1 * (turn % 3))
            remote.set_search_radius(4.0 + turn % 2)
            remote.set_exposure(4.0 + turn % 3)
            if turn % 10 == 3:
                remote.set_roi(0, 0, 96, 96)
            elif turn % 10 == 6:
                remote.clear_roi()
            remote.choose_target(x=SIDE_PX / 2, y=SIDE_PX / 2, within_px=4 * SIDE_PX)
            remote.clear_target()
            assert not accounting_errors(remote.state())


def record(address: str, folder: Path, stop: threading.Event) -> None:
    """Make one recording after another; each is checked, and deleted."""
    with Remote(address, timeout_s=60) as remote:
        while not stop.is_set():
            remote.start_recording(folder)
            stop.wait(RECORDING_S)
            recording = remote.stop_recording()
            assert not recording.loss
            assert recording.offered == recording.frames > 0
            assert read_session(recording.folder).discrepancies() == []
            shutil.rmtree(recording.folder)


def take_samples(process: psutil.Process, listener: Listener, errors: list[BaseException]) -> list[Sample]:
    """Return a sample for each second or so of the soak."""
    samples, begun_s, step_s = list[Sample](), time.monotonic(), max(1.0, MINUTES)
    while (minutes := (time.monotonic() - begun_s) / 60) < MINUTES and not errors:
        time.sleep(step_s)
        handles = process.num_handles() if sys.platform == "win32" else process.num_fds()
        latencies = listener.take()
        median_ms = float(np.median(latencies)) if latencies else float("nan")
        memory_mb = process.memory_info().rss / 1e6
        samples.append(Sample(minutes, memory_mb, handles, process.num_threads(), median_ms, len(latencies)))
    return samples


def report(samples: list[Sample]) -> str:
    """Return a line for each minute, or for each sixth of a short soak."""
    minute = min(1.0, MINUTES / 6)
    lines = ["minutes  memory MB  handles  threads  latency ms  messages"]
    for number in range(round(MINUTES / minute)):
        part = [each for each in samples if number <= each.minutes / minute < number + 1]
        if part:
            memory, handles, threads, latency = np.median([each[1:5] for each in part], axis=0)
            received = sum(each.received for each in part)
            figures = f"{memory:9.1f}  {handles:7.0f}  {threads:7.0f}  {latency:10.2f}  {received:8}"
            lines.append(f"{(number + 1) * minute:7.2f}  {figures}")
    return "\n".join(lines)


def check(samples: list[Sample]) -> None:
    """Compare the last quarter of the soak with the second one."""
    values = np.array([sample[1:5] for sample in samples if np.isfinite(sample.latency_ms)])
    first, last = values[len(values) // 4 : len(values) // 2], values[-len(values) // 4 :]
    memory_0_mb, handles_0, threads_0, latency_0_ms = np.median(first, axis=0)
    memory_mb, handles, threads, latency_ms = np.median(last, axis=0)
    assert memory_mb < memory_0_mb + MAX_GROWTH_MB + MAX_GROWTH_MB_PER_MIN * MINUTES, "memory grows"
    assert handles <= handles_0 + 5, "handles are not closed"
    assert threads <= threads_0 + 1, "threads do not end"
    assert latency_ms < MAX_LATENCY_RATIO * latency_0_ms + MAX_LATENCY_STEP_MS, "latency grows"


@pytest.mark.soak
@pytest.mark.timeout(60 * MINUTES + 600)
def test_a_long_session_stays_as_it_is(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    settings = [f"--set={each}" for each in SCENE]
    arguments = ["demo", "--headless", f"--json={summary}", *settings]
    with ExitStack() as opened:
        session = opened.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "livetrack", *arguments],
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        opened.callback(session.kill)
        assert session.stderr is not None
        while "positions at" not in (line := session.stderr.readline()):
            assert session.poll() is None, line
        address = line.split("positions at ")[1].strip()
        listener = Listener(address)
        tasks: list[Callable[[threading.Event], None]] = [
            listener.run,
            lambda stop: come_and_go(address, stop),
            lambda stop: read_slowly(address, stop),
            lambda stop: command(address, stop),
            lambda stop: record(address, tmp_path / "recordings", stop),
        ]
        (tmp_path / "recordings").mkdir()
        with running_tasks(*tasks) as errors:
            wait_for(lambda: listener.count > 10 or errors)
            samples = take_samples(psutil.Process(session.pid), listener, errors)
        for error in errors:
            raise error
        print(f"\n{report(samples)}")
        assert session.poll() is None
        session.send_signal(signal.SIGINT)
        _, rest = session.communicate(timeout=60)
        assert session.returncode == 0, rest
    check(samples)
    status = msgspec.convert(json.loads(summary.read_text()), Status)
    assert accounting_errors(status) == []
    assert status.tracked + status.skipped == status.received
    assert listener.gaps == 0
    assert listener.count == listener.last - listener.first + 1
