"""Faults injected into real sessions, in processes of their own: what the user sees, and what is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
from real_run import Run, running_process
from test_hostile import connected, flood
from waiting import wait_for

from livetrack.client import Remote, Subscriber
from livetrack.errors import CommandError
from livetrack.localize.models import models_folder
from livetrack.record import Session, read_session

pytestmark = pytest.mark.measured  # each starts a session

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such limits and signals, and locks open files")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="connections are watched on Linux only")

FULL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))  # of each file: only pixels reach it
"""
BROKEN_DISK = """
import errno, os
written, write = 0, os.write
def failing(handle, data):
    global written
    if len(data) > 90_000:  # with the pixels of a frame
        written += 1
        if written > 30:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
    return write(handle, data)
os.write = failing
"""
SLOW_DISK = """
import os, time
write = os.write
def slow(handle, data):
    if len(data) > 90_000:
        time.sleep(0.2)
    return write(handle, data)
os.write = slow
"""
FAILING_LOCALIZER = """
import os
from livetrack.localize import network
localize, calls = network.NetworkLocalizer.localize, 0
def failing(self, *arguments, **options):
    global calls
    calls += 1
    if calls % 10 == 0 and os.path.exists("fails"):
        raise ZeroDivisionError("a fault of the localizer")
    return localize(self, *arguments, **options)
network.NetworkLocalizer.localize = failing
"""


def session_in(folder: Path) -> Session:
    (session,) = [path for path in folder.iterdir() if path.is_dir()]
    return read_session(session)


def wait_until_recorded(run: Run, folder: Path, size: int = 50_000) -> Path:
    """Wait until a session has so many bytes of pixels; return its folder."""
    run.address()

    def recorded() -> Path | None:
        files = folder.glob("*/frames_0000.tif")
        return next((path.parent for path in files if path.stat().st_size > size), None)

    found = wait_for(recorded, timeout_s=60.0)
    assert found is not None
    return found


# the disk


@POSIX
@pytest.mark.parametrize(
    ("fault", "settings", "reason"),
    [
        (FULL_DISK, (), "File too large"),
        (BROKEN_DISK, (), "Input/output error"),
        (SLOW_DISK, ("record.queue_mb=1", "record.queue_s=0.5"), "the disk is too slow"),
    ],
    ids=["full", "broken", "slow"],
)
def test_a_disk_that_fails_costs_counted_pixels_and_no_row(
    tmp_path: Path, fault: str, settings: tuple[str, ...], reason: str
) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    large = ("camera.simulated.width=256", "camera.simulated.height=192")  # 98 kB a frame, more than any batch of rows
    with running_process(tmp_path, *large, *settings, fault=fault, record=recordings) as run:
        with Remote(run.address()) as remote:

            def has_failed() -> bool:
                recording = remote.state().recording
                return recording is not None and recording.dropped > 5 and reason in recording.problem + recording.loss

            wait_for(has_failed, timeout_s=60.0)
        assert run.end() == 1
    assert "frames are not recorded" in run.last_line
    assert reason in run.last_line
    session = session_in(recordings)
    assert session.discrepancies() == []
    assert session.damage() == []
    assert reason in session.problem
    info = session.info
    assert info["frames_written"] + info["frames_dropped"] == info["frames_offered"]
    assert info["frames_dropped"] > 5
    assert len(list(session.frames())) == info["frames_written"]
    assert session.tracked().num_rows == info["tracked_frames_offered"] > 0


@POSIX
@pytest.mark.parametrize("move", [False, True], ids=["deleted", "moved"])
def test_a_folder_that_is_gone_ends_the_recording_with_a_line(tmp_path: Path, move: bool) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    with running_process(tmp_path, record=recordings) as run, Remote(run.address()) as remote:
        folder = wait_until_recorded(run, recordings)
        before = remote.state()
        if move:
            folder.rename(tmp_path / "moved")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        wait_for(lambda: (now := remote.state().recording) and now.problem, timeout_s=30.0)
        wait_for(lambda: remote.state().tracked > before.tracked + 20)  # the tracking goes on
        assert run.end() == 1
    assert "was deleted or moved" in run.last_line
    if move:
        assert len(list(read_session(tmp_path / "moved").frames())) > 0


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_a_session_that_is_asked_to_end_closes_its_recording(tmp_path: Path, number: int) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    with running_process(tmp_path, record=recordings) as run:
        wait_until_recorded(run, recordings)
        run.process.send_signal(number)
        assert run.process.wait(60) == 0
    session = session_in(recordings)
    assert session.closed
    assert session.problem == ""
    assert session.discrepancies() == []


# the camera and the localizer


def test_a_camera_that_disconnects_is_opened_again_and_counted(tmp_path: Path) -> None:
    faults = ("camera.simulated.disconnect_at_s=0.5", "camera.retry_s=0.5")
    with running_process(tmp_path, *faults) as run, Remote(run.address()) as remote:
        wait_for(lambda: remote.state().outages == 1)
        received = remote.state().received
        wait_for(lambda: remote.state().received > received + 20)
        assert run.end() == 0
    assert "camera disconnected once" in run.text


def test_frames_that_the_camera_loses_are_counted(tmp_path: Path) -> None:
    faults = ("camera.simulated.drop_every=10", "camera.simulated.drop_frames=3")
    with running_process(tmp_path, *faults) as run, Remote(run.address()) as remote:
        wait_for(lambda: remote.state().lost >= 30)
        assert run.end() == 0
    assert " 0 lost" not in run.text


