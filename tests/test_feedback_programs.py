"""`livetrack calibrate`, `follow`, `trap` and `listen --trap`: on the simulated microscope and on the real MMCore."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import pi
from pathlib import Path
from typing import Any

import mm_test_adapters
import numpy as np
import pytest

from livetrack.calibrate import Medium, TrapMonitor
from livetrack.calibrate.affine import Affine, common_motion, fit_affine
from livetrack.cli import main
from livetrack.cli.calibrate import advice
from livetrack.cli.follow import hint
from livetrack.client import Remote
from livetrack.config import load_config
from livetrack.control import Target
from livetrack.control.actuator_calibration import calibrate_actuator
from livetrack.control.feedback_trap import circular, hold_at
from livetrack.control.follow import follow
from livetrack.control.loop_log import LoopLog
from livetrack.devices import ActuatorCalibration
from livetrack.errors import CommandError, InputError, UsageError
from livetrack.session.engine import Engine

PORTS = tuple(f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address"))
STILL = (  # particles that stick to the glass
    "camera.simulated.width=96", "camera.simulated.height=96", "camera.simulated.count=5", "camera.simulated.fps=100",
    "camera.simulated.exposure_ms=2", "camera.simulated.diffusion_um2_s=0", "camera.simulated.drift_um_s=[0, 0]",
    "camera.simulated.min_distance_um=2.5", "linker.search_radius_px=12",
)  # fmt: skip
TRAPPED = (  # one bead in a trap
    "camera.simulated.width=64", "camera.simulated.height=64", "camera.simulated.count=1", "camera.simulated.fps=200",
    "camera.simulated.exposure_ms=1", "camera.simulated.diffusion_um2_s=0.455", "camera.simulated.drift_um_s=[0, 0]",
    "camera.simulated.trap_stiffness_pn_um=3.0", "linker.search_radius_px=12",
)  # fmt: skip
DEMO = (
    "camera.driver=micromanager",
    f"camera.micromanager.mm_dir={str(Path(mm_test_adapters.__file__).parent / 'libs')!r}",
    "camera.micromanager.exposure_ms=10", "camera.micromanager.roi=[0, 0, 128, 128]", "linker.search_radius_px=12",
    'camera.micromanager.properties={"Camera.Mode"="Fluorescent Beads"}',
)  # fmt: skip


@contextmanager
def running(folder: Path, *overrides: str) -> Iterator[tuple[Engine, Remote]]:
    """Yield an engine that runs in a thread, and a remote; calibrations are stored in `folder`."""
    stored = f"calibration.file={str(folder / 'calibration.json')!r}"
    with Engine(load_config(None, [*PORTS, stored, *overrides])) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop}, daemon=True)
        thread.start()
        try:
            with Remote(engine.publisher.address, timeout_s=20) as remote:
                deadline = time.monotonic() + 20
                while not remote.state().particles:
                    assert time.monotonic() < deadline, remote.state()
                    time.sleep(0.02)
                yield engine, remote
        finally:
            stop.set()
            thread.join(20)


# the fit


def test_an_affine_is_found_with_its_sign_rotation_and_uncertainty() -> None:
    rng = np.random.default_rng(1)
    truth = np.array([[-9.0, 2.0], [1.5, 8.0]])
    steps = 0.8 * np.array([(1, 0), (-1, 0), (0, 1), (0, -1)] * 50)
    fitted = [fit_affine(steps, steps @ truth.T + rng.normal(0, (0.5, 0.2), steps.shape)) for _ in range(200)]
    found = np.array([fit.matrix for fit in fitted])
    assert found.mean(axis=0) == pytest.approx(truth, abs=0.02)
    assert fitted[0].std == pytest.approx(found.std(axis=0), rel=0.25)
    assert fitted[0].mirrored
    assert fitted[0].scale == pytest.approx((9 * 8 + 3) ** 0.5, rel=0.02)
    assert fitted[0].rotation_deg == pytest.approx(np.degrees(np.arctan2(1.5, -9)), abs=1)
    with pytest.raises(InputError, match="along both axes"):
        fit_affine([(1, 0), (2, 0), (3, 0)], [(1, 0), (2, 0), (3, 0)])


@pytest.mark.parametrize("motion", [(7.995, 0.0), (-3.3, 11.7), (0.5, -0.5), (0.0, 0.0)])
def test_a_common_motion_is_found_without_ids(motion: tuple[float, float]) -> None:
    """30 points in another order: a tenth of them replaced, all of them with noise."""
    rng = np.random.default_rng(2)
    before = rng.uniform(0, 200, (30, 2))
    after = np.concatenate([before[3:] + motion, rng.uniform(0, 200, (3, 2))]) + rng.normal(0, 0.1, (30, 2))
    found = common_motion(before, rng.permutation(after), 40.0)
    assert found == pytest.approx(motion, abs=0.15)
    assert common_motion(before[:1], before[:1] + 100, 40.0) is None


def test_a_calibration_turns_pixels_into_moves_and_is_valid_for_its_own_image_only() -> None:
    from livetrack.camera import Geometry

    calibration = made(matrix=((-9.0, 2.0), (1.5, 8.0)))
    u, v = calibration.move(3.0, -4.0)
    assert (-9 * u + 2 * v, 1.5 * u + 8 * v) == pytest.approx((3.0, -4.0))
    calibration.check("simulated", Geometry(64, 64, pixel_size_um=0.1))
    for camera, geometry in (
        ("movie", Geometry(64, 64, pixel_size_um=0.1)),
        ("simulated", Geometry(32, 32, binning=2)),
    ):
        with pytest.raises(UsageError, match="calibrate again"):
            calibration.check(camera, geometry)


def made(**fields: Any) -> ActuatorCalibration:
    return ActuatorCalibration(
        **{
            "actuator": "stage", "unit": "um", "camera": "simulated", "matrix": ((10.0, 0.0), (0.0, 10.0)),
            "matrix_std": ((0.0, 0.0), (0.0, 0.0)), "delay_frames": 1.0, "delay_std_frames": 0.1, "interval_s": 0.01,
            "binning": 1, "pixel_size_um": 0.1, "made": "2026-01-01T00:00:00+00:00",
        }
        | fields
    )  # fmt: skip


def test_an_imprecise_calibration_comes_with_advice() -> None:
    unsure = Affine(10 * np.eye(2), np.full((2, 2), 1.0))
    text = advice(made(delay_frames=2.5), unsure, settle_s=0.5, rounds=4)
    assert "precise to 10% only" in text
    assert "try --settle 0.15 --rounds 25 (about 15 s)" in text
    little = Affine(10 * np.eye(2), np.full((2, 2), 0.3))
    assert "try --settle 0.15 --rounds 40 " in advice(made(delay_frames=2.5), little, settle_s=0.15, rounds=20)
    assert "try --settle 0.5 --rounds 9 " in advice(made(delay_frames=50), little, settle_s=0.5, rounds=4)


def followed(error_px: float, move_px: float, every: int, *, max_px: float = 9.0, std_px: float = 0.05) -> LoopLog:
    """Return the log of a particle with an error of `error_px`, moved by about `move_px` every `every` frames."""
    record, rng = LoopLog(), np.random.default_rng(3)
    for frame in range(500):
        move = min(move_px * rng.uniform(0.5, 1.5), max_px) if frame % every == 0 else 0.0
        record.add(frame, frame / 100, tuple(rng.normal(0, error_px, 2)), std_px, (move, 0.0))
    return record


def test_a_particle_that_was_not_followed_closely_gives_a_hint() -> None:
    assert hint(followed(0.1, 0.1, every=6), 0.25, 2.5) == ""
    assert "a smaller --deadband" in hint(followed(0.3, 0.3, every=6), 0.25, 2.5)
    assert "a larger search radius" in hint(followed(9.0, 5.0, every=6, max_px=2.5), 0.25, 2.5)
    assert "6 frames (60 ms) apart" in hint(followed(2.0, 1.5, every=6), 0.25, 2.5)
    assert "200 frames (2000 ms) apart" in hint(followed(2.0, 1.5, every=200), 0.25, 2.5)  # two moves, none cut
    assert hint(followed(2.0, 1.5, every=6, std_px=math.nan), 0.25, 2.5) == ""  # uncertainty unknown


# the simulated microscope


def test_a_calibration_of_the_stage_is_stored_and_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path, *STILL, "camera.simulated.actuation_delay_frames=6") as (engine, remote):
        with pytest.raises(CommandError, match="run `livetrack calibrate stage` first"):
            remote.move("stage", 3, 0)
        address = ["--address", engine.publisher.address]
        for program in (["follow"], ["trap"]):
            assert main([*program, *address, "--seconds", "1"]) == 1
            assert "'stage' is not calibrated" in capsys.readouterr().err
        figures = tmp_path / "figures.json"
        assert main(["calibrate", *address, "--rounds", "2", "--settle", "0.3", "--json", str(figures)]) == 0
        output = capsys.readouterr()
        assert "stage: 1 um is " in output.out
        assert "delay" in output.out
        assert "try --settle" not in output.err
        stored = remote.hello().calibrations["stage"]
        assert json.loads(figures.read_text(encoding="utf-8"))["actuator"] == "stage"
        assert np.array(stored.matrix) == pytest.approx(10 * np.eye(2), abs=0.1)
        assert (
            5.5 < stored.delay_frames < 12
        )  # 6, and 1 because a frame starts when the last one ends; more on a busy machine
        before = remote.actuators()[0].position
        assert before == pytest.approx((0, 0), abs=1e-9)
        remote.move("stage", 3.0, -2.0)
        assert remote.actuators()[0].position == pytest.approx((0.3, -0.2), abs=0.005)
        with pytest.raises(ZeroDivisionError):
            calibrate_actuator(remote, "stage", settle_s=0.2, progress=lambda share: 1 / 0 if share < 0.1 else None)
        assert remote.actuators()[0].position == pytest.approx((0.3, -0.2), abs=0.005)  # back where it was
        for actuator, why in (("flow", "does not move particles in steps"), ("galvo", "available: stage, trap, flow")):
            with pytest.raises(InputError, match=why):
                calibrate_actuator(remote, actuator)
        with pytest.raises(CommandError, match="no inverse"):
            remote.store_calibration(made(matrix=((1.0, 1.0), (1.0, 1.0))))
        with pytest.raises(CommandError, match="too uncertain"):
            remote.store_calibration(made(matrix_std=((4.0, 4.0), (1.0, 1.0))))
        with pytest.raises(CommandError, match="calibrate again"):
            remote.store_calibration(made(binning=2))
    with running(tmp_path, *STILL) as (_, remote):  # another session
        assert remote.calibration("stage") == stored
    (tmp_path / "calibration.json").write_text("[{}]", encoding="utf-8")
    with pytest.raises(UsageError, match="delete it"):
        Engine(load_config(None, [*PORTS, f"calibration.file={str(tmp_path / 'calibration.json')!r}"]))


@pytest.mark.measured
def test_a_particle_is_followed_and_steered_by_the_stage(tmp_path: Path) -> None:
    """The sample drifts at 20 px/s; then one particle is led round a circle."""
    with running(tmp_path, *STILL, "camera.simulated.drift_um_s=[2.0, 0.0]") as (engine, remote):
        remote.store_calibration(made(delay_frames=1.5))
        with Target(engine.publisher.address, lost_after_s=1.0, stale_after_s=5.0) as target:
            record = follow(remote, target, seconds=3.0)
        rows = record.array(100)
        assert np.hypot(rows["x"], rows["y"]).max() < 4.0  # it drifts 0.2 px a frame; more is a machine that is busy
        assert np.median(np.hypot(rows["x"], rows["y"])) < 1.0
        with Target(engine.publisher.address, lost_after_s=1.0, stale_after_s=5.0) as target:
            record = hold_at(remote, target, "stage", 0.3, trajectory=circular(5.0, 2.0), seconds=3.0)
        rows = record.array(50)
        lag = 2 * pi * 5.0 / 2.0 * 0.01 / 0.3 + 0.2 / 0.3  # speed of path and drift, over the gain
        assert np.median(np.hypot(rows["x"], rows["y"])) < 2 * lag


@pytest.mark.measured
def test_a_trap_is_calibrated_monitored_and_stiffened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path, *TRAPPED) as (engine, remote):
        address = engine.publisher.address
        calibration, _ = calibrate_actuator(remote, "trap", rounds=2, settle_s=0.25)
        assert np.array(calibration.matrix) == pytest.approx(10 * np.eye(2), abs=1.0)
        remote.store_calibration(calibration)
        figures = tmp_path / "figures.json"
        assert main(["listen", address, "--trap", "--seconds", "4", "--json", str(figures)]) == 0
        assert "equipartition" in capsys.readouterr().out
        reading = json.loads(figures.read_text(encoding="utf-8"))["trap"]
        for value in (*reading["equipartition"], *(axis["stiffness"] for axis in reading["spectrum"] if axis)):
            assert value["value"] == pytest.approx(3.0, abs=5 * value["std"])
        where = ["--actuator", "trap", "--address", address]
        assert main(["trap", *where, "--gain", "50"]) == 2
        assert "the loop is stable only below" in capsys.readouterr().err
        assert main(["trap", *where, "--seconds", "3", "--json", str(figures)]) == 0
        held = json.loads(figures.read_text(encoding="utf-8"))
        assert np.mean(held["held"]["std_px"]) == pytest.approx(held["expected_std_px"], rel=0.25)


def test_a_trap_monitor_reports_stiffness_and_missing_frames() -> None:
    from livetrack.bench.feedback.stiffness import simulate_trajectories

    bead = Medium()
    x, y = simulate_trajectories(50, 2, 10_000, exposure_s=1e-3, error_um=0.003)
    monitor = TrapMonitor(1e-3, 1e-3, bead, seconds=8)
    for frame in range(10_000):
        if frame % 100:
            monitor.add(frame, x[frame], y[frame], 0.003, 0.003)
    reading = monitor.reading()
    assert (reading.frames, reading.missing) == (8000, pytest.approx(0.01, abs=1e-3))
    for fit, stiffness in zip(reading.spectrum, reading.equipartition, strict=True):
        assert fit is not None
        assert stiffness is not None
        assert fit.stiffness.value == pytest.approx(bead.stiffness(50), rel=0.15)
        assert stiffness.value == pytest.approx(bead.stiffness(50), rel=0.12)
    assert TrapMonitor(1e-3, 1e-3).reading().spectrum == (None, None)


# the real MMCore


@pytest.mark.measured
def test_the_demo_camera_is_calibrated_and_a_drifting_bead_is_followed(tmp_path: Path) -> None:
    """1 µm of the stage is -1 px, along both axes; then the stage is moved under the program, at 2 px/s."""
    with running(tmp_path, *DEMO) as (engine, remote):
        calibration, _ = calibrate_actuator(remote, "stage", rounds=2)
        assert np.array(calibration.matrix) == pytest.approx(-np.eye(2), abs=0.01)
        assert calibration.delay_frames < 30
        remote.store_calibration(calibration)
        stop = threading.Event()
        stage: Any = engine.camera.actuators()["stage"]  # type: ignore[attr-defined]

        def drift() -> None:
            while not stop.wait(0.1):
                stage.wait()
                stage.move_by((0.2, -0.1))

        thread = threading.Thread(target=drift, daemon=True)
        with Target(engine.publisher.address, lost_after_s=1.0, stale_after_s=5.0) as target:
            settled = follow(remote, target, seconds=1.0, at_px=(64, 64))
            thread.start()
            record = follow(remote, target, seconds=4.0, at_px=(64, 64))
        stop.set()
        thread.join(5)
        assert settled.summary().frames > 20
        rows = record.array()
        assert np.mean(np.hypot(rows["x"], rows["y"]) < 1.0) > 0.95
        assert record.summary().moves > 10


def test_the_loop_in_the_documentation_holds_a_particle(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs" / "feedback.md").read_text(encoding="utf-8")
    program = text.split("## A control loop in twenty lines")[1].split("```python\n")[1].split("```")[0]
    assert program.count("\n") <= 20
    with running(tmp_path, *STILL, "camera.simulated.drift_um_s=[0.25, 0.0]") as (engine, remote):
        remote.store_calibration(made(delay_frames=1.5))
        program = program.replace("tcp://127.0.0.1:5555", engine.publisher.address).replace("20.0  # s", "4.0")
        names: dict[str, Any] = {}
        exec(compile(program, "docs/feedback.md", "exec"), names)
        start, seen = names["start"], names["seen"]
    assert seen.t_s - start.t_s > 4
    assert np.hypot(seen.x - start.x, seen.y - start.y) < 2  # of the 10 px that it would have drifted
