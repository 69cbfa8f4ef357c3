"""Calibrations of actuators: kept for each objective, chosen by what is in force, and refused when it has changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
from live_engine import running

from livetrack.camera import Geometry
from livetrack.client import Remote
from livetrack.control import Target
from livetrack.control.actuator_calibration import calibrate_actuator
from livetrack.control.feedback_trap import hold_at
from livetrack.control.follow import follow
from livetrack.devices import ActuatorCalibration
from livetrack.errors import CommandError, GeometryChangedError, InputError, LivetrackError, UsageError
from livetrack.session.commands import CalibrationStore
from livetrack.session.engine import Engine
from livetrack.wire import commands
from livetrack.wire.exchange import encode

TEN, FORTY = "Nikon 10X S Fluor", "Nikon 40X Plan Fluor ELWD"
PATIENCE_S = 20.0
TURRET = "camera.micromanager.properties.Objective.Label"
SETTINGS = [
    "camera.driver=micromanager",
    "camera.micromanager.properties.Camera.Mode=Fluorescent Beads",
    "camera.micromanager.properties.XY.Velocity=10000.0",
    "camera.micromanager.roi=[0, 0, 128, 128]",
    "localizer.model=centroid",
]


def made(matrix: float = -1.0, **fields: Any) -> ActuatorCalibration:
    return ActuatorCalibration(
        **{
            "actuator": "stage", "unit": "um", "camera": "micromanager", "matrix": ((matrix, 0.0), (0.0, -matrix)),
            "matrix_std": ((0.001, 0.001), (0.001, 0.001)), "delay_frames": 1.0, "delay_std_frames": 0.1,
            "interval_s": 0.01, "binning": 1, "pixel_size_um": 1.0, "made": "2026-01-01T00:00:00+00:00",
        }
        | fields
    )  # fmt: skip


def x_of(remote: Remote) -> float:
    return next(state.position[0] for state in remote.actuators() if state.name == "stage")


# on the real core


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("calibrations") / "calibrations.json"
    with running([*SETTINGS, f"calibration.file={str(path)!r}"]) as engine:
        yield engine


@pytest.fixture
def remote(engine: Engine) -> Iterator[Remote]:
    """Connect a client that has moved by the calibration of the 10x objective; no other is stored."""
    Path(engine.config.calibration.file).unlink(missing_ok=True)
    with Remote(engine.command_address, timeout_s=PATIENCE_S) as remote:
        remote.set_property("Camera.Binning", 1)
        remote.set_property("Objective.Label", TEN)
        remote.store_calibration(made())
        remote.move_to("stage", 0.0, 0.0, wait=True)
        remote.move("stage", -10, 0, wait=True)
        assert x_of(remote) == pytest.approx(10.0, abs=0.05)
        yield remote


@pytest.mark.parametrize(
    ("name", "value"), [("Objective.Label", FORTY), ("Camera.Binning", 2), ("Camera.TransposeMirrorX", "1")]
)
def test_a_calibration_of_another_image_is_refused_by_old_and_new_clients(
    engine: Engine, remote: Remote, name: str, value: str | int
) -> None:
    with Remote(engine.command_address, timeout_s=PATIENCE_S) as other, _plain(engine) as plain:
        step = other.calibration("stage").move(-10, 0)
        assert plain({"command": "hello"})["result"]["calibrations"]["stage"]["matrix"] == [[-1.0, 0.0], [0.0, 1.0]]
        remote.set_property(name, value)
        try:
            with pytest.raises(UsageError, match="calibrate again"):
                remote.move("stage", -10, 0, wait=True)  # has asked before
            for _ in range(2):  # again and again
                with pytest.raises(GeometryChangedError, match="fetch the calibration again"):
                    other.move_by("stage", *step, wait=True)
            with pytest.raises(UsageError, match="calibrate again"):
                other.move("stage", -10, 0, wait=True)
            reply = plain({"command": "move_by", "actuator": "stage", "step": step})  # not by livetrack
            assert reply["code"] == "geometry_changed"
            with (
                Remote(engine.command_address, timeout_s=PATIENCE_S) as new,
                pytest.raises(UsageError, match=r"10X.*now"),
            ):
                new.move("stage", -10, 0, wait=True)
            assert x_of(remote) == pytest.approx(10.0, abs=0.05)
            other.move_stage(1.0, 0.0, wait=True)  # µm are µm
            assert x_of(remote) == pytest.approx(11.0, abs=0.05)
        finally:
            remote.set_property("Camera.TransposeMirrorX", "0")


def test_a_client_without_livetrack_that_stored_a_calibration_is_refused_too(engine: Engine, remote: Remote) -> None:
    with _plain(engine) as plain:
        plain({"command": "store_calibration", "calibration": msgspec.to_builtins(made())})
        move = {"command": "move_by", "actuator": "stage", "step": [1.0, 0.0], "wait": True}
        assert plain(move)["result"]["position"] == pytest.approx([11.0, 0.0], abs=0.05)
        remote.set_property("Objective.Label", FORTY)
        assert plain(move)["code"] == "geometry_changed"
        plain({"command": "hello"})  # now it knows, and moves in µm
        assert plain(move)["result"]["position"] == pytest.approx([12.0, 0.0], abs=0.05)


def test_each_objective_has_its_own_calibration(engine: Engine, remote: Remote) -> None:
    remote.set_property("Objective.Label", FORTY)
    remote.store_calibration(made(-4.0, pixel_size_um=0.25))
    remote.move("stage", -10, 0, wait=True)
    assert x_of(remote) == pytest.approx(12.5, abs=0.05)
    remote.set_property("Objective.Label", TEN)
    remote.move("stage", 10, 0, wait=True)
    assert x_of(remote) == pytest.approx(2.5, abs=0.05)
    remote.set_roi(32, 32, 64, 64)  # the optics are the same
    remote.move("stage", 1, 0, wait=True)
    assert x_of(remote) == pytest.approx(1.5, abs=0.05)
    remote.set_roi(0, 0, 128, 128)
    content = json.loads(Path(engine.config.calibration.file).read_text(encoding="utf-8"))
    assert content["version"] == 2
    assert [item["objective"] for item in content["calibrations"]] == [TEN, FORTY]


def test_an_objective_without_a_pixel_size_is_not_mistaken_for_another(remote: Remote) -> None:
    remote.set_property("Objective.Label", "Objective-2")
    remote.store_calibration(made(-2.0, pixel_size_um=None))
    assert remote.calibration("stage").matrix[0][0] == -2.0
    remote.set_property("Objective.Label", "Objective-4")
    with pytest.raises(UsageError, match="calibrate again"):
        remote.move("stage", 1, 0)


def test_a_step_that_was_measured_in_an_older_image_is_refused(engine: Engine, remote: Remote) -> None:
    remote.set_property("Objective.Label", FORTY)
    remote.store_calibration(made(-4.0, pixel_size_um=0.25))
    number = remote.hello().geometry_number
    remote.move("stage", 1, 0, geometry=number, wait=True)
    before = x_of(remote)
    remote.set_property("Objective.Label", TEN)  # 1 px is four times as far, and there is a calibration
    for _ in range(2):
        with pytest.raises(GeometryChangedError):
            remote.move("stage", 1, 0, geometry=number, wait=True)
    assert x_of(remote) == before


@pytest.mark.parametrize(
    "loop", [follow, lambda remote, target, **rest: hold_at(remote, target, "stage", 0.01, **rest)]
)
def test_loops_stop_when_the_objective_changes(engine: Engine, remote: Remote, loop: Any) -> None:
    stopped: list[float] = []
    tracked = remote.state().tracked
    while remote.state().tracked < tracked + 30:  # until the tracks of before the fixture's move have ended
        time.sleep(0.01)
    with (
        Remote(engine.command_address, timeout_s=PATIENCE_S) as other,
        Target(
            engine.publisher.address, lost_after_s=3.0, stale_after_s=5.0, on_stop=lambda: stopped.append(1)
        ) as target,
    ):
        seen = []

        def change(observation: Any) -> bool:
            seen.append(observation)
            if len(seen) == 5:
                other.set_property("Objective.Label", FORTY)
                seen.append(x_of(other))
            return False

        with pytest.raises(LivetrackError, match=r"have changed since|was not seen"):
            loop(remote, target, on_frame=change, seconds=20.0)
    assert stopped == [1]
    assert x_of(remote) == pytest.approx(seen[5], abs=0.05)


def test_a_calibration_that_is_interrupted_by_the_objective_is_not_stored(engine: Engine, remote: Remote) -> None:
    with Remote(engine.command_address, timeout_s=PATIENCE_S) as other:
        before = x_of(remote)

        def turn(fraction: float) -> None:
            if fraction == 0.5:
                other.set_property("Objective.Label", FORTY)

        with pytest.raises((GeometryChangedError, InputError)):
            calibrate_actuator(remote, "stage", rounds=1, settle_s=0.3, progress=turn)
        assert x_of(remote) == pytest.approx(before, abs=0.1)  # back where it was
        other.set_property("Objective.Label", TEN)
        stale = other.hello()
        remote.set_property("Objective.Label", FORTY)
        remote.set_property("Objective.Label", TEN)
        assert remote.hello().geometry == stale.geometry
        with pytest.raises(GeometryChangedError):
            other.store_calibration(made(-7.0), stale.geometry_number)


class _plain:  # noqa: N801  used as a function
    """A client without livetrack: a DEALER socket and JSON."""

    def __init__(self, engine: Engine) -> None:
        self._address = engine.command_address

    def __enter__(self) -> Any:
        self._socket = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(self._address)
        return self._ask

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        self._socket.send(json.dumps(request).encode())
        assert self._socket.poll(1000 * PATIENCE_S)
        return json.loads(self._socket.recv())


# the file

HERE = Geometry(64, 64, pixel_size_um=1.0, camera="Camera", objective="10x")


def test_a_file_of_the_first_format_is_read_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "calibrations.json"
    old = [made(), made(binning=2, pixel_size_um=2.0), made(camera="other"), made(actuator="galvo", pixel_size_um=None)]
    path.write_bytes(msgspec.json.encode(old))
    store = CalibrationStore(str(path), "micromanager")
    assert store.valid(HERE) == {"stage": old[0]}
    assert store.valid(Geometry(64, 64, binning=2, pixel_size_um=2.0)) == {"stage": old[1]}
    assert store.valid(Geometry(64, 64)) == {"galvo": old[3]}  # a driver that reports nothing
    assert store.valid(Geometry(64, 64, objective="40x")) == {}  # no pixel size could tell the objectives apart
    assert store.valid(Geometry(64, 64, pixel_size_um=1.0, orientation="mirrored")) == {}
    assert (
        "an unrecorded objective, binning 1, 1 µm per px" in store.refusals(Geometry(64, 64, objective="40x"))["stage"]
    )
    newer = made(-1.1)
    store.store(newer, HERE)
    again = CalibrationStore(str(path), "micromanager")
    assert again.valid(HERE) == {"stage": newer}
    assert again.valid(Geometry(64, 64, binning=2, pixel_size_um=2.0)) == {"stage": old[1]}
    assert CalibrationStore(str(path), "other").valid(HERE) == {"stage": old[2]}
    assert [each.name for each in tmp_path.iterdir()] == ["calibrations.json"]


def test_sessions_that_share_a_file_keep_each_others_calibrations(tmp_path: Path) -> None:
    path = str(tmp_path / "calibrations.json")
    one, other = CalibrationStore(path, "micromanager"), CalibrationStore(path, "micromanager")
    one.store(made(), HERE)
    other.store(made(-4.0, pixel_size_um=0.25), Geometry(64, 64, pixel_size_um=0.25, camera="Camera", objective="40x"))
    one.store(made(-1.5), HERE)
    assert len(json.loads(Path(path).read_text(encoding="utf-8"))["calibrations"]) == 2
    assert other.valid(HERE) == {"stage": made()}
    assert CalibrationStore(path, "micromanager").valid(HERE) == {"stage": made(-1.5)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"version": 3, "calibrations": []}', "is of format 3, and this livetrack reads up to 2: install the newer"),
        ('{"version": 2, "calibrations": [{}]}', "delete it and run `livetrack calibrate` again"),
        ("[{}]", "delete it"),
        ("7", "delete it"),
        ("", "delete it"),
        ("[" * 100_000, "delete it"),
    ],
)
def test_a_file_that_cannot_be_used_gives_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "calibrations.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as raised:
        CalibrationStore(str(path), "micromanager")
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    store = CalibrationStore(str(tmp_path / "missing" / "calibrations.json"), "micromanager")
    with pytest.raises(CommandError, match="cannot be written"):
        store.store(made(), HERE)
    assert store.valid(HERE) == {}


# the wire


def test_requests_that_follow_from_no_image_are_as_before() -> None:
    """An engine of before this check rejects fields that it does not know."""
    move = json.loads(encode(commands.MoveBy(id=1, actuator="stage", step=(1.0, 2.0))))
    assert move == {"command": "move_by", "id": 1, "actuator": "stage", "step": [1.0, 2.0], "wait": False}
    assert set(json.loads(encode(commands.StoreCalibration(calibration=made())))) == {"command", "id", "calibration"}
    assert json.loads(encode(commands.MoveTo(actuator="stage", position=(1.0,), geometry=None)))["geometry"] is None