def test_a_camera_that_stalls_is_reported_while_it_does(tmp_path: Path) -> None:
    faults = ("camera.simulated.stall_at_s=0.5", "camera.simulated.stall_s=3.0", "camera.stall_s=0.5")
    with running_process(tmp_path, *faults) as run, Remote(run.address()) as remote:
        wait_for(lambda: remote.state().state == "stalled")
        wait_for(lambda: remote.state().state == "running")
        assert run.end() == 0


def test_a_localizer_that_fails_costs_the_frames_it_fails_on(tmp_path: Path) -> None:
    with running_process(tmp_path, fault=FAILING_LOCALIZER) as run, Remote(run.address()) as remote:
        (tmp_path / "fails").touch()
        status = wait_for(lambda: (now := remote.state()).message and now)
        assert "a fault of the localizer" in status.message
        received = remote.state().received
        wait_for(lambda: remote.state().received > received + 50)  # the session goes on
        assert run.end() == 0


# clients


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Yield a session that has been run for a while by honest clients."""
    with running_process(tmp_path_factory.mktemp("session"), "record.folder=''") as run:
        with Remote(run.address()) as remote:
            wait_for(lambda: remote.state().tracked > 50)
        yield run
        assert run.end() == 0
        assert "Traceback" not in run.text


def memory_mb(run: Run) -> float:
    return float(psutil.Process(run.process.pid).memory_info().rss / 1e6)


class Honest:
    """A client that reads every message, and checks at the end that none was missing."""

    def __init__(self, address: str) -> None:
        self._subscriber = Subscriber(address, newest=False)
        self.seqs: list[int] = []

    def read(self, count: int = 1) -> None:
        """Read what has come, and so many messages more."""
        while count > 0 or (len(self.seqs) and self._take(0)):
            count -= self._take(20)

    def _take(self, timeout_s: float) -> int:
        update = self._subscriber.receive(timeout_s)
        assert update is not None or timeout_s == 0, "no message came"
        if update is None:
            return 0
        self.seqs.append(update.seq)
        return 1

    def close(self) -> None:
        self._subscriber.close()
        assert (np.diff(self.seqs) == 1).all()


@LINUX
@pytest.mark.parametrize("attack", ["subscriptions", "endless parts", "half-open connections"])
def test_one_hostile_client_costs_others_nothing(process: Run, attack: str) -> None:
    address = process.address()
    with Remote(address) as remote:
        command_address = remote.state().command_address
    honest = Honest(address)
    honest.read(10)
    before = most = memory_mb(process)
    with ExitStack() as opened:
        if attack == "subscriptions":
            raw = opened.enter_context(connected(address, b"SUB"))
            with suppress(ConnectionError):
                for number in range(100_000):
                    topic = b"\x01lt.pos" + str(number).encode()
                    raw.sendall(bytes([0, len(topic)]) + topic)
                    if number % 1000 == 0:
                        honest.read(0)
                        most = max(most, memory_mb(process))
        elif attack == "endless parts":
            raw = opened.enter_context(connected(command_address, b"DEALER"))
            for _ in range(30):
                flood(raw, b"\x01\x01x" * 10_000, 3_000_000)
                honest.read(0)
                most = max(most, memory_mb(process))
        else:
            import socket

            for number in range(1000):
                host, port = (address, command_address)[number % 2].removeprefix("tcp://").split(":")
                opened.enter_context(socket.create_connection((host, int(port)), timeout=20))
                if number % 50 == 0:
                    honest.read(0)
                    most = max(most, memory_mb(process))
        honest.read(20)
        with Remote(address) as remote:
            assert remote.state().state == "running"
    honest.read(20)
    honest.close()
    print(f"{attack}: {before:.0f} MB before, most {most - before:+.0f}, after {memory_mb(process) - before:+.0f}")
    assert most - before < 100
    assert wait_for(lambda: memory_mb(process) - before < 30, timeout_s=60.0)  # it comes back


def test_requests_that_cannot_be_are_refused_and_change_nothing(process: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    with Remote(process.address()) as remote:
        before = remote.state()
        refused = [
            lambda: remote.set_roi(0, 0, 10**6, 10**6),
            lambda: remote.set_exposure(1e300),
            lambda: remote.move_to("stage", 1e308, 1e308),
            lambda: remote.choose_target(particle=-1),
            lambda: remote.swap_model("../../../etc/passwd"),
            lambda: remote.start_recording("\0"),
            lambda: remote.set_threshold(float("nan")),
        ]
        for request in refused:
            with pytest.raises(CommandError) as caught:
                request()
            assert "\n" not in str(caught.value)
        after = remote.state()
    assert (after.state, after.model, after.recording) == ("running", before.model, None)
    assert not outside.exists()


def card(**fields: object) -> bytes:
    model = onnx.load(models_folder() / "spot.onnx")
    entry = next(each for each in model.metadata_props if each.key == "livetrack")
    entry.value = json.dumps({**json.loads(entry.value), **fields})
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("content", [b"", b"\x00" * 1000, card(multiple=0), card(crop_px=-1)])
def test_a_model_that_cannot_be_used_is_refused_and_the_old_one_goes_on(
    process: Run, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "hostile.onnx").write_bytes(content)
    with Remote(process.address()) as remote:
        before = remote.state()
        with pytest.raises(CommandError) as caught:
            remote.swap_model(tmp_path / "hostile.onnx")
        assert "\n" not in str(caught.value)
        assert remote.state().model == before.model
        wait_for(lambda: remote.state().tracked > before.tracked + 10)
