"""Checks of a session's settings: what the page says, on simulated and real devices, and that nothing moves."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq
from livetrack_drivers.micromanager import MicroManagerCamera, MicroManagerSettings
from PIL import Image
from real_microscope import DEMO, FOLDER, set_up, state_of
from scripted_camera import ScriptedCamera

from livetrack.camera import Geometry, Picture
from livetrack.check import session as check_module
from livetrack.check.computer_lines import check_addresses, check_disk
from livetrack.check.lines import Grade, Line, fine, format_lines, warn, worst
from livetrack.check.session import SessionReport, check_session, session_text
from livetrack.cli import main
from livetrack.config import PublishSettings, RecordSettings, load_config
from livetrack.devices import ActuatorCalibration
from livetrack.devices.lifecycle import FrameTiming
from livetrack.session.commands import CalibrationStore

CENTROID = ["localizer.model=centroid", "localizer.diameter_px=7.0"]
PORTS = [f"publish.{name}=tcp://127.0.0.1:*" for name in ("address", "preview_address", "command_address")]
SMALL = [*CENTROID, *PORTS, "camera.simulated.width=128", "camera.simulated.height=128", "camera.simulated.count=8"]


def check(overrides: list[str], picture: Path | None = None, seconds: float = 0.5) -> SessionReport:
    return check_session(load_config(None, overrides), "test.toml", picture, seconds=seconds)


def lines_of(report: SessionReport, subject: str) -> list[Line]:
    return [line for line in report.lines if line.subject == subject]


def line_of(report: SessionReport, subject: str) -> Line:
    (line,) = lines_of(report, subject)
    return line


def test_lines_have_grade_subject_text_and_advice() -> None:
    lines = [fine("rate", "100 frames/s"), warn("stage", "no limits", "set them"), Line("picture", "a.png")]
    assert format_lines(lines) == [
        "fine     rate        100 frames/s",
        "warning  stage       no limits: set them",
        "         picture     a.png",
    ]
    assert format_lines([Line("checked", "one frame")]) == ["checked     one frame"]
    assert format_lines([fine("stage", "x = 1 µm, y = 2 µm, z = 3 µm")], 45) == [
        "fine     stage       x = 1 µm, y = 2 µm, z =",
        "                     3 µm",
    ]
    assert worst(lines) is Grade.WARNING
    assert worst(lines[:1]) is Grade.FINE


def test_the_page_of_the_simulated_microscope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report = check(SMALL, Path("page.png"))
    assert report.grade is not Grade.FAULT
    assert report.fps is not None
    assert 5 < report.fps < 120
    assert report.repeated == 0
    assert (line_of(report, "frames").grade is Grade.FINE) == (report.lost == 0)
    assert "of the middle of each exposure" in line_of(report, "times").text
    assert "128x128 px" in line_of(report, "geometry").text
    assert line_of(report, "devices").text == "all simulated: no device is touched"
    assert len(lines_of(report, "address")) == 3
    assert report.particles is not None
    assert report.picture == "page.png"
    with Image.open("page.png") as drawn:
        assert drawn.width >= 1280
    assert [path.name for path in tmp_path.iterdir()] == ["page.png"]
    text = session_text(report)
    assert text.splitlines()[0] == "fine     settings    test.toml: valid"
    assert text.splitlines()[-1] in ("everything is fine", "1 warning", "2 warnings", "3 warnings")


def test_lost_frames_are_counted() -> None:
    report = check([*SMALL, "camera.simulated.drop_every=10", "camera.simulated.drop_frames=2"])
    assert report.lost > 0
    line = line_of(report, "frames")
    assert line.grade is Grade.WARNING
    assert f"{report.lost} lost" in line.text


def test_every_fault_has_its_line_and_the_rest_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with zmq.Context.instance().socket(zmq.PUB) as other:
        port = other.bind_to_random_port("tcp://127.0.0.1")
        sets = [
            *PORTS[1:], f"publish.address=tcp://127.0.0.1:{port}", "localizer.model=nothere.onnx",
            f"record.folder={str(file / 'x')!r}", "stage.limits.q=[0.0, 1.0]",
        ]  # fmt: skip
        report = check(sets, tmp_path / "page.png", seconds=0.2)
    faults = {line.subject: line.text for line in report.lines if line.grade is Grade.FAULT}
    assert set(faults) == {"address", "model", "disk", "actuators"}
    assert "is another livetrack running?" in faults["address"]
    assert "no such file" in faults["model"]
    assert "is a file" in faults["disk"]
    assert "no axis 'q'" in faults["actuators"]
    assert report.frames > 0
    assert not (tmp_path / "page.png").exists()
    command = [part for each in [*PORTS, "localizer.model=nothere.onnx"] for part in ("--set", each)]
    assert main(["check", "--seconds", "0.2", *command]) == 2
    output = capsys.readouterr()
    assert "fault    model" in output.out
    assert output.err.splitlines()[-1].startswith("livetrack: model nothere.onnx: no such file")


def test_a_camera_that_does_not_open_leaves_the_rest_to_be_checked() -> None:
    report = check([*CENTROID, *PORTS, "camera.driver=movie", "camera.movie.path=nothere.tif"])
    assert line_of(report, "camera").grade is Grade.FAULT
    assert line_of(report, "model").grade is Grade.FINE
    assert line_of(report, "disk").grade is Grade.FINE
    assert len(lines_of(report, "address")) == 3


def test_a_recording_lasts_as_long_as_the_disk_has_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=36e9))
    settings = RecordSettings(folder=str(tmp_path))
    line = check_disk(settings, 1e6)
    assert (line.grade, "fill it in 10 hours" in line.text) == (Grade.FINE, True)
    assert check_disk(settings, 3e7).grade is Grade.WARNING
    assert check_disk(settings, 1e9).grade is Grade.FAULT
    assert check_disk(RecordSettings(), 1e9).grade is Grade.FINE  # nobody asked for a recording
    missing = check_disk(RecordSettings(folder=str(tmp_path / "a" / "b")), 1e6)
    assert (missing.grade, "is a disk missing?" in missing.advice) == (Grade.WARNING, True)
    assert not (tmp_path / "a").exists()


def test_addresses_open_to_others_are_told_with_their_keys(tmp_path: Path) -> None:
    assert main(["keys", str(tmp_path / "keys")]) == 0
    free = dict.fromkeys(("preview_address", "command_address"), "tcp://127.0.0.1:*")
    lines = check_addresses(PublishSettings(address="tcp://*:*", curve_keys=str(tmp_path / "keys"), **free))
    assert [line.grade for line in lines] == [Grade.FINE] * 3
    assert "other computers can reach it, with the keys of" in lines[0].text
    assert "for programs on this computer" in lines[1].text
    assert check_addresses(PublishSettings(curve_keys=str(tmp_path)))[0].grade is Grade.FAULT


def test_calibrations_in_force_refused_and_old(tmp_path: Path) -> None:
    path = tmp_path / "calibrations.json"
    sets = [*SMALL, f"calibration.file={str(path)!r}"]
    assert "none in" in line_of(check(sets), "calibration").text
    made = ActuatorCalibration(
        actuator="stage", unit="um", camera="simulated", matrix=((10.0, 0.0), (0.0, 10.0)),
        matrix_std=((0.01, 0.01), (0.01, 0.01)), delay_frames=1.5, delay_std_frames=0.1, interval_s=0.01, binning=1,
        pixel_size_um=0.1, made=datetime.now().astimezone().isoformat(),
    )  # fmt: skip
    geometry = Geometry(128, 128, pixel_size_um=0.1)
    CalibrationStore(str(path), "simulated").store(made, geometry)
    line = line_of(check(sets), "calibration")
    assert (line.grade, "made today" in line.text) == (Grade.FINE, True)
    old = (datetime.now().astimezone() - timedelta(days=40.5)).isoformat()
    CalibrationStore(str(path), "simulated").store(msgspec.structs.replace(made, made=old), geometry)
    line = line_of(check(sets), "calibration")
    assert (line.grade, "made 40 days ago" in line.text) == (Grade.WARNING, True)
    refused = line_of(check([*sets, "camera.simulated.pixel_size_um=0.2"]), "calibration")
    assert (refused.grade, "calibrate again" in refused.text) == (Grade.WARNING, True)


class Scripted(ScriptedCamera):
    """A scripted camera as a driver: noise at 200 frames/s, changed by `change`, and a timing."""

    change: Any = staticmethod(lambda picture: picture)
    frame_timing = FrameTiming(0.0)
    count = 10_000

    def __init__(self, _: Any) -> None:
        super().__init__(self.play)
        self.begun = 0.0

    def open(self) -> Geometry:
        super().open()
        return Geometry(40, 30)

    def play(self) -> Iterator[Picture | None]:
        rng = np.random.default_rng(1)
        for number in range(self.count):
            time.sleep(0.005)
            yield self.change(Picture(rng.integers(90, 110, (30, 40), np.uint16), number))
        while True:
            time.sleep(0.05)
            yield None

    def timing(self) -> FrameTiming:
        return self.frame_timing


def check_scripted(monkeypatch: pytest.MonkeyPatch, overrides: Sequence[str] = (), **attributes: Any) -> SessionReport:
    kind = type("Kind", (Scripted,), attributes)
    monkeypatch.setattr(check_module, "load_driver", lambda _: kind)
    return check([*CENTROID, *PORTS, *overrides], seconds=0.3)


def test_frames_that_waited_repeated_or_lie_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def waited(picture: Picture) -> Picture:
        return picture._replace(waited=picture.number > 20)

    def again(picture: Picture) -> Picture:
        return picture._replace(number=picture.number // 2)

    def nonsense(picture: Picture) -> Picture:
        return picture._replace(t_received_ns=-5)

    assert "times are estimated" in line_of(check_scripted(monkeypatch, change=staticmethod(waited)), "times").text
    report = check_scripted(monkeypatch, change=staticmethod(again))
    assert report.repeated > 0
    assert line_of(report, "frames").grade is Grade.WARNING
    assert "cannot be true" in line_of(check_scripted(monkeypatch, change=staticmethod(nonsense)), "frames").text
    report = check_scripted(monkeypatch)
    assert line_of(report, "frames").grade is Grade.FINE
    assert line_of(report, "pixel size").grade is Grade.WARNING


def test_blank_and_saturated_images_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def blank(picture: Picture) -> Picture:
        return picture._replace(pixels=np.zeros((30, 40), np.uint16))

    report = check_scripted(monkeypatch, change=staticmethod(blank))
    assert ("all pixels are 0", "check the light and the shutter") in [
        (line.text, line.advice) for line in lines_of(report, "image")
    ]


def test_a_camera_that_waits_for_a_trigger_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack.check.camera_trial._START_S", 0.2)
    report = check_scripted(
        monkeypatch, count=0, frame_timing=FrameTiming(0.0, "a trigger (Cam.TriggerMode = 'External')")
    )
    assert report.grade is Grade.WARNING
    assert "it waits for a trigger (Cam.TriggerMode = 'External')" in lines_of(report, "camera")[-1].text
    silent = check_scripted(monkeypatch, count=0)
    assert silent.grade is Grade.FAULT
    assert "no frame came" in lines_of(silent, "camera")[-1].text


def test_a_camera_that_is_lost_blocks_or_fails_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = check([*SMALL, "camera.simulated.disconnect_at_s=0.2", "camera.retry_s=0.5"], seconds=1)
    assert "disconnected" in lines_of(lost, "camera")[-1].text
    assert lost.grade is Grade.FAULT
    assert lost.frames > 0

    released = threading.Event()

    def block(_: Any) -> Iterator[Picture | None]:
        released.wait(60)
        yield None

    def fail(_: Any) -> Iterator[Picture | None]:
        yield None
        raise SystemExit("the licence has expired")

    monkeypatch.setattr("livetrack.check.camera_trial._START_S", 0.5)
    blocked = check_scripted(monkeypatch, ["camera.stall_s=0.1"], play=block)
    released.set()
    assert "has not returned from a call" in lines_of(blocked, "camera")[-1].text
    failed = check_scripted(monkeypatch, play=fail)
    assert "the licence has expired" in lines_of(failed, "camera")[-1].text


@pytest.mark.parametrize("shutter_open", [False, True])
def test_a_check_of_the_real_core_changes_nothing(shutter_open: bool) -> None:
    first = MicroManagerCamera(msgspec.convert({"mm_dir": str(FOLDER)}, MicroManagerSettings))
    first.open()
    core = first.core
    set_up(core)
    first.close()
    core.set_auto_shutter(False)
    core.set_shutter_open("White Light Shutter", shutter_open)
    core.set_auto_shutter(True)
    before = state_of(core)
    core.enable_continuous_focus(True)
    settings = ["camera.micromanager.exposure_ms=10", "camera.micromanager.roi=[8, 8, 128, 96]"]
    report = check([*DEMO, *PORTS, *settings])
    assert report.frames > 0
    assert report.lost == 0
    assert state_of(core) == before
    assert "White Light Shutter opens with the camera" in line_of(report, "by itself").text
    assert line_of(report, "left alone").text.startswith("DHub;")
    assert "XY" in line_of(report, "on command").text
    assert f"x = {before['stage'][0]:g} µm, no limits" in line_of(report, "stage").text
    assert line_of(report, "stage").grade is Grade.WARNING  # without limits
    assert line_of(report, "objective").text.startswith("Nikon 40X")
    assert "ElapsedTime-ms" in line_of(report, "times").text
    assert "LED Shutter open" in line_of(report, "light").text
    assert line_of(report, "autofocus").grade is Grade.WARNING
    core.enable_continuous_focus(False)
    assert "128x96 px" in line_of(report, "geometry").text
    assert "Camera.exposure_ms = 10.0, Camera.roi = (8, 8, 128, 96)" in line_of(report, "sets").text


def test_the_picture_never_becomes_an_image_of_the_movie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    for number in range(2):
        Image.fromarray(rng.integers(0, 255, (64, 64), np.uint8)).save(f"{number}.png")
    assert main(["check", "."]) == 0
    assert "no particles stand out from the noise" in capsys.readouterr().out
    assert main(["check", ".", "--picture", "x.png"]) == 2
    assert main(["check", "--picture", "x.jpg"]) == 2
    sets = [part for each in [*CENTROID, *PORTS] for part in ("--set", each)]
    assert main(["check", "--seconds=0.1", "--set=camera.driver=movie", "--set=camera.movie.path=.", *sets]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png"]


def test_the_json_has_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sets = [part for each in SMALL for part in ("--set", each)]
    assert main(["check", "--seconds=0.2", "--json", "page.json", *sets]) == 0
    page = json.loads(Path("page.json").read_text(encoding="utf-8"))
    assert {"settings", "geometry", "dtype", "fps", "frames", "lost", "particles", "lines", "grade"} <= set(page)
    assert page["lines"][0]["grade"] == "fine"
    assert page["geometry"] == dataclasses.asdict(Geometry(128, 128, pixel_size_um=0.1))
