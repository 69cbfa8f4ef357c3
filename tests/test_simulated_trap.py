"""The simulated trap, flow and stage: physics against theory, and commands that take effect when they should."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import exp, pi
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from livetrack_drivers.simulated import SimulatedCamera, SimulatedSettings

from livetrack.calibrate import Medium, stiffness_from_spectrum, stiffness_from_variance
from livetrack.camera import Picture
from livetrack.errors import CameraError

BEAD = Medium()
FPS = 1000.0
STILL: dict[str, Any] = {"diffusion_um2_s": 0.0, "drift_um_s": (0.0, 0.0), "min_distance_um": 1.5}


def camera(**settings: Any) -> SimulatedCamera:
    """Return an open camera of 16 x 16 px of 0.1 µm in lock-step, with one bead in the centre."""
    fixed: dict[str, Any] = {
        "width": 16, "height": 16, "fps": FPS, "exposure_ms": 0.0, "lockstep": True, "count": 1, "spread": 0.0,
        "diffusion_um2_s": BEAD.diffusion_um2_s, "drift_um_s": (0.0, 0.0), "min_distance_um": 1.5,
    }  # fmt: skip
    made = SimulatedCamera(SimulatedSettings(**fixed | settings))
    made.open()
    return made


def frames(simulated: SimulatedCamera) -> Iterator[Picture]:
    return (picture for picture in simulated.pictures() if picture is not None)


def track(simulated: SimulatedCamera, pictures: Iterator[Picture], count: int) -> npt.NDArray[np.float64]:
    """Return the positions of the bead in the next `count` frames, (count, 2) µm from the centre."""
    places = np.empty((count, 2))
    for n, picture in enumerate(itertools.islice(pictures, count)):
        (row,) = simulated.truth(picture.number or 0)
        places[n] = row["x"], row["y"]
    return 0.1 * (places - 7.5)


def test_a_trapped_bead_strays_as_theory_says_and_as_the_estimators_find() -> None:
    """Equipartition, time correlation, and motion blur of an exposure as long as the frame."""
    stiffness = BEAD.stiffness(100)
    trapped = camera(trap_stiffness_pn_um=stiffness, exposure_ms=1.0)
    places = track(trapped, frames(trapped), 5000)[100:]
    y = 2 * pi * 100 / FPS
    blurred = BEAD.thermal_energy / stiffness * (2 / y - 2 / y**2 * (1 - exp(-y)))
    for x in places.T:
        assert x.mean() == pytest.approx(0, abs=4 * (blurred / 1000) ** 0.5)
        assert x.var() == pytest.approx(blurred, rel=0.12)
        assert stiffness_from_variance(x, 1e-3, 1e-3).value == pytest.approx(stiffness, rel=0.12)
        assert stiffness_from_spectrum(x, 1e-3, 1e-3, 0.0).stiffness.value == pytest.approx(stiffness, rel=0.12)


def test_only_the_first_particle_is_held() -> None:
    several = camera(count=3, trap_stiffness_pn_um=100.0, min_distance_um=0.3)
    for picture in itertools.islice(frames(several), 300):
        number = picture.number or 0
    truth = several.truth(number)
    assert np.hypot(truth["x"][0] - 7.5, truth["y"][0] - 7.5) < 1  # std 0.06 px
    assert np.hypot(truth["x"][1:] - 7.5, truth["y"][1:] - 7.5).min() > 1


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_a_command_takes_effect_after_its_delay(delay: int) -> None:
    """The stage moves the bead at once, the flow over the frame, the trap as the bead relaxes."""
    still = camera(**STILL, actuation_delay_frames=delay)
    pictures, actuators = frames(still), still.actuators()
    start = track(still, pictures, 3)[-1]
    actuators["stage"].move_by((0.2, -0.1))
    moved = track(still, pictures, 5) - start
    assert np.allclose(moved[:delay], 0)
    assert np.allclose(moved[delay:], [0.2, -0.1])
    actuators["flow"].move_to((10.0, 0.0))
    flowing = track(still, pictures, 5) - start - [0.2, -0.1]
    assert np.allclose(flowing[:, 0], 0.01 * np.maximum(0, np.arange(5) - delay + 1))
    assert actuators["flow"].position() == (10.0, 0.0)


def test_the_trap_moves_and_stiffens_on_command() -> None:
    """Almost without thermal motion, the bead relaxes to the trap's centre, twice as fast in a trap twice as stiff."""
    cold = {"diffusion_um2_s": 1e-3 * BEAD.diffusion_um2_s, "temperature_k": 1e-3 * BEAD.temperature_k}
    still = camera(**cold, trap_stiffness_pn_um=BEAD.stiffness(10))
    pictures, actuators = frames(still), still.actuators()
    before = track(still, pictures, 300)[-1]
    actuators["trap"].move_to((0.4, 0.0))
    falling = track(still, pictures, 20)
    decay = exp(-2 * pi * 10 / FPS)
    assert falling[:, 0] == pytest.approx(0.4 + (before[0] - 0.4) * decay ** np.arange(1, 21), abs=0.01)
    still.set_property("trap_stiffness_pn_um", 2 * BEAD.stiffness(10))
    faster = track(still, pictures, 20)
    assert faster[:, 0] == pytest.approx(0.4 + (falling[-1, 0] - 0.4) * decay ** (2 * np.arange(1, 21)), abs=0.01)


def test_each_exposure_waits_for_its_order() -> None:
    waiting = camera(**STILL, await_orders=True)
    stage = waiting.actuators()["stage"]
    pictures = waiting.pictures()
    assert next(pictures) is None  # the first exposure waits too
    for number in range(3):
        stage.move_by((0.1, 0.0))
        picture = next(pictures)
        assert picture is not None
        assert picture.number == number
        assert next(pictures) is None
    waiting.set_property("signal", 100.0)  # is not a move
    assert next(pictures) is None


def test_feedback_in_lockstep_is_the_same_twice_over() -> None:
    def loop() -> npt.NDArray[np.float64]:
        fed = camera(await_orders=True, actuation_delay_frames=1)
        pictures, stage, places = frames(fed), fed.actuators()["stage"], []
        stage.move_by((0.0, 0.0))
        for _ in range(200):
            (place,) = track(fed, pictures, 1)
            places.append(place)
            stage.move_by(-0.4 * place)
        return np.array(places)

    first = loop()
    assert np.array_equal(first, loop())
    assert np.abs(first).max() < 0.5


def test_contradictory_settings_are_rejected() -> None:
    with pytest.raises(CameraError, match="await_orders needs lockstep"):
        camera(await_orders=True, lockstep=False)
    with pytest.raises(CameraError, match="a trap"):
        camera(trap_stiffness_pn_um=1.0, loop_frames=10)
    with pytest.raises(CameraError, match="'trap_stiffness_pn_um' cannot be -1"):
        camera().set_property("trap_stiffness_pn_um", -1.0)
