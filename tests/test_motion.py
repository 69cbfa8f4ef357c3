"""Motion through an engine: limits, speed, and the emergency stop, also of programs in other processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import hypot
from pathlib import Path

import mm_test_adapters
import pytest
from live_engine import running
from livetrack_drivers.simulated import SimulatedCamera, SimulatedSettings
from real_microscope import DEMO
from waiting import wait_for

from livetrack.cli import main
from livetrack.client import Remote
from livetrack.config import load_config
from livetrack.devices import Actuator, ActuatorCalibration
from livetrack.errors import CommandError, ConfigError
from livetrack.session.engine import Engine
from livetrack.session.motion import MotionControl
from livetrack.session.motion.paced import PacedActuator
from livetrack.session.motion.permission import MovePermission

SMALL = [
    "camera.simulated.width=96", "camera.simulated.height=96", "camera.simulated.count=5", "camera.simulated.fps=100",
    "camera.simulated.exposure_ms=2", "camera.simulated.min_distance_um=2.5", "linker.search_radius_px=12",
    "calibration.file=''",
]  # fmt: skip
MOVING = [*SMALL, "camera.simulated.diffusion_um2_s=0.3"]  # a loop always has something to do
STILL = [*SMALL, "camera.simulated.diffusion_um2_s=0", "camera.simulated.drift_um_s=[0, 0]"]
PATIENCE_S = 30.0


@pytest.fixture
def engine() -> Iterator[Engine]:
    with running([*STILL, "stage.limits={ x = [-10, 10] }"]) as engine:
        yield engine


@pytest.fixture
def remote(engine: Engine) -> Iterator[Remote]:
    with Remote(engine.command_address, timeout_s=PATIENCE_S) as remote:
        yield remote


def stage_of(remote: Remote) -> tuple[float, ...]:
    return next(each.position for each in remote.actuators() if each.name == "stage")


def calibrated(remote: Remote) -> None:
    """Store the true calibration of the simulated stage."""
    remote.store_calibration(
        ActuatorCalibration(
            actuator="stage", unit="um", camera="simulated", matrix=((10.0, 0.0), (0.0, 10.0)),
            matrix_std=((0.0, 0.0), (0.0, 0.0)), delay_frames=1.0, delay_std_frames=0.1, interval_s=0.01, binning=1,
            pixel_size_um=0.1, made="2026-01-01T00:00:00+00:00",
        )
    )  # fmt: skip


# limits


@pytest.mark.parametrize(
    ("position", "message"),
    [
        ((10.5, 0.0), r"^'stage' cannot go to x = 10.5 um: its range is -10 to 10 um, by stage.limits$"),
        ((1e12, 0.0), r"^'stage' cannot go to x = 1e\+12 um: its range is -1e\+06 to 1e\+06 um$"),
        ((0.0, -1e12), r"^'stage' cannot go to y = -1e\+12 um: its range is -1e\+06 to 1e\+06 um$"),
        ((float("nan"), 0.0), "nan, .* not finite"),
        ((0.0, float("inf")), ", inf: not finite"),
    ],
)
def test_a_move_beyond_a_limit_is_refused_and_nothing_moves(
    remote: Remote, position: tuple[float, float], message: str
) -> None:
    remote.move_to("stage", 4.0, 0.0)
    for move, numbers in ((remote.move_to, position), (remote.move_by, (position[0] - 4.0, position[1]))):
        with pytest.raises(CommandError, match=message):
            move("stage", *numbers)
    assert stage_of(remote) == (4.0, 0.0)
    remote.move_by("stage", 6.0, 0.0)
    assert stage_of(remote) == (10.0, 0.0)


def test_a_sum_that_is_not_finite_is_refused() -> None:
    with running([*STILL]) as engine, Remote(engine.command_address) as remote:
        for _ in range(2):
            with pytest.raises(CommandError, match="cannot go to x"):
                remote.move_by("flow", 1.7e308, 0.0)


def test_the_limits_are_reported(remote: Remote) -> None:
    stage = remote.actuators()[0]
    assert stage.limits == ((-10.0, 10.0), (-1e6, 1e6))


def test_a_real_stage_does_not_move_to_1e12() -> None:
    folder = str(Path(mm_test_adapters.__file__).parent / "libs")
    overrides = [
        "camera.driver=micromanager", f"camera.micromanager.mm_dir={folder!r}", "localizer.model=centroid",
        "localizer.diameter_px=7.0", "focus.limits={ z = [-20, 20] }", "calibration.file=''",
    ]  # fmt: skip
    with running(overrides) as engine, Remote(engine.command_address, timeout_s=PATIENCE_S) as remote:
        before = [each.position for each in remote.actuators()]
        for move in (remote.move_to, remote.move_by):
            with pytest.raises(
                CommandError, match=r"'stage' cannot go to x = 1e\+12 um: its range is -1e\+06 to 1e\+06"
            ):
                move("stage", 1e12, 0.0)
            with pytest.raises(
                CommandError, match=r"'focus' cannot go to z = 21 um: its range is -20 to 20 um, by focus"
            ):
                move("focus", 21.0)
            for value, number in ((21, "21"), ("0x64", "nan"), ("abc", "nan")):  # it would go to 100, and to 0
                with pytest.raises(CommandError, match=rf"'focus' cannot go to z = {number} um: its range is"):
                    remote.set_property("Z.Position", value)
        assert [each.position for each in remote.actuators()] == before
        remote.set_property("Z.Position", "15.0")
        remote.move_by("focus", 1.0)
        assert remote.move_by("focus", 0.0, wait=True).position == (16.0,)
        for _ in range(10):
            remote.move_by("stage", 2.0, 0.0)
        assert remote.move_by("stage", 0.0, 0.0, wait=True).position == pytest.approx((20.0, 0.0), abs=0.01)
        remote.set_autofocus(True)
        assert remote.halt().failed == {}
        autofocus = remote.microscope().autofocus
        assert autofocus is not None
        assert not autofocus.continuous
        moves: tuple[Callable[[], object], ...] = (
            remote.focus_once,
            lambda: remote.set_autofocus(True),
            lambda: remote.set_property("Z.Position", 0.0),
        )
        for move_focus in moves:
            with pytest.raises(CommandError, match="motion is halted"):
                move_focus()
        remote.set_autofocus(False)


def test_a_move_under_way_is_completed_when_the_session_ends() -> None:
    folder = str(Path(mm_test_adapters.__file__).parent / "libs")
    overrides = [
        "camera.driver=micromanager", f"camera.micromanager.mm_dir={folder!r}", "localizer.model=centroid",
        "localizer.diameter_px=7.0", "calibration.file=''",
    ]  # fmt: skip
    with running(overrides) as engine, Remote(engine.command_address, timeout_s=PATIENCE_S) as remote:
        core = engine.camera.core  # type: ignore[attr-defined]
        core.set_property("XY", "Velocity", "0.01")  # um per ms
        (start,) = (each.position[0] for each in remote.actuators() if each.name == "stage")
        remote.move_by("stage", 20.0, 0.0)  # takes 2 s
    assert core.device_busy("XY")
    wait_for(lambda: not core.device_busy("XY"))
    assert core.get_x_position("XY") == pytest.approx(start + 20.0, abs=0.05)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("stage.limits={ x = [5, -5] }", r"\[stage.limits\] x = \[5, -5\]: expected \[lowest, highest\]"),
        ("stage.limits={ x = [nan, 5] }", r"\[stage.limits\] x = \[nan, 5\]: expected \[lowest, highest\]"),
        ("stage.max_speed=0", r"\[stage.max_speed\] = 0: expected a number > 0"),
        ("stage.limit={ x = [0, 1] }", r"\[stage.limit\] unknown key; did you mean limits\?"),
        ("actuators.stage.max_speed=1", r"the section of this actuator is called \[stage\]"),
    ],
)
def test_limits_that_cannot_hold_are_rejected(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(None, [setting])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("stage.limits={ z = [0, 5] }", r"\[stage.limits\] the stage has no axis 'z': it has x, y"),
        ("actuators.flwo.max_speed=1", r"\[actuators.flwo\] the driver 'simulated' has no such actuator: it has stage"),
    ],
)
def test_limits_of_something_that_is_not_there_are_rejected_at_the_start(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Engine(load_config(None, [*STILL, setting]))


# speed


class Recorded:
    """An actuator that moves at once and keeps when it was commanded where."""

    axes = ("x", "y")
    unit = "um"

    def __init__(self) -> None:
        self.commands: list[tuple[float, tuple[float, ...]]] = []

    def position(self) -> tuple[float, ...]:
        return self.commands[-1][1] if self.commands else (0.0, 0.0)

    def move_to(self, position: Sequence[float]) -> None:
        self.commands.append((time.monotonic(), tuple(position)))

    def move_by(self, step: Sequence[float]) -> None:
        raise AssertionError

    def wait(self) -> None:
        pass


def test_a_long_move_is_made_in_pieces_no_faster_than_the_limit() -> None:
    device = Recorded()
    paced = PacedActuator(device, 50.0, threading.RLock())
    begun_s = time.monotonic()
    paced.move_to((30.0, 40.0))
    assert device.position() != (30.0, 40.0)  # it takes 1 s
    assert paced.target() == (30.0, 40.0)
    paced.wait()
    assert device.position() == (30.0, 40.0)
    assert len(device.commands) > 3
    for when_s, where in device.commands:
        assert hypot(*where) <= 50.0 * (when_s - begun_s + 0.05) + 1e-9
    for (_, a), (_, b) in pairwise(device.commands):
        assert hypot(b[0] - a[0], b[1] - a[1]) <= 12.5 + 1e-9


class Restarting(Recorded):
    """A device that begins its move anew with every command, and takes 50 ms for it."""

    def position(self) -> tuple[float, ...]:
        arrived = [where for when, where in self.commands if time.monotonic() - when > 0.05]
        complete = [a[1] for a, b in pairwise(self.commands) if b[0] - a[0] > 0.05]
        return arrived[-1] if not self.busy() and arrived else complete[-1] if complete else (0.0, 0.0)

    def busy(self) -> bool:
        return bool(self.commands) and time.monotonic() - self.commands[-1][0] <= 0.05


def test_a_device_that_restarts_with_each_command_arrives_piece_by_piece() -> None:
    device = Restarting()
    paced = PacedActuator(device, 100.0, threading.RLock())
    paced.move_to((60.0, 0.0))
    wait_for(lambda: device.position()[0] > 10.0)
    assert paced.target() == (60.0, 0.0)
    assert device.position()[0] < 60.0
    paced.wait()
    assert device.commands[-1][1] == (60.0, 0.0)


def test_steps_add_up_at_a_limited_speed_and_short_ones_pass_at_once() -> None:
    device = Recorded()
    paced = PacedActuator(device, 1000.0, threading.RLock())
    paced.move_to((1.0, 0.0))
    assert device.position() == (1.0, 0.0)
    for number in range(1, 6):
        x, y = paced.target()
        assert (x, y) == (1.0 + 20.0 * (number - 1), 0.0)
        paced.move_to((x + 20.0, y))
    paced.wait()
    assert device.position() == (101.0, 0.0)


def test_an_error_during_a_slow_move_is_reported_with_the_next_command() -> None:
    device = Recorded()
    paced = PacedActuator(device, 100.0, threading.RLock())
    paced.move_to((20.0, 0.0))
    device.move_to = lambda position: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(Exception, match="the last move was not completed: division by zero"):
        paced.wait()


def test_the_speed_of_an_actuator_of_a_session_is_limited() -> None:
    with running([*STILL, "stage.max_speed=20"]) as engine, Remote(engine.command_address, PATIENCE_S) as remote:
        begun_s = time.monotonic()
        remote.move_by("stage", 4.0, 0.0)
        remote.move_by("stage", 4.0, 0.0)
        assert remote.move_by("stage", 0.0, 0.0, wait=True).position == (8.0, 0.0)
        assert time.monotonic() - begun_s > 0.3
        remote.move_by("stage", 400.0, 0.0)
        result = remote.halt()
        assert "stage" in result.stopped
        stopped = stage_of(remote)
        time.sleep(0.1)
        assert stage_of(remote) == stopped
        assert stopped[0] < 100


def test_a_slow_move_ends_when_the_devices_are_loaded_again() -> None:
    camera = WithSlide()
    first, second = Recorded(), Recorded()
    camera.slide = first  # type: ignore[assignment]
    motion = MotionControl(camera, load_config(None, ["actuators.slide.max_speed=10"]))
    motion.actuator("slide").move(b"me", (100.0, 0.0), relative=False, wait=False)
    camera.slide = second  # type: ignore[assignment]
    motion.actuator("slide")
    wait_for(lambda: not any(thread.name == "livetrack-paced-move" for thread in threading.enumerate()))
    assert first.position()[0] < 100.0
    assert not second.commands


class Slow(Recorded):
    """A device that takes long to report its position."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answered = threading.Event(), threading.Event()
        self.questions = 0

    def position(self) -> tuple[float, ...]:
        self.questions += 1
        if self.questions == 2:  # the first one is asked before a move is permitted
            self.asked.set()
            assert self.answered.wait(PATIENCE_S)
        return super().position()

    def stop(self) -> None:
        pass


