"""A recording keeps what happens besides: settings, commands, models, geometries, states, log lines, clocks."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from live_engine import ANY_PORT, running
from msgspec import structs
from test_record import frame_of
from waiting import wait_for

from livetrack import __version__
from livetrack.camera import Geometry, Picture
from livetrack.cli import main
from livetrack.client import Remote
from livetrack.config import load_config
from livetrack.devices import ActuatorCalibration
from livetrack.errors import CameraLostError
from livetrack.localize.classical import ClassicalLocalizer
from livetrack.localize.models import read_card, shipped_models
from livetrack.record import Damage, EventLog, Recorder, read_session
from livetrack.record import event_log as event_log_module
from livetrack.record.disk_sync import DiskSync
from livetrack.record.event_log import read_events
from livetrack.session.commands.calibration_store import CalibrationStore, StoredCalibration
from livetrack.session.recording_notes import RecordingNotes

SMALL = [f"camera.simulated.{each}" for each in ("width=128", "height=96", "count=8", "exposure_ms=10")]


def start(folder: Path, *settings: str) -> list[str]:
    return [*SMALL, f'record.folder="{folder.as_posix()}"', *settings]


def read(folder: Path) -> tuple[list[dict[str, Any]], list[Damage]]:
    damaged: list[Damage] = []
    return list(read_events(folder, damaged.append)), damaged


def recorded(folder: Path) -> Any:
    return read_session(next(folder.iterdir()))


def settings_of(folder: Path) -> dict[str, Any]:
    return {event["name"]: event for event in recorded(folder).events("setting")}


def test_settings_changed_by_a_client_are_kept_with_their_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log_module, "_WRITE_S", 60.0)  # written at the end only
    with running(start(tmp_path)) as engine, Remote(engine.command_address) as remote:
        wait_for(lambda: engine.status().tracked > 3)
        before_ns, before_wall_ns = time.perf_counter_ns(), time.time_ns()
        remote.set_threshold(0.7)
        between_ns = time.perf_counter_ns()
        remote.set_exposure(8.5)
        remote.set_search_radius(7.0)
        after_ns, after_wall_ns = time.perf_counter_ns(), time.time_ns()
        with pytest.raises(Exception, match="no particle"):
            remote.choose_target(particle=123456)
    found = settings_of(tmp_path)
    threshold, exposure = found["localizer.threshold"], found["driver_settings.exposure_ms"]
    assert (threshold["value"], exposure["before"], exposure["value"]) == (0.7, 10.0, 8.5)
    assert found["linker.search_radius_px"]["value"] == 7.0
    assert before_ns < threshold["t_ns"] < between_ns < exposure["t_ns"] < after_ns
    assert before_wall_ns < threshold["wall_ns"] <= exposure["wall_ns"] < after_wall_ns

    session = recorded(tmp_path)
    commands = [event for event in session.events("command") if event["command"] != "choose_target"]
    assert [event["command"] for event in commands] == ["set_threshold", "set_exposure", "set_search_radius"]
    assert commands[0]["arguments"]["threshold"] == 0.7
    assert commands[1]["result"]["value"] == 8.5
    refused = next(event for event in session.events("command") if event["error"])
    assert "no particle" in refused["error"]
    assert len({event["client"] for event in commands}) == 1
    received = session.received()["t_received_ns"].to_pylist()
    assert received[0] < threshold["t_ns"] < received[-1]  # the same clock
    assert session.info["events_written"] == len(session.events())
    assert session.info["events_lost"] == 0
    assert session.events("model")[0]["threshold"] == shipped_threshold() != 0.7  # that of the time of the event


def shipped_threshold() -> float:
    return read_card(shipped_models()["spot"]).threshold


def test_the_models_in_use_and_their_cards_are_kept_once_each(tmp_path: Path) -> None:
    with running(start(tmp_path, 'localizer.model="spot"')) as engine, Remote(engine.command_address, 30.0) as remote:
        wait_for(lambda: engine.status().tracked > 3)
        for model in ("centroid", "spot"):
            remote.swap_model(model)
    session = recorded(tmp_path)
    first, second, third = session.events("model")
    assert (first["name"], second["name"], third["name"]) == ("spot", "centroid", "spot")
    assert "file" not in second
    content = shipped_models()["spot"].read_bytes()
    assert first["file"] == third["file"]
    assert (session.folder / first["file"]).read_bytes() == content
    assert first["sha256"] == hashlib.sha256(content).hexdigest()
    assert json.loads((session.folder / first["card"]).read_text())["name"] == "spot"
    assert len(list((session.folder / "model").iterdir())) == 2
    assert settings_of(tmp_path)["localizer.model"]["value"] == "spot"  # the last of two changes


def test_a_model_file_that_has_changed_since_is_not_kept_as_the_one_in_use(tmp_path: Path) -> None:
    model = tmp_path / "mine.onnx"
    shutil.copy(shipped_models()["spot"], model)
    folder = tmp_path / "recordings"
    folder.mkdir()
    with running([*SMALL, f'localizer.model="{model.as_posix()}"']) as engine, Remote(engine.command_address) as remote:
        wait_for(lambda: engine.status().tracked > 3)
        shutil.copy(shipped_models()["bead"], model)
        remote.start_recording(str(folder))
        remote.stop_recording()
    event = recorded(folder).events("model")[0]
    assert event["file"] is None
    assert "has changed since it was loaded" in event["problem"]
    assert "is not kept" in recorded(folder).problem


def test_each_geometry_is_kept_with_its_first_frame(tmp_path: Path) -> None:
    with running(start(tmp_path)) as engine, Remote(engine.command_address) as remote:
        wait_for(lambda: engine.status().tracked > 3)
        remote.pause()  # also of frames that are not tracked
        remote.set_roi(16, 8, 64, 48)
        wait_for(lambda: engine.acquisition.geometry_record.of_frames.geometry.width == 64)
        frames = engine.status().received
        wait_for(lambda: engine.status().received > frames + 3)
    session = recorded(tmp_path)
    events = session.events("geometry")
    frames = {frame.geometry_number: frame for frame in reversed(list(session.frames()))}
    assert len(events) == len(frames) >= 2
    for event in events:
        first = frames[event["number"]]
        assert event["frame"] == first.index
        assert Geometry(**event["geometry"]).same_as(first.geometry)


def test_frames_that_were_not_tracked_are_kept_and_can_be_distinguished(tmp_path: Path) -> None:
    with running(start(tmp_path)) as engine, Remote(engine.command_address) as remote:
        wait_for(lambda: engine.status().tracked > 3)
        remote.pause()
        skipped = engine.status().skipped
        wait_for(lambda: engine.status().skipped > skipped + 5)
    session = recorded(tmp_path)
    received = session.received().to_pandas()
    received["tracked"] = received["frame"].isin(session.tracked().to_pandas()["frame"])
    assert received["tracked"].sum() == session.tracked().num_rows
    assert (~received["tracked"]).sum() == engine.status().skipped
    assert len(list(session.frames())) == len(received) == engine.status().received


def test_what_a_recording_begins_with_and_the_versions(tmp_path: Path) -> None:
    with running(SMALL) as engine, Remote(engine.command_address) as remote:
        wait_for(lambda: engine.status().tracked > 3)
        remote.properties()
        read_ns = time.perf_counter_ns()
        remote.start_recording(str(tmp_path))
        logging.getLogger("livetrack").warning("the lamp is %s", "old")
        remote.properties()
        remote.properties()
        remote.pause()
        wait_for(lambda: engine.recorder.events.written > 8)
        session_number = engine.status().session
    session = recorded(tmp_path)
    begin = session.events("begin")[0]
    assert (begin["session"], begin["state"], begin["calibrations"]) == (session_number, "running", [])
    assert [event["text"] for event in session.events("log") if event["level"] == "WARNING"] == ["the lamp is old"]
    assert "paused" in [event["state"] for event in session.events("camera")]
    before, read = session.events("properties")  # what a client has read, once: it did not change
    assert before["read_ns"] < read_ns < read["t_ns"]
    assert before["properties"] == read["properties"]
    assert "exposure_ms" in [each["name"] for each in read["properties"]]
    versions = session.info["versions"]
    assert versions["livetrack"] == __version__
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == np.__version__
    assert {"numba", "onnxruntime", "pyarrow", "msgspec", "pyzmq"} <= versions.keys()
    assert session.info["cores"] == os.cpu_count()
    first, last = session.events("clock")
    for event in (first, last):
        offset_ns = session.info["started_wall_ns"] - session.info["started_monotonic_ns"]
        assert abs(event["wall_ns"] - event["t_ns"] - offset_ns) < 1e9
        assert 0 <= event["uncertainty_ns"] < 1e9
    assert session.events()[-1] == last


def test_events_older_than_a_second_survive_a_kill(tmp_path: Path) -> None:
    program = f"""
