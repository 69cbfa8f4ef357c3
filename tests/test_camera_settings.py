"""What the configuration and the user have set is respected: exposure, trigger, shutter, size of the buffer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from livetrack_drivers._mm_trigger import awaited_trigger, is_external
from livetrack_drivers.micromanager import MicroManagerCamera, MicroManagerSettings
from real_microscope import DEMO, FOLDER, Counted

from livetrack.cli import main
from livetrack.errors import CameraError

ANY_PORT = [f"publish.{name}=tcp://127.0.0.1:*" for name in ("address", "preview_address", "command_address")]


def options(*overrides: str) -> list[str]:
    return [part for each in overrides for part in ("--set", each)]


def build(**settings: object) -> MicroManagerCamera:
    table = {"mm_dir": str(FOLDER)} | settings
    return MicroManagerCamera(msgspec.convert(table, MicroManagerSettings))


def first_frame_ms(camera: MicroManagerCamera, side: int) -> float:
    """Return the time until the first image of this size."""
    begun = time.perf_counter()
    next(picture for picture in camera.pictures() if picture is not None and picture.pixels.shape == (side, side))
    return 1e3 * (time.perf_counter() - begun)


def test_an_exposure_left_out_is_that_of_the_configuration(tmp_path: Any) -> None:
    text = (FOLDER / "MMConfig_demo.cfg").read_text(encoding="utf-8")
    config = tmp_path / "mine.cfg"
    config.write_text(f"{text}\nConfigGroup,System,Startup,Camera,Exposure,37\n", encoding="utf-8")
    camera = build(config_file=str(config))
    camera.open()
    assert camera.core.get_exposure() == 37
    camera.set_exposure(5)
    camera.close()
    camera = build(config_file=str(config))
    camera.open()
    assert camera.core.get_exposure() == 37
    camera.close()


def test_five_changes_of_the_exposure_switch_no_shutter_and_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = build(buffer_mb=16, exposure_ms=5)
    camera.open()
    core = camera.core
    stops = Counted(monkeypatch, core, "stop_sequence_acquisition")
    states = []
    for exposure_ms in (4, 6, 8, 7, 5):
        camera.set_exposure(exposure_ms)
        assert core.get_exposure() == exposure_ms
        states.append(core.get_property("White Light Shutter", "State"))
    camera.set_property("Camera.Exposure", 9)
    assert core.get_exposure() == 9
    assert states == ["1"] * 5
    assert stops.calls == []
    camera.close()


def test_a_camera_that_refuses_an_exposure_while_running_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = build(buffer_mb=16, exposure_ms=5)
    camera.open()
    core = camera.core
    original = core.set_exposure
    during: list[bool] = []

    def set_exposure(label: str, exposure_ms: float) -> None:
        if core.is_sequence_running():
            raise RuntimeError("not while the sequence runs")
        during.append(core.get_shutter_open())
        original(label, exposure_ms)

    monkeypatch.setattr(core, "set_exposure", set_exposure)
    camera.set_exposure(8)
    assert core.get_exposure() == 8
    assert during == [True]  # the shutter stays open in the pause
    assert core.get_auto_shutter()
    assert core.is_sequence_running()
    camera.close()


def test_a_pause_keeps_a_shutter_that_was_closed_by_hand() -> None:
    camera = build(buffer_mb=16)
    camera.open()
    camera.core.set_shutter_open(False)
    camera.set_roi(0, 0, 64, 64)
    assert not camera.core.get_shutter_open()
    assert camera.core.get_auto_shutter()
    camera.close()


@pytest.mark.parametrize("side", [4, 64])
def test_a_small_roi_starts_at_once(side: int) -> None:
    camera = build(exposure_ms=5)
    camera.open()
    took_ms = []
    for _ in range(5):
        camera.clear_roi()
        begun = time.perf_counter()
        camera.set_roi(0, 0, side, side)
        took_ms.append(1e3 * (time.perf_counter() - begun) + first_frame_ms(camera, side))
    assert camera.core.get_buffer_total_capacity() < 70_000
    camera.close()
    assert min(took_ms) < 100 + 5  # the least of five: another program may hold the processor


def test_timing_follows_the_exposure() -> None:
    camera = build(exposure_ms=50)
    camera.open()
    assert camera.timing() == (0.05, "")
    camera.set_exposure(250)
    assert camera.timing().interval_s == 0.25
    camera.close()


@pytest.mark.parametrize(
    ("modes", "sources", "external"),
    [
        ([], [], False),
        (["Internal"], [], False),
        (["External"], [], True),
        (["Internal (Recommended for fast acquisitions)"], [], False),  # Andor
        (["External Exposure"], [], True),
        (["Internal Trigger"], [], False),  # PVCAM
        (["Edge Trigger"], [], True),
        (["Trigger first"], [], True),
        (["NORMAL"], ["INTERNAL"], False),  # Hamamatsu
        (["NORMAL"], ["EXTERNAL"], True),
        (["Off"], ["Line1"], False),  # GenICam
        (["On"], ["Line1"], True),
        (["On"], ["Software"], True),
        (["Freerun"], [], False),  # QImaging
        (["EdgeHi"], [], True),
        (["Software"], [], False),  # Thorlabs: runs by itself
        (["Hardware Edge"], [], True),
    ],
)
def test_triggers_of_common_cameras_are_recognised(modes: list[str], sources: list[str], external: bool) -> None:
    assert is_external(modes, sources) is external


class CoreWithTrigger:
    """A core whose camera has the properties of a GenICam camera."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def get_device_property_names(self, _: str) -> list[str]:
        return ["Gain", *self.values]

    def get_property_from_cache(self, _: str, name: str) -> str:
        return self.values[name]


