"""Commands: the effect of each on a running engine, errors, and that a slow one does not delay others."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mm_test_adapters
import numpy as np
import pytest
import zmq
from livetrack_drivers.micromanager import MicroManagerCamera
from livetrack_drivers.simulated import SimulatedCamera
from msgspec import structs

from livetrack.camera import Camera, Geometry
from livetrack.client import Remote, Subscriber, Update
from livetrack.client.address import resolve_address
from livetrack.config import Config, load_config
from livetrack.devices import Actuator
from livetrack.errors import CommandError, UsageError
from livetrack.record import read_session
from livetrack.session.engine import Engine
from livetrack.session.frame_gaps import FrameGapMonitor
from livetrack.session.loop_queue import LoopQueue
from livetrack.wire import HEADER, Status, VersionError
from livetrack.wire.exchange import MAX_REQUEST_BYTES, decode_reply

ANY_PORT = tuple(f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address"))
SMALL = (
    "camera.simulated.width=128",
    "camera.simulated.height=96",
    "camera.simulated.count=8",
    "camera.simulated.exposure_ms=2",
    "camera.simulated.diffusion_um2_s=0.0005",
    "camera.simulated.drift_um_s=[0.0, 0.0]",
    "camera.simulated.min_distance_um=1.5",
)
DEMO = (
    "camera.driver=micromanager",
    f"camera.micromanager.mm_dir={str(Path(mm_test_adapters.__file__).parent / 'libs')!r}",
    "camera.micromanager.exposure_ms=5",
    "camera.micromanager.roi=[0, 0, 128, 128]",
    "localizer.model=centroid",
    "localizer.diameter_px=7.0",
)


def config(*overrides: str) -> Config:
    return load_config(None, [*ANY_PORT, *overrides])


class Session:
    """An engine that runs in a thread, with a remote."""

    def __init__(self, engine: Engine, remote: Remote) -> None:
        self.engine = engine
        self.remote = remote

    def until(self, reached: Callable[[Status], bool], seconds: float = 10.0) -> Status:
        deadline = time.monotonic() + seconds
        while not reached(status := self.remote.state()):
            assert time.monotonic() < deadline, status
            time.sleep(0.01)
        return status


@contextmanager
def running(*overrides: str, camera: type[Camera] | None = None) -> Iterator[Session]:
    settings = config(*overrides)
    with Engine(settings, camera(settings.driver_settings) if camera else None) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop}, daemon=True)
        thread.start()
        try:
            with Remote(engine.command_address) as remote:
                session = Session(engine, remote)
                session.until(lambda status: status.tracked > 5)
                yield session
        finally:
            stop.set()
            thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """One session for all tests that restore its state."""
    with running(*SMALL) as session:
        yield session


def next_update(session: Session, reached: Callable[[Update], bool]) -> Update:
    with Subscriber(session.engine.publisher.address) as positions:
        for _ in range(500):
            update = positions.receive(5)
            assert update is not None
            if reached(update):
                return update
    raise AssertionError("never came")


# connecting


def test_hello_returns_everything_that_a_client_needs(session: Session) -> None:
    welcome = session.remote.hello()
    engine = session.engine
    assert welcome.session == engine.session
    assert welcome.addresses.positions == engine.publisher.address
    assert welcome.addresses.preview == engine.publisher.preview_address
    assert welcome.addresses.commands == engine.command_address
    assert welcome.geometry == Geometry(128, 96, pixel_size_um=0.1)
    assert [name for name, _, _ in welcome.header] == list(HEADER.names)
    assert welcome.calibration["temperature_k"] == 295.15
    assert welcome.settings["linker"]["search_radius_px"] == 5.0
    assert welcome.settings["driver_settings"]["count"] == 8
    assert welcome.status.state == "running"


def test_hello_names_another_version(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack.wire.common.VERSION", 3)
    with pytest.raises(VersionError, match="the engine uses version 1 of the wire format, this client version 3"):
        session.remote.hello()


def test_the_clock_offset_is_known_to_half_the_round_trip(session: Session) -> None:
    """Engine and client are one process here: their clocks are the same."""
    welcomes = [session.remote.hello() for _ in range(20)]
    assert all(abs(each.clock_offset_ns) <= each.round_trip_ns / 2 + 1000 for each in welcomes)
    assert min(each.round_trip_ns for each in welcomes) > 0


def test_the_positions_address_is_enough(session: Session) -> None:
    with Remote(session.engine.publisher.address) as remote:
        assert remote.address == session.engine.command_address
        assert remote.state().session == session.engine.session


def test_without_an_engine_a_remote_raises() -> None:
    with pytest.raises(CommandError, match=r"no response from an engine for 0.3 s: is an engine running there"):
        Remote("tcp://127.0.0.1:1", timeout_s=0.3)
    for wrong in ("localhost", "tcp://localhost:65537", "tcp://localhost:5x"):
        with pytest.raises(UsageError, match="not an address"):
            Remote(wrong)


def test_an_engine_that_listens_on_all_interfaces_is_reached_where_it_was_found() -> None:
    assert resolve_address("tcp://0.0.0.0:5557", "tcp://scope.lab:5555") == "tcp://scope.lab:5557"
    assert resolve_address("tcp://[::]:5557", "tcp://[fe80::1]:5555") == "tcp://[fe80::1]:5557"
    assert resolve_address("tcp://10.0.0.3:5557", "tcp://scope.lab:5555") == "tcp://10.0.0.3:5557"


# tracking


def test_pause_stops_the_tracking_but_not_the_frames(session: Session) -> None:
    assert session.remote.pause() == "paused"
    before = session.remote.state()
    after = session.until(lambda status: status.received > before.received + 20)
    assert (after.state, after.tracked) == ("paused", before.tracked)
    assert after.skipped - before.skipped == pytest.approx(after.received - before.received, abs=2)
    with pytest.raises(CommandError, match="no particle to choose"):  # those of the last frame have ended
        session.remote.choose_target(x=64, y=48, within_px=1000)
    oldest = after.born
    assert session.remote.resume() == "running"
    session.until(lambda status: status.tracked > after.tracked + 5)
    assert next_update(session, lambda update: len(update.particles) > 0).particles["id"].min() >= oldest


def test_stop_closes_the_camera_and_start_opens_it_again(session: Session) -> None:
    geometry = session.remote.hello().geometry_number
    assert session.remote.stop() == "idle"
    received = session.remote.state().received
    time.sleep(0.2)
    status = session.remote.state()
    assert (status.state, status.received) == ("idle", received)
    with pytest.raises(CommandError, match="the camera is stopped: start it first"):
        session.remote.set_exposure(1.0)
    assert session.remote.start() == "running"
    session.until(lambda status: status.received > received + 20)
    assert session.remote.hello().geometry_number == geometry + 1
    assert session.remote.state().outages == 0


def test_the_threshold_takes_effect_at_once(session: Session) -> None:
    many = len(next_update(session, lambda update: len(update.particles) > 3).particles)
    own = session.engine.tracker.localizer.default_threshold
    assert session.remote.set_threshold(0.9999999) == 0.9999999
    few = next_update(session, lambda update: len(update.particles) < many)
    assert (few.particles["score"] >= 0.9999999).all()
    assert session.remote.hello().settings["localizer"]["threshold"] == 0.9999999
    with pytest.raises(CommandError, match="NaN is not a score"):
        session.remote.set_threshold(float("nan"))
    assert session.remote.set_threshold(None) == own
    assert session.remote.hello().settings["localizer"]["threshold"] is None
    next_update(session, lambda update: len(update.particles) >= many - 1)


def test_the_search_radius_takes_effect_at_once(session: Session) -> None:
    """With a radius far below their steps no particle keeps its id; with the old radius they do."""
    assert session.remote.set_search_radius(1e-6) == 1e-6
    born = session.remote.state().born
    status = session.until(lambda status: status.born > born + 50)
    assert session.remote.set_search_radius(5.0) == 5.0
    assert session.remote.hello().settings["linker"]["search_radius_px"] == 5.0
    later = session.until(lambda now: now.tracked > status.tracked + 40)
    assert later.born - status.born < 40


def test_a_model_is_swapped_while_tracks_continue(session: Session) -> None:
    before = next_update(session, lambda update: len(update.particles) > 3)
    assert session.remote.swap_model("bead") == "bead"
    assert session.remote.state().model == "bead"
    assert session.remote.swap_model("spot") == "spot"
    after = next_update(session, lambda update: len(update.particles) > 3)
    assert after.frame > before.frame
    assert len(set(before.particles["id"]) & set(after.particles["id"])) >= 3
    assert after.geometry == before.geometry


def test_a_model_that_cannot_be_loaded_leaves_the_old_one(session: Session, tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"nonsense")
    tracked = session.remote.state().tracked
    for model, why in (("spto", "did you mean spot"), (tmp_path / "no.onnx", "cannot open it")):
        with pytest.raises(CommandError, match=why):
            session.remote.swap_model(model)
    assert session.remote.state().model == "spot"
    assert session.remote.hello().settings["localizer"]["model"] == "spot"
    session.until(lambda status: status.tracked > tracked + 5)


def test_a_target_is_chosen_by_position_or_id_and_is_part_of_every_message(session: Session) -> None:
    row = next_update(session, lambda update: len(update.particles) > 3).particles[2]
    chosen = session.remote.choose_target(x=float(row["x"]), y=float(row["y"]), within_px=3)
    assert chosen == row["id"]
    assert next_update(session, lambda update: update.target is not None).target == chosen
    assert session.remote.choose_target(chosen) == session.remote.state().target == chosen
    with pytest.raises(CommandError, match="no particle of the newest frame has the id 123456789"):
        session.remote.choose_target(123456789)
    with pytest.raises(CommandError, match=r"no particle within 0.001 px"):
        session.remote.choose_target(x=-50, y=-50, within_px=0.001)
    with pytest.raises(CommandError, match="give either"):
        session.remote.choose_target(3, x=1, y=2)
    assert session.remote.state().target == chosen
    session.remote.clear_target()
    assert session.remote.state().target is None
    assert next_update(session, lambda update: True).target is None


def test_a_target_whose_track_ends_is_cleared(session: Session) -> None:
    row = next_update(session, lambda update: len(update.particles) > 3).particles[0]
    session.remote.choose_target(x=float(row["x"]), y=float(row["y"]))
    session.remote.set_property("signal", 0.0)
    session.until(lambda status: status.target is None)
    session.remote.set_property("signal", 150.0)
    session.until(lambda status: status.particles > 3)
    assert session.remote.state().target is None


# recording


def test_a_recording_is_started_and_stopped(session: Session, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no folder to record into"):
        session.remote.start_recording()
    with pytest.raises(CommandError, match="no recording is running"):
        session.remote.stop_recording()
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="file"):
        session.remote.start_recording(tmp_path / "file")
    begun = session.remote.start_recording(tmp_path)
    with pytest.raises(CommandError, match="already recording"):
        session.remote.start_recording(tmp_path)
    session.until(lambda status: status.recording is not None and status.recording.frames > 20)
    done = session.remote.stop_recording()
    assert done.folder == begun.folder
    assert not done.problem
    assert session.remote.state().recording is None
    recorded = read_session(Path(done.folder))
    assert recorded.closed
    assert len(list(recorded.frames())) == done.frames > 20
    assert recorded.tracked().num_rows > 0


def test_a_recording_stays_in_the_folder_of_the_settings(session: Session, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"give the folder without '\.\.'"):
        session.remote.start_recording(tmp_path / "in" / ".." / "out")
    assert not list(tmp_path.iterdir())
    allowed = tmp_path / "allowed"
    before = session.engine.config
    session.engine._loop.config = structs.replace(before, record=structs.replace(before.record, folder=str(allowed)))
    try:
        allowed.mkdir()
        outside = [tmp_path / "out", tmp_path, Path("/"), Path("relative")]
        if os.name == "posix":  # on Windows, links need special rights
            (allowed / "link").symlink_to(tmp_path)
            outside.append(allowed / "link" / "x")
        for elsewhere in outside:
            with pytest.raises(CommandError, match="the settings allow folders in record"):
                session.remote.start_recording(elsewhere)
        assert not (tmp_path / "out").exists()
        for inside in (allowed / "a" / "b", allowed, ""):
            assert Path(session.remote.start_recording(inside).folder).is_relative_to(allowed)
            session.remote.stop_recording()
    finally:
        session.engine._loop.config = before


def test_a_swap_does_not_reveal_which_files_there_are(session: Session, tmp_path: Path) -> None:
    there = tmp_path / "there.onnx"
    there.write_bytes(b"secret")
    (tmp_path / "folder.onnx").mkdir()
    replies = set()
    for path in (there, tmp_path / "folder.onnx", tmp_path / "missing.onnx", tmp_path / "no" / "such.onnx"):
        with pytest.raises(CommandError) as refused:
            session.remote.swap_model(path)
        replies.add(str(refused.value).replace(str(path), "PATH"))
    assert replies == {"model PATH: the engine cannot open it as a model of livetrack"}


def test_a_recording_without_pixels(session: Session, tmp_path: Path) -> None:
    session.remote.start_recording(tmp_path, frames=False)
    tracked = session.remote.state().tracked
    session.until(lambda status: status.tracked > tracked + 10)
    done = session.remote.stop_recording()
    assert done.frames == 0
    assert read_session(Path(done.folder)).trajectories().num_rows > 0


# the camera


def test_exposure_and_properties_of_the_simulated_camera(session: Session) -> None:
    known = {each.name: each for each in session.remote.properties()}
    assert known["exposure_ms"].value == 2.0
    assert (known["exposure_ms"].low, known["exposure_ms"].high) == (0.0, 10.0)
    assert session.remote.set_exposure(4.0) == 4.0
    assert session.remote.hello().settings["driver_settings"]["exposure_ms"] == 4.0
    assert {each.name: each.value for each in session.remote.properties()}["signal"] == 2 * known["signal"].value
    assert session.remote.set_exposure(2.0) == 2.0
    with pytest.raises(CommandError, match="'exposure_ms' cannot be 11"):
        session.remote.set_exposure(11.0)
    with pytest.raises(CommandError, match="does not have it; it has exposure_ms, signal"):
        session.remote.set_property("Camera.Gain", 3)
    with pytest.raises(CommandError, match="Expected `float`, got `str`"):
        session.remote.set_property("signal", "much")
    assert session.remote.set_property("signal", 0.0).value == 0.0
    session.until(lambda status: status.particles == 0)
    session.remote.set_property("signal", 150.0)
    session.until(lambda status: status.particles > 3)


def test_a_region_of_interest_gives_a_new_geometry(session: Session) -> None:
    geometry = session.remote.hello().geometry_number
    wanted = Geometry(64, 48, x_origin=32, y_origin=16, pixel_size_um=0.1)
    assert session.remote.set_roi(32, 16, 64, 48) == wanted
    update = next_update(session, lambda update: update.width == 64)
    assert (update.height, update.x_origin, update.y_origin) == (48, 32, 16)
    assert update.geometry == geometry + 1
    with pytest.raises(CommandError, match="the full frame has 128 x 96 px"):
        session.remote.set_roi(100, 0, 64, 48)
    assert session.remote.hello().geometry == wanted
    assert session.remote.clear_roi() == Geometry(128, 96, pixel_size_um=0.1)
    assert next_update(session, lambda update: update.width == 128).geometry == geometry + 2


def test_a_change_of_the_camera_makes_the_tracker_forget_what_it_has_learnt(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[None] = []
    monkeypatch.setattr(session.engine.tracker, "forget", lambda: forgotten.append(None))
    remote = session.remote
    remote.pause()  # so that nothing but the commands makes it forget
    for change in (
        lambda: remote.set_exposure(4.0),
        lambda: remote.set_exposure(2.0),
        lambda: remote.set_property("signal", 150.0),
        lambda: remote.set_roi(32, 16, 64, 48),
        remote.clear_roi,
    ):
        forgotten.clear()
        change()
        assert len(forgotten) == 1
    remote.resume()
    next_update(session, lambda update: update.width == 128)
    forgotten.clear()
    remote.stop()
    remote.start()  # a new geometry number
    next_update(session, lambda update: update.width == 128)
    assert forgotten


def test_the_simulated_stage_carries_the_sample(session: Session) -> None:
    stage, *others = session.remote.actuators()
    assert [each.name for each in others] == ["trap", "flow"]
    assert (stage.name, stage.axes, stage.unit) == ("stage", ("x", "y"), "um")
    near = next_update(session, lambda update: len(update.particles) > 3)
    inside = near.particles[(abs(near.particles["x"] - 64) < 50) & (abs(near.particles["y"] - 48) < 36)]
    assert len(inside) >= 2
    moved = session.remote.move_stage(0.3, -0.2, wait=True)
    assert moved.position == pytest.approx((stage.position[0] + 0.3, stage.position[1] - 0.2))
    assert moved.t_begun_ns <= moved.t_done_ns
    frame = session.remote.state().received + 2
    later = next_update(session, lambda update: update.frame > frame and len(update.particles) > 3)
    after = {row["id"]: row for row in later.particles}
    steps = [
        (after[row["id"]]["x"] - row["x"], after[row["id"]]["y"] - row["y"]) for row in inside if row["id"] in after
    ]
    np.testing.assert_allclose(np.median(steps, axis=0), (3.0, -2.0), atol=0.5)
    with pytest.raises(CommandError, match="no actuator is called 'galvo': available: stage"):
        session.remote.set_galvo(1, 2)
    with pytest.raises(CommandError, match=r"takes 2 numbers \(x, y\), not 3"):
        session.remote.move_to("stage", 1, 2, 3)


# the socket


def test_invalid_requests_are_rejected_with_the_reason(session: Session) -> None:
    cases: dict[bytes, str] = {
        b"": "cannot be read",
        b"nonsense": "JSON is malformed",
        b"\xff\xfe\x00": "cannot be read",
        b"[1, 2]": "Expected `object`",
        b'{"command": "explode", "id": 3}': "unknown command 'explode'; there are hello, state,",
        b'{"command": "pause", "id": 4, "now": true}': "unknown field `now`",
        b'{"command": "set_exposure", "id": 5}': "missing required field `exposure_ms`",
        b'{"command": "set_exposure", "id": 5, "exposure_ms": -1}': "> 0.0",
        b'{"command": "set_exposure", "id": 5, "exposure_ms": 1e999}': "out of range",
        b'{"command": "set_roi", "id": 6, "x": 0.5, "y": 0, "width": 9, "height": 9}': "got `float`",
        b'{"command": "choose_target", "id": 7, "x": 3}': "give either",
        b'{"command": "set_property", "id": 8, "name": "a", "value": ' + b"[" * 60_000: "cannot be read",
        b" " * (MAX_REQUEST_BYTES + 1): f"at most {MAX_REQUEST_BYTES}",
    }
    with plain(zmq.DEALER, session) as socket:
        for payload, why in cases.items():
            socket.send(payload)
            reply = decode_reply(socket.recv())
            assert why in reply.error, (payload[:60], reply)
            assert reply.result is None
        socket.send_multipart([b'{"command": "pause"}', b"and more"])
        assert "one frame" in decode_reply(socket.recv()).error
    assert session.remote.state().state == "running"


def test_req_sockets_get_replies_too(session: Session) -> None:
    """The simplest client in any language: send, receive."""
    with plain(zmq.REQ, session) as socket:
        for number in (1, 2):
            socket.send(b'{"command": "state", "id": %d}' % number)
            reply = decode_reply(socket.recv())
            assert reply.id == number
            assert reply.result["session"] == session.engine.session


@contextmanager
def plain(kind: int, session: Session) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context.instance().socket(kind) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, 5000)
        socket.connect(session.engine.command_address)
        yield socket


# slow devices


class SlowStage:
    axes = ("x",)
    unit = "um"

    def __init__(self) -> None:
        self.held = threading.Event()

    def position(self) -> tuple[float, ...]:
        return (0.0,)

    def move_to(self, position: Any) -> None:
        self.held.wait(20)

    def move_by(self, step: Any) -> None:
        raise ZeroDivisionError("bug in the driver")

    def wait(self) -> None:
        pass


class WithSlowStage(SimulatedCamera):
    slow = SlowStage()

    def actuators(self) -> Mapping[str, Actuator]:
        return {"slow": self.slow}


class WithoutControls:
    """A driver without any controls."""

    Settings = SimulatedCamera.Settings

    def __init__(self, settings: Any) -> None:
        self._camera = SimulatedCamera(settings)
        self.waits = self._camera.waits
        self.open, self.pictures, self.close = self._camera.open, self._camera.pictures, self._camera.close


def test_a_slow_device_delays_neither_the_loop_nor_other_commands() -> None:
    with running(*SMALL, camera=WithSlowStage) as session, Remote(session.engine.command_address) as other:
        session.remote.timeout_s = 0.5
        with pytest.raises(CommandError, match=r"no reply to move_to within 0.5 s; it may still be executed"):
            session.remote.move_to("slow", 1)
        tracked = other.state().tracked
        assert other.pause() == "paused"
        assert other.resume() == "running"
        other.set_property("signal", 200.0)
        assert other.swap_model("bead") == "bead"
        assert other.state().tracked > tracked
        WithSlowStage.slow.held.set()
        session.remote.timeout_s = 5
        assert session.remote.state().state == "running"  # the late reply is ignored
        with pytest.raises(CommandError, match="failed: bug in the driver"):
            session.remote.move_by("slow", 1)
        session.until(lambda status: status.tracked > tracked + 10)


class FreezingStage(SlowStage):
    """Like a device that shares the camera's adapter library: it holds the GIL, and all of Python stands still."""

    def move_to(self, position: Any) -> None:
        sum(range(20_000_000))  # a single call of C, which does not release the GIL