from livetrack.config import load_config
from livetrack.session.engine import Engine
with Engine(load_config(None, {[*ANY_PORT, *start(tmp_path)]!r})) as engine:
    print(engine.command_address, flush=True)
    engine.run()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with Remote(process.stdout.readline().strip(), 60.0) as remote:
            for threshold in (0.61, 0.62, 0.63):
                remote.set_threshold(threshold)
            answered = time.monotonic()
            wait_for(lambda: time.monotonic() > answered + 1.0)
            remote.set_threshold(0.64)
        process.kill()
    session = recorded(tmp_path)
    assert not session.closed
    values = [event["value"] for event in session.events("setting")]
    assert values[:3] == [0.61, 0.62, 0.63]
    assert values[3:] in ([], [0.64])
    assert session.events("begin", "clock")
    assert (session.folder / session.events("model")[0]["file"]).stat().st_size > 10_000


def test_check_and_recover_report_events_and_cut_a_torn_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(start(tmp_path)) as engine, Remote(engine.command_address) as remote:
        wait_for(lambda: engine.status().tracked > 3)
        remote.set_threshold(0.7)
    folder = recorded(tmp_path).folder
    assert main(["check", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "1 changes of settings, 0 refused commands\nsetting: localizer.threshold: None to 0.7, at " in text
    assert "model: spot, sha256 " in text
    path = folder / "events.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    assert main(["check", str(folder)]) == 1
    assert "damaged: events.jsonl" in capsys.readouterr().out
    main(["recover", str(folder)])
    assert "repaired: events.jsonl" in capsys.readouterr().out
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"kind":"x"}', b'{"t_ns":1,"wall_ns":1e300,"kind":"x"}', b'{"t_ns":1,"wall_ns":1,"kind":2}'],
)
def test_sealed_lines_of_other_programs_are_refused(tmp_path: Path, content: bytes) -> None:
    seal = zlib.crc32(content[:-1])
    (tmp_path / "events.jsonl").write_bytes(content[:-1] + b',"crc32":"%08x"}\n' % seal)
    events, damaged = read(tmp_path)
    assert (events, len(damaged)) == ([], 1)


