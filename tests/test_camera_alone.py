"""Trouble of the camera stays the camera's: all other devices of the real core's microscope stay as they are."""

from __future__ import annotations

import io
import threading
from typing import Any

import msgspec
import pytest
from live_engine import running
from livetrack_drivers.micromanager import MicroManagerCamera, MicroManagerSettings
from mmpycorex import launcher
from real_microscope import DEMO, FOLDER, Counted, set_up, state_of
from waiting import wait_for

from livetrack.cli import main
from livetrack.client import Remote
from livetrack.errors import CameraError, CommandError
from livetrack.session.engine import Engine


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the configurations that are loaded, by whatever core."""
    loaded: list[str] = []
    create = launcher._create_pymmcore_instance

    def created() -> Any:
        core = create()
        load = core.load_system_configuration

        def counted(config: str) -> None:
            loaded.append(config)
            load(config)

        core.load_system_configuration = core.loadSystemConfiguration = counted
        return core

    monkeypatch.setattr(launcher, "_create_pymmcore_instance", created)
    return loaded


def wait_for_frames(engine: Engine) -> None:
    received = engine.acquisition.received
    wait_for(lambda: engine.acquisition.state == "running" and engine.acquisition.received > received)


def camera_values(core: Any) -> dict[str, Any]:
    names = ("Gain", "Binning", "PixelType", "BeadSize")
    values = {name: core.get_property("Camera", name) for name in names}
    return values | {"roi": tuple(core.get_roi()), "exposure": core.get_exposure()}


def set_camera(remote: Remote) -> None:
    remote.set_property("Camera.Gain", 4)
    remote.set_property("Camera.PixelType", "8bit")
    remote.set_property("Camera.Binning", 2)
    remote.set_property("Camera.BeadSize", 3)
    remote.set_roi(8, 16, 96, 64)
    remote.set_exposure(4)


def prepare(engine: Engine, remote: Remote) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Set up all devices and the camera; return the core, and the values that must stay: of all, and of the camera."""
    core = engine.camera.core
    set_up(core)
    set_camera(remote)
    wait_for(lambda: engine.acquisition.received > 5)
    return core, state_of(core), camera_values(core)


def test_a_camera_that_stops_is_restarted_alone(loads: list[str]) -> None:
    with running(DEMO) as engine, Remote(engine.command_address) as remote:
        core, before, camera = prepare(engine, remote)
        core.stop_sequence_acquisition()
        wait_for(lambda: engine.acquisition.outages == 1)
        wait_for_frames(engine)
        assert engine.camera.core is core
        assert (state_of(core), camera_values(core)) == (before, camera)
        assert remote.hello().geometry.width == 96
    assert len(loads) == 1