def test_a_halt_ends_a_slow_move_that_has_just_been_permitted() -> None:
    camera = WithSlide()
    camera.slide = slow = Slow()  # type: ignore[assignment]
    motion = MotionControl(camera, load_config(None, ["actuators.slide.max_speed=1"]))
    slide = motion.actuator("slide")
    move = partial(slide.move, b"me", (5.0, 0.0), relative=True, wait=False)
    mover, halter = threading.Thread(target=move), threading.Thread(target=motion.halt)
    mover.start()
    assert slow.asked.wait(PATIENCE_S)
    halter.start()
    wait_for(lambda: motion.permission.halted)
    wait_for(lambda: any(thread.name == "livetrack-stop-slide" for thread in threading.enumerate()))
    slow.answered.set()
    mover.join()
    halter.join()
    wait_for(lambda: not any(thread.name == "livetrack-paced-move" for thread in threading.enumerate()))
    assert slow.commands[-1][1][0] < 1.0


# the emergency stop


def test_after_a_halt_moves_are_refused_until_they_are_allowed(remote: Remote, engine: Engine) -> None:
    remote.move_stage(1.0, 0.0)
    remote.move_to("flow", 5.0, 0.0)
    with Remote(engine.command_address) as person, Remote(engine.command_address) as program:
        assert person.halt().stopped == ("stage", "trap", "flow")
        assert remote.state().halted
        for client in (remote, person):
            with pytest.raises(CommandError, match="motion is halted"):
                client.move_stage(1.0, 0.0)
        assert {each.name: each.position for each in remote.actuators()} == {
            "stage": (1.0, 0.0), "trap": (0.0, 0.0), "flow": (0.0, 0.0),
        }  # fmt: skip
        person.allow_moves()
        assert not remote.state().halted
        with pytest.raises(CommandError, match="start it again"):  # it was moving something: a loop, perhaps
            remote.move_stage(1.0, 0.0)
        program.move_stage(1.0, 0.0)
        person.move_stage(1.0, 0.0)
        remote.allow_moves()
        remote.move_stage(1.0, 0.0)
        assert stage_of(remote) == (4.0, 0.0)