@pytest.fixture
def sync() -> Iterator[DiskSync]:
    sync = DiskSync(list, lambda file, error: None, period_s=0.1)
    sync.start()
    yield sync
    sync.finish()


def test_torn_and_altered_lines_are_not_believed(tmp_path: Path, sync: DiskSync) -> None:
    log = EventLog(tmp_path, sync)
    for number in range(50):
        log.note("test", {"number": number, "text": 'a "quoted" line\nand µ'})
    log.close()
    path = tmp_path / "events.jsonl"
    whole = path.read_bytes()
    events, damaged = read(tmp_path)
    assert ([event["number"] for event in events if event["kind"] == "test"], damaged) == (list(range(50)), [])
    assert [json.loads(line)["kind"] for line in whole.splitlines()] == [event["kind"] for event in events]
    starts = [0, *(at + 1 for at, byte in enumerate(whole) if byte == 10)]
    for end in range(0, len(whole), 37):
        path.write_bytes(whole[:end])
        cut, damaged = read(tmp_path)
        whole_lines = max(number for number, at in enumerate(starts) if at <= end)
        assert cut == events[:whole_lines]
        torn = Damage("events.jsonl", starts[whole_lines], end - starts[whole_lines], 1, "a line is torn or altered")
        assert damaged == ([torn] if torn.size else [])
    rng = np.random.default_rng(1)
    for at in rng.integers(0, len(whole), 200):
        altered = bytearray(whole)
        altered[at] ^= 1 << rng.integers(8)
        path.write_bytes(altered)
        kept, damaged = read(tmp_path)
        assert all(event in events for event in kept)
        assert damaged


def test_events_wait_for_a_disk_that_comes_back_and_none_is_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log_module, "_WRITE_S", 0.005)
    full = threading.Event()
    write = os.write

    def failing(handle: int, data: Any) -> int:
        if full.is_set():
            write(handle, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "full")
        return write(handle, data)

    monkeypatch.setattr(os, "write", failing)
    recorder = Recorder(tmp_path)
    log = recorder.events
    for number in range(30):
        (full.set if number % 3 else full.clear)()
        log.note("test", {"number": number})
        wait_for(lambda: log.losses() if full.is_set() else not log.losses())
    full.clear()
    recorder.close()
    session = recorded(tmp_path)
    assert [event["number"] for event in session.events("test")] == list(range(30))
    assert session.damage() == []
    assert session.discrepancies() == []
    assert session.info["events_written"] == len(session.events())
    assert (session.info["events_lost"], session.problem) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="Windows does not delete open files")
def test_a_deleted_log_is_noticed_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log_module, "_WRITE_S", 0.005)
    recorder = Recorder(tmp_path)
    wait_for(lambda: recorder.events.written)
    (recorder.folder / "events.jsonl").unlink()
    recorder.events.note("test", {})
    wait_for(recorder.events.losses)
    recorder.close()
    session = read_session(recorder.folder)
    assert (session.info["events_written"], session.info["events_lost"]) == (2, 1)
    assert [event["kind"] for event in session.events()] == ["test", "clock"]
    assert "1 of 3 events are not recorded" in session.problem
    assert "events.jsonl was deleted" in session.problem