class WithFreezingStage(SimulatedCamera):
    def actuators(self) -> Mapping[str, Actuator]:
        return {"freezing": FreezingStage()}


def test_a_device_that_freezes_the_process_is_measured_and_counted() -> None:
    with running(*SMALL, camera=WithFreezingStage) as session:
        session.until(lambda status: status.received > 100)
        begun = time.perf_counter()
        sum(range(20_000_000))
        frozen_ms = 1e3 * (time.perf_counter() - begun)
        session.remote.move_to("freezing", 1)
        stall_ms = session.remote.last_reply.stall_ms
        assert stall_ms > 0.3 * frozen_ms
        status = session.remote.state()
        assert (status.stalls, status.stall_ms) == (1, stall_ms)


def test_commands_to_a_driver_without_controls_are_rejected() -> None:
    with running(*SMALL, camera=WithoutControls) as session:  # type: ignore[arg-type]
        assert session.remote.properties() == []
        assert session.remote.actuators() == []
        with pytest.raises(CommandError, match="'simulated' has no properties that can be set"):
            session.remote.set_exposure(1)
        with pytest.raises(CommandError, match="'simulated' has no region of interest"):
            session.remote.clear_roi()
        with pytest.raises(CommandError, match="driver 'simulated' has none"):
            session.remote.move_stage(1, 1)