def test_permission_keeps_a_bounded_number_of_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack.session.motion.permission._MAX_CLIENTS", 3)
    permission = MovePermission()
    for number in range(10):
        permission.check(b"%d" % number)
    permission.halt()
    permission.allow(b"another")
    permission.check(b"0")  # forgotten long ago
    with pytest.raises(CommandError, match="start it again"):
        permission.check(b"9")


class Slide:
    """An actuator that moves until it is stopped."""

    axes = ("x",)
    unit = "um"

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.waiting = threading.Event()
        self.moves = 0

    def position(self) -> tuple[float, ...]:
        return (float(self.moves),)

    def move_to(self, position: Sequence[float]) -> None:
        self.moves += 1
        self.stopped.clear()

    def move_by(self, step: Sequence[float]) -> None:
        self.move_to(step)

    def wait(self) -> None:
        self.waiting.set()
        assert self.stopped.wait(PATIENCE_S)

    def stop(self) -> None:
        self.stopped.set()


class WithSlide(SimulatedCamera):
    def __init__(self) -> None:
        super().__init__(SimulatedSettings(width=96, height=96))
        self.slide = Slide()

    def actuators(self) -> Mapping[str, Actuator]:
        return {"slide": self.slide}


def test_a_halt_waits_behind_no_move_and_ends_those_that_wait() -> None:
    camera = WithSlide()
    errors: list[str] = []
    with running(["calibration.file=''"], camera=camera) as engine:

        def move() -> None:
            with Remote(engine.command_address, PATIENCE_S) as client:
                try:
                    client.move_by("slide", 5.0, wait=True)
                except CommandError as error:
                    errors.append(str(error))

        movers = [threading.Thread(target=move) for _ in range(3)]  # one moves, the others wait in the queue
        for mover in movers:
            mover.start()
        wait_for(camera.slide.waiting.is_set)
        with Remote(engine.command_address, PATIENCE_S) as person:
            assert person.halt().stopped == ("slide",)
        for mover in movers:
            mover.join(PATIENCE_S)
        assert camera.slide.moves == 1
        assert sorted(error[:17] for error in errors) == ["motion is halted:", "motion is halted:", "motion was halted"]


