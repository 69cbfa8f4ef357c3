"""Actuators: steps add up, also during a move, on the real MMCore and on devices of every kind."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import mm_test_adapters
import pytest
import waiting
from livetrack_drivers.micromanager import MicroManagerCamera, MicroManagerSettings

from livetrack.devices import Limits
from livetrack.devices.commanded_actuator import CommandedActuator
from livetrack.errors import CameraError
from livetrack.testing import check_actuator

DEMO = "MMConfig_demo.cfg"
PATIENCE_S = 20.0
wait_for = partial(waiting.wait_for, timeout_s=PATIENCE_S)
ASYNCHRONOUS = """
Property,Core,Initialize,0
Device,DHub,DemoCamera,DHub
Device,Camera,DemoCamera,DCam
Device,XY,NotificationTester,NTAsyncXYStage
Device,Z,NotificationTester,NTAsyncStage
Parent,Camera,DHub
Property,Core,Initialize,1
Property,Core,Camera,Camera
Property,Core,XYStage,XY
Property,Core,Focus,Z
"""


@pytest.fixture(scope="module", params=["demo", "asynchronous"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MicroManagerCamera]:
    config = DEMO
    if request.param == "asynchronous":
        path = tmp_path_factory.mktemp("configuration") / "asynchronous.cfg"
        path.write_text(ASYNCHRONOUS)
        config = str(path)
    folder = str(Path(mm_test_adapters.__file__).parent / "libs")
    camera = MicroManagerCamera(MicroManagerSettings(mm_dir=folder, config_file=config))
    camera.open()
    if config == DEMO:
        camera.core.set_property("XY", "Velocity", "0.1")  # um per ms
    try:
        yield camera
    finally:
        camera.close()


@pytest.fixture
def camera(opened: MicroManagerCamera) -> MicroManagerCamera:
    """Return a camera whose stage and focus are at 0."""
    for actuator in opened.actuators().values():
        actuator.wait()
        actuator.forget_target()  # type: ignore[attr-defined]
    opened.core.set_adapter_origin_xy("XY", 0.0, 0.0)
    opened.core.set_position("Z", 0.0)
    opened.core.wait_for_device("Z")
    return opened


@pytest.mark.parametrize("pause_s", [0.0, 0.005])
@pytest.mark.parametrize("name", ["stage", "focus"])
def test_ten_steps_of_2_um_end_at_20_um(camera: MicroManagerCamera, name: str, pause_s: float) -> None:
    for number in range(10):
        actuator = camera.actuators()[name]  # as the engine does: anew for every command
        actuator.move_by([2.0] * len(actuator.axes))
        if number < 9:
            time.sleep(pause_s)
    actuator.wait()
    assert actuator.position() == pytest.approx([20.0] * len(actuator.axes), abs=0.01)


def test_steps_start_anew_where_somebody_has_moved_the_stage_to(camera: MicroManagerCamera) -> None:
    core, stage = camera.core, camera.actuators()["stage"]
    stage.move_by((2.0, 2.0))
    stage.wait()
    core.set_xy_position("XY", 50.0, -30.0)  # by hand
    core.wait_for_device("XY")
    stage.move_by((2.0, 0.0))
    stage.wait()
    assert stage.position() == pytest.approx((52.0, -30.0), abs=0.05)
    core.set_adapter_origin_xy("XY", 0.0, 0.0)
    stage.move_by((1.0, 1.0))
    stage.wait()
    assert stage.position() == pytest.approx((1.0, 1.0), abs=0.05)


def test_a_property_of_the_device_that_moves_it_leaves_no_old_target(camera: MicroManagerCamera) -> None:
    focus = camera.actuators()["focus"]
    focus.move_to((5.0,))
    if camera.core.has_property("Z", "Position"):
        camera.set_property("Z.Position", 80.0)
        expected = 81.0
    else:
        focus.wait()
        camera.set_property("Z.ExternallySetSteps", 500)
        expected = 51.0
    focus.move_by((1.0,))
    focus.wait()
    assert focus.position() == pytest.approx((expected,), abs=0.02)


def test_a_property_set_during_a_move_does_not_lose_the_move(camera: MicroManagerCamera) -> None:
    stage = camera.actuators()["stage"]
    stage.move_by((10.0, 0.0))
    name = "Velocity" if camera.core.has_property("XY", "Velocity") else "SlewTimePerStep_s"
    camera.set_property(f"XY.{name}", camera.core.get_property("XY", name))
    stage.move_by((10.0, 0.0))
    stage.wait()
    assert stage.position() == pytest.approx((20.0, 0.0), abs=0.02)


@pytest.mark.parametrize("position", [1e12, -1e12, float("nan"), float("inf")])
def test_a_move_to_nowhere_is_refused_and_nothing_moves(camera: MicroManagerCamera, position: float) -> None:
    for name in ("stage", "focus"):
        actuator = camera.actuators()[name]
        there = [position] + [0.0] * (len(actuator.axes) - 1)
        for move in (actuator.move_to, actuator.move_by):
            with pytest.raises(CameraError, match=rf"cannot go to {actuator.axes[0]} = .* um: its range is -1e\+06 to"):
                move(there)
        actuator.wait()
        assert actuator.position() == pytest.approx([0.0] * len(actuator.axes), abs=1e-9)


def test_a_move_takes_longer_than_5_s_if_it_must(camera: MicroManagerCamera) -> None:
    """MMCore's own wait gives up after its time-out, which is 5 s."""
    camera.core.set_timeout_ms(50)
    stage = camera.actuators()["stage"]
    stage.move_to((60.0, 0.0))
    stage.wait()
    assert stage.position() == pytest.approx((60.0, 0.0), abs=0.02)