def test_a_session_that_is_over_rejects_commands() -> None:
    with running(*SMALL) as session:
        remote = Remote(session.engine.command_address)
    with Engine(config(*SMALL)) as engine:
        engine.run(seconds=0.2)
        with Remote(engine.command_address) as other, pytest.raises(CommandError, match="the session is over"):
            other.pause()
    remote.timeout_s = 0.2
    with remote, pytest.raises(CommandError, match="the engine is gone"):
        remote.state()


def test_queued_work_runs_once_and_its_exceptions_are_raised_in_the_caller() -> None:
    queue = LoopQueue()
    results: list[Any] = []

    def ask() -> None:
        results.append(queue.run_in_loop(lambda: 3))
        with pytest.raises(ZeroDivisionError):
            queue.run_in_loop(lambda: 1 // 0)
        with pytest.raises(CommandError, match="over"):
            queue.run_in_loop(lambda: results.append("never"))
        results.append("done")

    thread = threading.Thread(target=ask)
    thread.start()
    for _ in range(2):
        while not queue:
            time.sleep(0.001)
        queue.drain()
    queue.close()
    thread.join(5)
    assert results == [3, "done"]


def test_a_stall_is_the_time_beyond_the_typical_interval() -> None:
    gaps = FrameGapMonitor()
    now_ns = time.perf_counter_ns()
    for frame in range(100):
        gaps.record(now_ns - (100 - frame) * 2_000_000)
    with gaps.probe() as quiet:
        pass
    with gaps.probe() as slow:
        time.sleep(0.05)
        gaps.record(time.perf_counter_ns())
    time.sleep(0.05)
    with gaps.probe() as excused:  # the delay was before the command
        pass
    gaps.reset()
    with gaps.probe() as closed:
        time.sleep(0.05)
    assert quiet.stall_ms < 20
    assert 40 < slow.stall_ms < 2000
    assert excused.stall_ms < 20
    assert closed.stall_ms == 0


# Micro-Manager


def test_a_real_core_is_configured_and_moved() -> None:
    with running(*DEMO) as session:
        remote = session.remote
        known = {each.name: each for each in remote.properties()}
        assert known["Camera.PixelType"].choices == ("16bit", "32bit", "32bitRGB", "64bitRGB", "8bit")
        assert (known["Camera.Gain"].low, known["Camera.Gain"].high) == (-5.0, 8.0)
        assert known["Camera.CameraID"].read_only
        assert remote.set_exposure(10) == 10.0
        assert remote.set_property("Camera.Gain", 4).value == 4
        with pytest.raises(CommandError, match="its range is -5 to 8"):
            remote.set_property("Camera.Gain", 40)
        with pytest.raises(CommandError, match="did you mean 'Gain'"):
            remote.set_property("Camera.Gian", 4)
        assert remote.set_roi(16, 8, 64, 64) == Geometry(64, 64, x_origin=16, y_origin=8, pixel_size_um=1.0)
        assert next_update(session, lambda update: update.width == 64).y_origin == 8
        remote.set_property("XY.Velocity", 10_000)
        assert remote.move_stage(5, -3, wait=True).position == pytest.approx((5, -3), abs=0.02)
        assert [each.name for each in remote.actuators()] == ["stage", "focus"]
        assert remote.move_to("focus", 12.5, wait=True).position == (12.5,)
        remote.stop()
        with pytest.raises(CommandError, match="not open"):
            remote.move_stage(1, 1)
        remote.start()
        assert remote.hello().geometry.width == 64  # settings are kept
        assert {each.name: each.value for each in remote.properties()}["Camera.Gain"] == 4


class WithGalvo(MicroManagerCamera):
    """The demo camera's configuration has no galvo; its adapter has one."""

    def open(self) -> Geometry:
        geometry = super().open()
        assert self._sequence is not None
        with self._sequence.paused():
            self.core.load_device("Galvo", "DemoCamera", "DGalvo")
            self.core.initialize_device("Galvo")
            self.core.set_galvo_device("Galvo")
        return geometry


def test_a_real_galvo_moves_within_its_range() -> None:
    with running(*DEMO, camera=WithGalvo) as session:
        assert session.remote.set_galvo(1.5, 2.0, wait=True).position == (1.5, 2.0)
        assert session.remote.move_by("galvo", 0.5, -1.0, wait=True).position == (2.0, 1.0)
        with pytest.raises(CommandError, match="cannot go to y = -2: its range is 0 to 10"):
            session.remote.set_galvo(1.0, -2.0)


def test_the_same_remote_reaches_an_engine_that_was_restarted() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"publish.command_address=tcp://127.0.0.1:{free.getsockname()[1]}"
    with running(*SMALL, address) as session:
        remote = Remote(session.engine.command_address)
        first = remote.state().session
    with remote, running(*SMALL, address) as session:
        assert remote.state().session == session.engine.session != first


def test_a_command_that_stalls_the_camera_is_measured_and_counted() -> None:
    """The camera's own properties are set between two sequences; MMCore's DemoCamera takes at least 10 ms for it."""
    with running(*DEMO) as session:
        session.until(lambda status: status.received > 100)
        before = session.remote.state()
        session.remote.set_property("Camera.Binning", 2)
        stall_ms = session.remote.last_reply.stall_ms
        assert 5 < stall_ms < session.remote.last_reply.took_ms + 100
        after = session.remote.state()
        assert after.stalls == before.stalls + 1
        assert after.stall_ms == pytest.approx(before.stall_ms + stall_ms)
        session.remote.move_to("focus", 1.0)
        assert session.remote.last_reply.stall_ms < 1000


def test_a_client_that_waits_for_a_reply_notices_that_the_engine_has_ended() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as engine:
        engine.linger = 0
        port = engine.bind_to_random_port("tcp://127.0.0.1")
        errors: list[str] = []

        def move() -> None:
            with Remote(f"tcp://127.0.0.1:{port}", timeout_s=60) as client:
                with pytest.raises(CommandError) as raised:
                    client.move_stage(1, 0, wait=True)
                errors.append(str(raised.value))

        mover = threading.Thread(target=move, daemon=True)
        mover.start()
        assert engine.poll(30_000)
        engine.close()
        mover.join(20)
        assert [error.split(": ")[1] for error in errors] == ["the engine is gone, and has not replied to move_by"]