def test_an_unplugged_camera_is_initialised_alone_with_growing_pauses(
    loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(DEMO) as engine, Remote(engine.command_address) as remote:
        core, before, camera = prepare(engine, remote)
        starts = Counted(monkeypatch, core, "start_continuous_sequence_acquisition")
        initialised = Counted(monkeypatch, core, "initialize_device")
        starts.unplugged = initialised.unplugged = True
        core.stop_sequence_acquisition()
        wait_for(lambda: "attempt 4" in engine.acquisition.message)
        assert engine.acquisition.state == "retrying"
        assert "the device is not there; opening it again in 1.6 s" in engine.acquisition.message
        away = {**before, "shutter": False, "White Light Shutter.State": "0"}  # MMCore's auto-shutter, at the end
        assert state_of(core) == away
        starts.unplugged = initialised.unplugged = False
        wait_for_frames(engine)
        assert (state_of(core), camera_values(core)) == (before, camera)
        assert {label for (label,) in initialised.calls} == {"Camera"}
        assert core.get_parent_label("Camera") == "DHub"
        assert engine.acquisition.outages == 1
    assert len(loads) == 1


def test_stop_and_start_move_nothing(loads: list[str]) -> None:
    with running(DEMO) as engine, Remote(engine.command_address) as remote:
        core, before, camera = prepare(engine, remote)
        assert remote.stop() == "idle"
        assert not core.is_sequence_running()
        assert state_of(core) == before
        assert remote.start() == "running"
        assert (state_of(core), camera_values(core)) == (before, camera)
    assert len(loads) == 1


@pytest.mark.parametrize("auto", [True, False])
def test_closing_and_opening_again_move_nothing(loads: list[str], auto: bool) -> None:
    with running(DEMO) as engine:
        core = engine.camera.core
        set_up(core)
        core.set_auto_shutter(auto)
        core.set_shutter_open(not auto)
        before = state_of(core)
    assert not core.is_sequence_running()
    assert state_of(core) == before
    with running([*DEMO, "camera.micromanager.binning=2"]) as engine:
        assert engine.camera.core is core
        expected = {**before, "shutter": True, "White Light Shutter.State": "1"}  # as a start opens it, or it was
        assert state_of(core) == expected
        wait_for(lambda: engine.acquisition.received > 5)
    assert len(loads) == 1


def test_a_reload_says_what_it_moves_and_does_it_when_confirmed(
    loads: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with running(DEMO) as engine, Remote(engine.command_address) as remote:
        core = engine.camera.core
        set_up(core)
        set_camera(remote)
        before, camera = state_of(core), camera_values(core)
        effects = "\n".join(remote.reload_devices())
        assert main(["reload", engine.command_address]) == 1  # nobody answers
        assert "nothing was done" in capsys.readouterr().out
        assert (state_of(core), len(loads)) == (before, 1)
        assert "XY stage 'XY', now at (49.995, 19.995) um: initialised, and may move to its home" in effects
        assert "'Objective': initialised, probably " in effects
        assert "Label from 'Nikon 40X Plan Fluor ELWD' to 'Nikon 10X S Fluor'" in effects
        assert "'Camera'" not in effects
        assert main(["reload", engine.command_address, "--yes"]) == 0
        assert len(loads) == 2
        wait_for_frames(engine)
        assert state_of(core)["stage"] == (0, 0)
        assert camera_values(core) == camera
        remote.halt()
        with pytest.raises(CommandError, match="halted"):
            remote.reload_devices(confirm=True)
    assert len(loads) == 2


def test_a_slow_move_does_not_go_on_after_a_reload() -> None:
    with running([*DEMO, "stage.max_speed=5"]) as engine, Remote(engine.command_address) as remote:
        remote.move_by("stage", 1000.0, 0.0)
        remote.reload_devices(confirm=True)
        wait_for(lambda: not any(thread.name == "livetrack-paced-move" for thread in threading.enumerate()), 10)
        assert engine.camera.core.get_x_position() == 0


def test_a_session_that_ends_without_its_camera_is_followed_by_one_that_initialises_it(
    loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(DEMO) as engine:
        core = engine.camera.core
        set_up(core)
        wait_for(lambda: engine.acquisition.received > 5)
        with monkeypatch.context() as patch:
            initialised = Counted(patch, core, "initialize_device")
            starts = Counted(patch, core, "start_continuous_sequence_acquisition")
            starts.unplugged = initialised.unplugged = True
            core.stop_sequence_acquisition()
            wait_for(lambda: "attempt 3" in engine.acquisition.message)
            engine.acquisition.stop()
            before = state_of(core)
        assert core.get_camera_device() == ""
    with running(DEMO) as engine:
        wait_for(lambda: engine.acquisition.received > 5)
        assert state_of(core) == {**before, "shutter": True, "White Light Shutter.State": "1"}
    assert len(loads) == 1


def build(**settings: object) -> MicroManagerCamera:
    table = {"mm_dir": str(FOLDER), "buffer_mb": 32} | settings
    return MicroManagerCamera(msgspec.convert(table, MicroManagerSettings))


def test_a_new_session_finds_the_camera_as_configured_and_the_rest_as_left() -> None:
    first = build(properties={"Camera.Gain": 3, "Objective.Label": "Objective-2"}, binning=4, exposure_ms=3)
    first.open()
    core = first.core
    first.close()
    second = build()
    assert second.open().width == 512
    assert (core.get_property("Camera", "Gain"), core.get_exposure()) == ("0", 10)
    assert core.get_property("Objective", "Label") == "Objective-2"
    second.close()


def test_other_devices_are_set_when_a_camera_is_opened_first_not_again() -> None:
    camera = build(properties={"Objective.Label": "Objective-2", "Camera.Gain": 3})
    camera.open()
    core = camera.core
    core.set_property("Objective", "Label", "Nikon 40X Plan Fluor ELWD")  # turned by hand
    camera.close()
    camera.open()
    assert core.get_property("Objective", "Label") == "Nikon 40X Plan Fluor ELWD"
    assert core.get_property("Camera", "Gain") == "3"
    camera.close()


@pytest.mark.parametrize("name", ["Core.Camera", "Core.Initialize"])
def test_a_property_that_would_change_the_camera_or_all_devices_is_refused(name: str) -> None:
    camera = build()
    camera.open()
    with pytest.raises(CameraError, match=f"{name}' cannot be set in a session"):
        camera.set_property(name, "0")
    assert camera.core.is_sequence_running()
    camera.close()


def test_another_current_camera_is_reported_and_not_tracked() -> None:
    camera = build()
    camera.open()
    camera.suspend()
    camera.core.set_property("Core", "Camera", "")
    with pytest.raises(CameraError, match="no camera 'Camera' now"):
        camera.resume()
    camera.core.set_property("Core", "Camera", "Camera")
    camera.resume()
    assert camera.core.is_sequence_running()
    camera.close()


def test_a_camera_that_another_program_sets_to_colour_is_not_tracked_until_it_is_grey() -> None:
    mode = 'camera.micromanager.properties={"Camera.Mode"="Artificial Waves"}'
    with running([*DEMO, mode]) as engine, Remote(engine.command_address) as remote:
        core = engine.camera.core
        wait_for_frames(engine)
        core.stop_sequence_acquisition()
        core.set_property("Camera", "PixelType", "32bitRGB")
        core.start_continuous_sequence_acquisition(0)
        wait_for(lambda: "delivers colour" in engine.acquisition.message)
        assert "set property 'Camera.PixelType' to '16bit' or '32bit' or '8bit'" in engine.acquisition.message
        remote.set_property("Camera.PixelType", "16bit")
        wait_for_frames(engine)
        assert engine.frame is None or engine.frame.pixels.dtype.kind == "u"