@pytest.mark.parametrize("limit", [10, 10_000])
def test_what_cannot_be_written_is_bounded_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(event_log_module, "_MAX_WAITING", limit)
    monkeypatch.setattr(event_log_module, "_WRITE_S", 0.005)
    recorder = Recorder(tmp_path)
    recorder.offer_frame(frame_of(0))
    wait_for(lambda: recorder.events.written)
    opened = recorder.events.written

    def full(self: Any, *parts: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(event_log_module.AppendFile, "append", full)
        for number in range(100):
            recorder.events.note("test", {"number": number})
        recorder.events.close()
    recorder.close()
    status = recorder.status()
    info = read_session(recorder.folder).info
    assert info["events_written"] + info["events_lost"] == opened + 100 + (1 if opened < 2 else 0) + 1
    assert info["events_written"] == opened
    assert f"{info['events_lost']} of" in status.loss
    assert "full" in status.loss
    assert status.loss in info["problem"]


def test_the_stored_calibrations_of_the_camera_are_kept(tmp_path: Path) -> None:
    calibration = ActuatorCalibration(
        actuator="stage", unit="um", camera="simulated", matrix=((10.0, 0.0), (0.0, 10.0)),
        matrix_std=((0.1, 0.1), (0.1, 0.1)), delay_frames=1.0, delay_std_frames=0.1, interval_s=0.01, binning=1,
        pixel_size_um=0.1, made="2026-11-30T12:00:00+00:00",
    )  # fmt: skip
    other = structs.replace(calibration, camera="other")
    store = CalibrationStore("", "simulated")
    for each in (calibration, other):
        store.store(each, Geometry(64, 48, objective="10x"))
    notes = RecordingNotes()
    notes.calibrations = store.of_camera
    recorder = Recorder(tmp_path)
    notes.update(recorder, load_config(), ClassicalLocalizer("centroid"), {"state": "running"})
    recorder.close()
    (stored,) = recorded(tmp_path).events("begin")[0]["calibrations"]
    assert msgspec.convert(stored, StoredCalibration) == store.of_camera()[0]
    assert (stored["objective"], stored["calibration"]["matrix"]) == ("10x", [[10.0, 0.0], [0.0, 10.0]])


class Unplugged:
    """A camera that is lost after five images, and comes back."""

    waits = False
    opened = 0

    def open(self) -> Geometry:
        self.opened += 1
        return Geometry(32, 32)

    def pictures(self) -> Iterator[Picture | None]:
        for number in range(5):
            yield Picture(np.full((32, 32), number, np.uint16), number)
        if self.opened == 1:
            raise CameraLostError("unplugged")
        while True:
            time.sleep(0.01)
            yield None

    def close(self) -> None:
        pass


def test_the_camera_lost_and_back_is_kept(tmp_path: Path) -> None:
    with running([f'record.folder="{tmp_path.as_posix()}"', "camera.retry_s=0.01"], Unplugged()) as engine:
        wait_for(lambda: engine.status().received == 10)
        wait_for(lambda: engine.status().state == "running")
    session = recorded(tmp_path)
    logged = [event["text"] for event in session.events("log")]
    assert any("retrying" in text and "unplugged" in text for text in logged)
    assert sum("camera running" in text for text in logged) == 2
    assert [event["number"] for event in session.events("geometry")] == [0, 1]


@pytest.mark.parametrize("content", [{"text": "x" * (5 << 20)}, {"text": object}, lambda: 1 / 0])
def test_an_event_that_cannot_be_written_as_a_line_is_named_and_the_others_are_kept(
    tmp_path: Path, sync: DiskSync, content: Any
) -> None:
    log = EventLog(tmp_path, sync)
    log.note("odd", content)
    log.note("next", {})
    log.close()
    events, damaged = read(tmp_path)
    assert [event["kind"] for event in events] == ["clock", "odd", "next", "clock"]
    assert damaged == []
    assert "not recorded" in events[1].get("problem", "") or events[1]["text"] == str(object)


def test_noting_takes_no_time(tmp_path: Path, sync: DiskSync) -> None:
    log = EventLog(tmp_path, sync)
    frame = frame_of(0)
    log.note_geometry(frame)
    times = []
    for _ in range(2000):
        start_ns = time.perf_counter_ns()
        log.note_geometry(frame)  # what each frame costs
        times.append(time.perf_counter_ns() - start_ns)
    log.close()
    assert np.median(times) < 2_000
