"""A Micro-Manager window that is open is joined over its bridge, and stays as it is.

The window is `bridge_server.py`: a process of its own with the real MMCore behind pyjavaz's protocol.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from live_engine import running
from livetrack_drivers._mm_bridge_core import BridgeCore
from livetrack_drivers.micromanager import MicroManagerCamera, MicroManagerSettings
from real_microscope import FOLDER
from waiting import wait_for

from livetrack.camera import Picture
from livetrack.errors import CameraError
from livetrack.session.acquisition import CameraState

SERVER = Path(__file__).parent / "bridge_server.py"


class Window:
    """The process, and what a person does in its window."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.process: subprocess.Popen[str]
        self.start()

    def start(self) -> None:
        """Start Micro-Manager."""
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER), str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "READY\n"

    def do(self, line: str) -> str:
        """Do something in the window."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.communicate()

    def settings(self, **others: Any) -> MicroManagerSettings:
        """Return settings that join this window."""
        return MicroManagerSettings(port=self.port, **others)


@pytest.fixture
def window() -> Iterator[Window]:
    opened = Window(free_port())
    opened.do("property Camera Mode Fluorescent Beads")
    opened.do("property Camera PixelType 8bit")
    yield opened
    opened.kill()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def opened(settings: MicroManagerSettings) -> Iterator[MicroManagerCamera]:
    camera = MicroManagerCamera(settings)
    camera.open()
    try:
        yield camera
    finally:
        camera.close()


def take(camera: MicroManagerCamera, count: int, seconds: float = 20.0) -> list[Picture]:
    """Return `count` pictures."""
    taken: list[Picture] = []
    deadline = time.monotonic() + seconds
    for picture in camera.pictures():
        if picture is not None:
            taken.append(picture)
        if len(taken) == count:
            return taken
        assert time.monotonic() < deadline, f"only {len(taken)} pictures"
    raise AssertionError


def session(window: Window, *others: str) -> list[str]:
    """Return the settings of a session that joins the window."""
    return [
        "camera.driver=micromanager",
        f"camera.micromanager.port={window.port}",
        "camera.retry_s=0.2",
        "localizer.model=centroid",
        "localizer.diameter_px=7.0",
        *others,
    ]


# joining


def test_an_open_window_is_joined_without_any_setting(window: Window, caplog: pytest.LogCaptureFixture) -> None:
    window.do("live on")
    with caplog.at_level(logging.INFO), opened(window.settings()) as camera:
        pictures = take(camera, 10)
        opening = camera.devices().opening
        assert f"window on port {window.port} (MMCore version 12" in opening
        assert "none is initialised; its bridge passes about" in opening
        (used,) = [device for device in camera.devices().devices if device.by_itself]
        assert (used.name, used.by_itself) == ("Camera", "is read, while Micro-Manager runs it")
    assert "Micro-Manager's open window is joined" in caplog.text
    assert {picture.pixels.shape for picture in pictures} == {(512, 512)}
    assert {str(picture.pixels.dtype) for picture in pictures} == {"uint8"}
    assert pictures[-1].pixels.max() > 50
    assert all(picture.pixels.flags.writeable for picture in pictures)
    numbers = [picture.number for picture in pictures]
    assert numbers == sorted(set(numbers))
    assert window.do("running") == "True"


def test_without_a_window_the_core_is_in_this_process(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), opened(MicroManagerSettings(port=free_port(), mm_dir=str(FOLDER))) as camera:
        assert len(take(camera, 3)) == 3
    assert "Micro-Manager in this process: no Micro-Manager answers on port" in caplog.text


def test_a_window_whose_camera_is_off_is_waited_for(window: Window) -> None:
    with running(session(window)) as engine:
        wait_for(lambda: engine.acquisition.state is CameraState.WAITING)
        assert "waits for Micro-Manager's live view: press Live in its window" in engine.acquisition.message
        assert window.do("running") == "False"
        window.do("live on")
        wait_for(lambda: engine.acquisition.received > 20)
        window.do("live off")
        wait_for(lambda: engine.acquisition.state is CameraState.WAITING)
        before = engine.acquisition.received
        window.do("live on")
        wait_for(lambda: engine.acquisition.received > before + 20)
        assert engine.acquisition.outages == 0


def test_the_camera_is_started_where_the_settings_ask_for_it(window: Window) -> None:
    with opened(window.settings(run_camera=True, exposure_ms=1.0, roi=(0, 0, 128, 64))) as camera:
        pictures = take(camera, 50)
        assert window.do("running") == "True"
        assert {picture.pixels.shape for picture in pictures} == {(64, 128)}
    assert window.do("running") == "False"
    assert window.do("get Core AutoShutter") == "1"


def test_pictures_are_those_of_the_core(window: Window) -> None:
    """Rows are not mixed up, nor bytes of wider pixels."""
    window.do("property Camera PixelType 16bit")
    window.do("roi 100 60 96 64")
    with opened(window.settings(run_camera=True)) as camera:
        picture = take(camera, 1)[0]
        assert picture.pixels.dtype == np.uint16
        wide = picture.pixels.astype(float)
    # Gaussian beads: neighbours are alike along both axes
    assert np.abs(np.diff(wide, axis=0)).mean() < 0.2 * wide.std()
    assert np.abs(np.diff(wide, axis=1)).mean() < 0.2 * wide.std()


# the window goes on undisturbed


def test_a_live_view_is_shown_as_without_livetrack(window: Window) -> None:
    def shown(seconds: float) -> int:
        before = int(window.do("shown"))
        time.sleep(seconds)
        return int(window.do("shown")) - before

    window.do("live on")
    alone = shown(1.5)
    with opened(window.settings()) as camera:
        reader = threading.Thread(target=lambda: [None for picture in camera.pictures() if picture], daemon=True)
        reader.start()
        beside = shown(1.5)
    reader.join(10)
    assert beside > 0.5 * alone  # a sanity bound for busy computers
    assert window.do("running") == "True"


def test_a_change_that_would_stop_the_live_view_is_refused(window: Window) -> None:
    window.do("live on")
    with opened(window.settings()) as camera:
        take(camera, 2)
        for change in (
            lambda: camera.set_roi(0, 0, 64, 64),
            lambda: camera.set_binning(2),
            lambda: camera.set_property("Camera.PixelType", "16bit"),
        ):
            with pytest.raises(CameraError, match="live view or acquisition runs, and would stop"):
                change()
        assert camera.set_exposure(5.0).value == 5.0
        take(camera, 2)
    assert window.do("running") == "True"


def test_what_the_person_changes_becomes_a_new_geometry(window: Window) -> None:
    window.do("live on")
    with opened(window.settings()) as camera:
        take(camera, 2)
        window.do("roi 32 16 128 96")
        for picture in camera.pictures():
            if picture is not None and picture.geometry is not None:
                break
        geometry = picture.geometry
        assert (geometry.width, geometry.height, geometry.x_origin, geometry.y_origin) == (128, 96, 32, 16)
        assert picture.pixels.shape == (96, 128)
        window.do("property Objective Label Nikon 40X Plan Fluor ELWD")
        assert camera.read_geometry().pixel_size_um == 0.25


@pytest.mark.parametrize("shutter", ["0", "1"])
def test_nothing_is_initialised_or_left_behind(window: Window, shutter: str, request: pytest.FixtureRequest) -> None:
    core = BridgeCore(window.port)
    request.addfinalizer(core.close)
    window.do("move 30 40")
    window.do("property Objective Label Nikon 20X Plan Fluor ELWD")
    core.set_property("White Light Shutter", "State", shutter)

    def state() -> list[str]:
        devices = core.get_loaded_devices()
        return [
            core.get_property(device, key)
            for device in devices
            for key in core.get_device_property_names(device)
            if (device, key) not in {("Camera", "CCDTemperature"), ("Core", "TimeoutMs")}
        ]

    before = state()
    for _ in range(2):
        with opened(window.settings(run_camera=True)) as camera:
            take(camera, 3)
            with pytest.raises(CameraError, match="load the hardware configuration there"):
                camera.reload()
    assert state() == before
    assert core.get_xy_stage_position() == pytest.approx((30.0, 40.0), abs=0.1)


def test_settings_that_hold_already_do_not_disturb_the_live_view(window: Window) -> None:
    window.do("roi 0 0 128 64")
    window.do("live on")
    held = {"Camera.PixelType": "8bit"}
    with opened(window.settings(exposure_ms=5.0, binning=1, roi=(0, 0, 128, 64), properties=held)) as camera:
        assert take(camera, 3)[-1].pixels.shape == (64, 128)
        assert camera.properties()[0].value == 5.0
    with pytest.raises(CameraError, match="live view or acquisition runs, and would stop"):
        MicroManagerCamera(window.settings(binning=2)).open()
    assert window.do("running") == "True"


def test_the_camera_is_not_started_again_after_the_persons_own_live_view(window: Window) -> None:
    window.do("live on")
    with opened(window.settings(run_camera=True)) as camera:
        take(camera, 3)
        window.do("live off")
        pictures = camera.pictures()
        assert [next(pictures) for _ in range(20)][-5:] == [None] * 5
        assert window.do("running") == "False"
        assert camera.timing().waits_for.startswith("Micro-Manager's live view")
        camera.resume()
        assert window.do("running") == "True"


def test_another_camera_that_is_chosen_in_the_window_ends_the_reading(window: Window) -> None:
    window.do("live on")
    with opened(window.settings()) as camera:
        take(camera, 2)
        core = BridgeCore(window.port)
        assert core.get_camera_device() == "Camera"
        core.close()
        window.do("live off")
        window.do("property Core Camera ")
        window.do("property Core Camera Camera")
        window.do("live on")
        assert take(camera, 2)


def test_a_roi_beyond_the_sensor_is_refused_before_it_is_used(window: Window) -> None:
    window.do("roi 10 10 64 64")
    with opened(window.settings(run_camera=True)) as camera:
        with pytest.raises(CameraError, match="has 512 x 512 px"):
            camera.set_roi(0, 0, 100_000, 100_000)
        assert take(camera, 2)[-1].pixels.shape == (64, 64)
        assert camera.set_roi(0, 0, 32, 32).width == 32


# devices


def test_stage_and_focus_move_while_pictures_come(window: Window) -> None:
    window.do("property XY Velocity 10000")
    with opened(window.settings(run_camera=True, exposure_ms=1.0)) as camera:
        count = [0]

        def read() -> None:
            for picture in camera.pictures():
                count[0] += picture is not None

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        wait_for(lambda: count[0] > 10)
        actuators = camera.actuators()
        actuators["stage"].move_to((12.0, -7.0))
        actuators["stage"].wait()
        assert actuators["stage"].position() == pytest.approx((12.0, -7.0), abs=0.1)
        actuators["focus"].move_to((3.0,))
        actuators["focus"].wait()
        assert actuators["focus"].position() == pytest.approx((3.0,), abs=0.1)
        before = count[0]
        wait_for(lambda: count[0] > before + 10)
    reader.join(10)


# faults, each one line


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "java"}, "no Micro-Manager answers on port .*Run server on port 4827"),
        ({"backend": "java", "config_file": "MMConfig_demo.cfg"}, "no Micro-Manager answers"),
    ],
)
def test_no_window_is_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CameraError, match=message) as caught:
        MicroManagerCamera(MicroManagerSettings(port=free_port(), **settings)).open()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_window_and_a_configuration_both_want_the_camera(window: Window) -> None:
    with pytest.raises(CameraError, match="would load the same hardware a second time"):
        MicroManagerCamera(window.settings(mm_dir=str(FOLDER))).open()
    with opened(window.settings(mm_dir=str(FOLDER), backend="java", run_camera=True)) as camera:
        assert take(camera, 1)
    with opened(window.settings(mm_dir=str(FOLDER), backend="python")) as camera:
        assert take(camera, 1)
    assert window.do("running") == "False"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (None, "does not answer as Micro-Manager's server does"),
        (b"HTTP/1.1 400", "is not Micro-Manager's server"),
        (b'{"type": "none", "version": "4.2.0"}', "has version 4.2.0 of the bridge"),
    ],
)
def test_another_program_on_the_port_is_one_line(reply: bytes | None, message: str) -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as other:
        other.linger = 0
        port = other.bind_to_random_port("tcp://127.0.0.1")

        def answer() -> None:
            if reply is not None and other.poll(5000):
                other.recv()
                other.send(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(CameraError, match=message) as caught:
            MicroManagerCamera(MicroManagerSettings(port=port, backend="java")).open()
        thread.join()
    assert "\n" not in str(caught.value)


def test_another_program_on_the_port_does_not_make_auto_load_the_devices() -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as other:
        other.linger = 0
        port = other.bind_to_random_port("tcp://127.0.0.1")
        with pytest.raises(CameraError, match=r'set camera\.micromanager\.backend = "python"'):
            MicroManagerCamera(MicroManagerSettings(port=port, mm_dir=str(FOLDER))).open()


def test_errors_of_the_core_are_one_line(window: Window) -> None:
    with opened(window.settings(run_camera=True)) as camera:
        with pytest.raises(CameraError, match="no device 'Nope' is loaded"):
            camera.set_property("Nope.Key", 1)
        with pytest.raises(CameraError) as caught:
            camera.set_roi(-1, 0, 10, 10)
        assert "\n" not in str(caught.value)
    with pytest.raises(CameraError, match="window uses 'Camera', not 'Other': choose it there"):
        MicroManagerCamera(window.settings(camera="Other")).open()


def test_a_window_that_hangs_is_told_and_goes_on(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack_drivers._mm_bridge_channel._PATIENCE_S", 1.0)
    window.do("live on")
    with running(session(window)) as engine:
        wait_for(lambda: engine.acquisition.received > 5)
        window.do("hang 4")
        wait_for(lambda: engine.acquisition.state is CameraState.RETRYING)
        assert "look whether a dialog is open in its window" in engine.acquisition.message
        before = engine.acquisition.received
        wait_for(lambda: engine.acquisition.received > before + 5)


def test_a_window_that_is_killed_and_started_again_is_survived(window: Window) -> None:
    window.do("live on")
    with running(session(window)) as engine:
        wait_for(lambda: engine.acquisition.received > 5)
        window.kill()
        wait_for(lambda: engine.acquisition.state is CameraState.RETRYING)
        wait_for(lambda: "no Micro-Manager answers on port" in engine.acquisition.message)
        window.start()
        window.do("live on")
        before = engine.acquisition.received
        wait_for(lambda: engine.acquisition.received > before + 5)
        assert engine.acquisition.outages == 1