def test_a_stop_ends_a_move_and_the_next_step_starts_there(camera: MicroManagerCamera) -> None:
    stage = camera.actuators()["stage"]
    stage.move_to((500.0, 0.0))
    time.sleep(0.05)
    stage.stop()  # type: ignore[attr-defined]
    stopped = stage.position()
    assert stopped[0] < 400
    stage.move_by((2.0, 0.0))
    stage.wait()
    assert stage.position() == pytest.approx((stopped[0] + 2.0, stopped[1]), abs=0.02)


# devices of other kinds


class Motor:
    """A device that moves at 200 units/s; `refuses` moves during a move, or reports no motion (`silent`)."""

    axes: Sequence[str] = ("x",)
    unit = "um"

    def __init__(self, *, refuses: bool = False, silent: bool = False) -> None:
        self.refuses, self.silent = refuses, silent
        self.start = self.goal = self.begun_s = 0.0
        self.asked = 0

    def __repr__(self) -> str:
        return "the motor"

    def limits(self) -> Limits:
        return [(-1000.0, 1000.0)]

    def position(self) -> tuple[float, ...]:
        self.asked += 1
        way = self.goal - self.start
        gone = min(abs(way), 200 * (time.monotonic() - self.begun_s))
        return (self.start + (gone if way > 0 else -gone),)

    def moving(self) -> bool:
        return self.position()[0] != self.goal

    def busy(self) -> bool:
        return not self.silent and self.moving()

    def move_to(self, position: Sequence[float]) -> None:
        if self.refuses and self.moving():
            raise CameraError("the motor is moving")
        (self.start,) = self.position()
        self.begun_s, (self.goal,) = time.monotonic(), position

    def wait(self) -> None:
        while self.busy():
            time.sleep(0.001)

    def stop(self) -> None:
        (self.start,) = self.position()
        self.goal = self.start


@pytest.mark.parametrize("pause_s", [0.0, 0.06])
@pytest.mark.parametrize("kind", ["accepts", "refuses", "silent"])
def test_steps_add_up_on_devices_that_accept_or_refuse_moves_while_moving(kind: str, pause_s: float) -> None:
    motor = Motor(refuses=kind == "refuses", silent=kind == "silent")
    actuator = CommandedActuator(motor, accuracy=1.0)
    for _ in range(5):
        actuator.move_by((16.0,))
        time.sleep(pause_s)
    wait_for(lambda: not motor.moving())
    assert motor.position() == (80.0,)


def test_a_loop_asks_its_device_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    where = "livetrack.devices.commanded_actuator._UNDER_WAY_S"
    monkeypatch.setattr(where, PATIENCE_S)  # however slow this computer is
    motor = Motor()
    motor.move_to = lambda position: None  # type: ignore[method-assign]
    actuator = CommandedActuator(motor, accuracy=1.0)
    actuator.move_to((0.0,))
    before = motor.asked
    actuator.move_by((1.0,))
    assert motor.asked == before


def test_a_device_that_was_stopped_while_a_move_waited_does_not_move_again() -> None:
    motor = Motor(refuses=True)
    actuator = CommandedActuator(motor, accuracy=1.0)
    actuator.move_to((900.0,))
    waits = motor.wait

    def wait() -> None:
        actuator.stop()  # as an emergency stop does, from another thread
        waits()

    motor.wait = wait  # type: ignore[method-assign]
    with pytest.raises(CameraError, match="is moving"):
        actuator.move_by((50.0,))
    assert not motor.moving()
    assert motor.position()[0] < 900


def test_drivers_can_be_checked() -> None:
    check_actuator(CommandedActuator(Motor(), accuracy=0.5), step=1.0)
    with pytest.raises(AssertionError, match="5 steps of 1 ended at"):
        check_actuator(Relative(), step=1.0)
    with pytest.raises(AssertionError, match="took NaN"):
        check_actuator(Careless(Motor(), accuracy=0.5), step=1.0)


class Relative(CommandedActuator):
    """Starts each step from where the device is: the mistake that `check_actuator` is for."""

    def __init__(self) -> None:
        super().__init__(Motor(), accuracy=0.5)

    def move_by(self, step: Sequence[float]) -> None:
        self.move_to((self.position()[0] + step[0],))


class Careless(CommandedActuator):
    def move_to(self, position: Sequence[float]) -> None:
        pass