def test_a_device_that_cannot_be_stopped_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    camera = WithSlide()
    camera.slide.stop = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    with running(["calibration.file=''"], camera=camera) as engine:
        assert main(["halt", engine.command_address]) == 1
        output = capsys.readouterr()
        assert "motion is halted (stopped: no actuator)" in output.out
        assert "not all actuators have stopped: slide: division by zero" in output.err
        assert main(["halt", engine.command_address, "--allow"]) == 0


def test_a_halt_stops_the_actuators_of_a_driver_that_no_longer_lists_them() -> None:
    camera = WithSlide()
    with (
        running(["calibration.file=''"], camera=camera) as engine,
        Remote(engine.command_address, PATIENCE_S) as remote,
    ):
        remote.move_by("slide", 5.0)
        camera.actuators = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
        assert remote.halt().stopped == ("slide",)
        assert camera.slide.stopped.is_set()


def test_a_halt_ends_the_wait_for_a_stage_that_stays_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    with running([*DEMO, "calibration.file=''"]) as engine, Remote(engine.command_address, PATIENCE_S) as remote:
        core = engine.camera.core  # type: ignore[attr-defined]
        asked = threading.Event()
        monkeypatch.setattr(core, "device_busy", lambda label: asked.set() or True)
        errors: list[str] = []

        def move() -> None:
            with Remote(engine.command_address, PATIENCE_S) as client, pytest.raises(CommandError) as raised:
                client.move_stage(1.0, 0.0, wait=True)
            errors.append(str(raised.value))

        mover = threading.Thread(target=move)
        mover.start()
        wait_for(asked.is_set)
        remote.halt()
        mover.join(PATIENCE_S)
        assert len(errors) == 1
        assert errors[0].startswith(("motion was halted", "motion is halted"))