def test_the_trigger_is_named_for_the_user() -> None:
    core = CoreWithTrigger(TriggerMode="On", TriggerSource="Line1")
    assert awaited_trigger(core, "Cam") == "Cam.TriggerMode = 'On' and Cam.TriggerSource = 'Line1'"
    assert awaited_trigger(CoreWithTrigger(TriggerMode="Off", TriggerSource="Line1"), "Cam") == ""


def test_check_waits_for_a_long_exposure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begun = time.monotonic()
    assert main(["check", *options(*DEMO, "camera.micromanager.exposure_ms=3000", *ANY_PORT)]) == 0
    page = capsys.readouterr().out
    assert "512x512" in page
    assert "rate        0.33" in page
    assert "stall" not in page
    assert time.monotonic() - begun > 6  # two exposures, at least


def test_check_names_the_trigger_that_the_camera_waits_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from livetrack_drivers import micromanager

    monkeypatch.chdir(tmp_path)

    monkeypatch.setattr(micromanager, "awaited_trigger", lambda core, camera: f"{camera}.TriggerMode = 'External'")
    monkeypatch.setattr(micromanager.PictureSequence, "_take", lambda sequence: None)
    assert main(["check", *options(*DEMO, *ANY_PORT)]) == 0
    page = capsys.readouterr().out
    assert "warning  camera      micromanager: it waits for a trigger (Camera.TriggerMode = 'External')" in page


def test_an_objective_that_does_not_answer_neither_prolongs_a_pause_nor_stops_the_camera(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera = build(buffer_mb=16, exposure_ms=5)
    camera.open()
    core = camera.core
    original = core.get_property
    in_a_pause: list[bool] = []

    def get_property(device: str, key: str) -> str:
        if device == "Objective":
            in_a_pause.append(not core.is_sequence_running())
            raise RuntimeError("no answer")
        return str(original(device, key))

    monkeypatch.setattr(core, "get_property", get_property)
    geometry = camera.set_roi(0, 0, 64, 32)
    assert (geometry.width, geometry.height, geometry.objective) == (64, 32, "Nikon 10X S Fluor")
    camera.set_binning(2)
    geometries = (picture.geometry for picture in camera.pictures() if picture is not None)
    assert next(geometry for geometry in geometries if geometry and geometry.binning == 2).pixel_size_um == 2.0
    assert True not in in_a_pause
    camera.suspend()
    assert camera.resume().objective == "Nikon 10X S Fluor"
    assert core.is_sequence_running()
    with pytest.raises(CameraError, match="no answer"):
        camera.read_geometry()
    camera.close()
