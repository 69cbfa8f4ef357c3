"""Threads that use the real core's devices while it loads and unloads devices."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from livetrack_drivers._mm_access import DeviceAccess
from livetrack_drivers.micromanager import MicroManagerCamera, MicroManagerSettings
from real_microscope import FOLDER
from side_tasks import running_tasks
from waiting import wait_for

from livetrack.errors import CameraError

CHANGES = 12


@contextmanager
def asked_all_the_time(camera: MicroManagerCamera) -> Iterator[list[BaseException]]:
    """Read geometry and positions in two threads while the block runs; yield what that raises."""

    def positions() -> None:
        for actuator in camera.actuators().values():
            actuator.position()

    def ask(call: Callable[[], object], stop: threading.Event) -> None:
        while not stop.is_set():
            call()

    with running_tasks(partial(ask, camera.read_geometry), partial(ask, positions)) as errors:
        yield errors


def change(name: str) -> None:
    camera = MicroManagerCamera(MicroManagerSettings(mm_dir=str(FOLDER), buffer_mb=16))
    camera.open()
    camera.recover()  # the first one restarts the sequence only
    with asked_all_the_time(camera) as errors:
        for _ in range(CHANGES):
            camera.suspend()
            if name == "reload":
                camera.reload()
                camera.resume()
            else:
                camera.recover()
    camera.close()
    assert not errors


def test_nobody_reads_a_device_while_the_camera_is_initialised() -> None:
    change("recover")


def test_a_reload_does_not_crash_the_process_while_others_read() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_device_access; test_device_access.change('reload')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_exclusive_access_waits_for_users_and_holds_up_new_ones() -> None:
    access = DeviceAccess()
    order: list[str] = []

    def exclusive() -> None:
        with access.exclusive(), access.shared():
            order.append("exclusive")

    def use() -> None:
        with access.shared():
            order.append("use")

    with access.shared():
        first = threading.Thread(target=exclusive)
        first.start()
        wait_for(lambda: access._owner is not None)
        second = threading.Thread(target=use)
        second.start()
        with access.shared():  # nested: no wait for the one that waits for this thread
            order.append("nested")
    first.join()
    second.join()
    assert order == ["nested", "exclusive", "use"]


def test_a_device_that_never_answers_holds_up_the_others_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack_drivers._mm_access._PATIENCE_S", 0.1)
    access = DeviceAccess()
    answered, asked = threading.Event(), threading.Event()

    def ask() -> None:
        with access.shared():
            asked.set()
            answered.wait(60)

    asking = threading.Thread(target=ask)
    asking.start()
    asked.wait(60)
    with pytest.raises(CameraError, match="another one has not answered"), access.exclusive():
        raise AssertionError
    with access.shared():  # as before
        answered.set()
    asking.join()
    with access.exclusive():
        pass


def test_an_emergency_stop_does_not_wait_behind_a_thread_that_waits() -> None:
    access = DeviceAccess()
    order: list[str] = []

    def exclusive() -> None:
        with access.exclusive():
            order.append("exclusive")

    def stop() -> None:
        with access.shared(urgent=True):
            order.append("stop")

    with access.shared():
        waiting = threading.Thread(target=exclusive)
        waiting.start()
        wait_for(lambda: access._owner is not None)
        stopping = threading.Thread(target=stop)
        stopping.start()
        stopping.join(30)
        assert order == ["stop"]
    waiting.join()
    assert order == ["stop", "exclusive"]