def test_a_halt_while_the_camera_is_closed_holds_when_it_is_open(remote: Remote) -> None:
    remote.stop()
    remote.halt()
    remote.start()
    with pytest.raises(CommandError, match="motion is halted"):
        remote.move_stage(1.0, 0.0)


# programs in other processes


def program(engine: Engine, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "livetrack", *arguments, "--address", engine.publisher.address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")


@pytest.mark.parametrize("name", ["follow", "trap", "calibrate"])
def test_a_halt_ends_the_programs_of_other_processes(name: str, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = ["--rounds", "100"] if name == "calibrate" else ["--lost-after", "5"]
    overrides = STILL if name == "calibrate" else MOVING
    with running(overrides) as engine, Remote(engine.command_address, PATIENCE_S) as remote:
        calibrated(remote)
        process = program(engine, name, *options, "--json", str(figures))
        wait_for(lambda: stage_of(remote) != (0.0, 0.0) or process.poll() is not None)
        remote.halt()
        halted = stage_of(remote)
        output, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1, (output, errors)
        assert "motion is halted" in errors.splitlines()[-1]
        assert stage_of(remote) == halted  # where it was stopped
        if name == "calibrate":
            assert not figures.exists()
            return
        assert "motion is halted" in json.loads(figures.read_text(encoding="utf-8"))["ended_by"]
        assert remote.state().halted
        again = program(engine, name, "--lost-after", "5", "--seconds", "1")  # somebody starts it again
        output, errors = again.communicate(timeout=PATIENCE_S)
        assert again.returncode == 0, errors
        assert stage_of(remote) != halted


@pytest.mark.parametrize("name", ["follow", "trap"])
def test_a_loop_that_reaches_a_limit_ends_in_order(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    drifting = ["camera.simulated.drift_um_s=[3.0, 0.0]", "stage.limits={ x = [-1.0, 1.0] }"]
    with running([*STILL, *drifting]) as engine, Remote(engine.command_address, PATIENCE_S) as remote:
        calibrated(remote)
        arguments = [name, "--address", engine.publisher.address, "--lost-after", "5", "--json", str(figures)]
        assert main(arguments) == 1
        last = capsys.readouterr().err.splitlines()[-1]
        assert "'stage' cannot go to x = -1." in last
        assert "its range is -1 to 1 um, by stage.limits" in last
        assert json.loads(figures.read_text(encoding="utf-8"))["ended_by"] in last
        x, _ = stage_of(remote)
        assert -1.0 <= x < -0.5
        time.sleep(0.05)
        assert stage_of(remote)[0] == x


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("follow", "--at", "-5", "9999"), "x = -5, y = 9999 px"),
        (("follow", "--at", "nan", "9"), "x = nan, y = 9 px"),
        (("trap", "--at", "40", "9999"), "x = 40, y = 9999 px"),
    ],
)
def test_no_particle_is_brought_to_a_place_outside_of_the_image(
    arguments: tuple[str, ...], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(STILL) as engine, Remote(engine.command_address, PATIENCE_S) as remote:
        calibrated(remote)
        assert main([*arguments, "--address", engine.publisher.address, "--lost-after", "5", "--seconds", "9"]) == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert "the particle cannot be held at" in last
        assert where in last
        assert max(map(abs, stage_of(remote))) < 10


def test_a_trap_without_standard_deviations_is_not_compared_with_theory(capsys: pytest.CaptureFixture[str]) -> None:
    centroid = ["localizer.model=centroid", "localizer.diameter_px=7.0"]
    with running([*STILL, *centroid]) as engine, Remote(engine.command_address, PATIENCE_S) as remote:
        calibrated(remote)
        assert main(["trap", "--address", engine.publisher.address, "--lost-after", "5", "--seconds", "2"]) == 0
        assert "nan" not in capsys.readouterr().out


def test_a_calibration_beyond_a_limit_is_refused_before_anything_moves(capsys: pytest.CaptureFixture[str]) -> None:
    with running([*STILL, "stage.limits={ y = [-1, 0.5] }"]) as engine, Remote(engine.command_address) as remote:
        assert main(["calibrate", "--address", engine.publisher.address]) == 2
        assert "'stage' cannot go to y = 0.8 um: its range is -1 to 0.5 um" in capsys.readouterr().err
        assert stage_of(remote) == (0.0, 0.0)
