"""The control library: target, controller, predictor, and the theory of the loop."""

from __future__ import annotations

import time
from math import exp, inf, nan, pi, sin, sqrt
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine, rows_of, update_of

from livetrack.control import Controller, LoopModel, Observation, Predictor, Target, effective_delay
from livetrack.errors import InputError, TargetLostError
from livetrack.linking import Linker
from livetrack.particles import Flag

# theory: the closed formulas, of which `LoopModel` knows nothing


def unit(**fields: Any) -> LoopModel:
    """Return a loop in units of the frame time t and the variance 2 D t."""
    return LoopModel(**{"interval_s": 1.0, "diffusion": 0.5} | fields)


@pytest.mark.parametrize("gain", [0.1, 0.4, 0.8])
def test_free_particle_without_and_with_a_frame_of_delay(gain: float) -> None:
    """Formula A: g (2 D t + gain² error²); the measured variance includes that of the error."""
    factors = {0: 1 / (gain * (2 - gain)), 1: (1 + gain) / (gain * (1 - gain) * (2 + gain))}
    for action in ("step", "push"):
        for delay, factor in factors.items():
            found = unit(delay_frames=delay, error=0.7, action=action).variances(gain)
            expected = factor * (1 + gain**2 * 0.49)
            assert found.position == pytest.approx(expected)
            assert found.measured == pytest.approx(expected + 0.49)


@pytest.mark.parametrize(
    ("delay", "gain", "variance"), [(0, 1.0, 1.0), (1, 0.4656, 2.389), (2, 0.2895, 3.885), (3, 0.2089, 5.401)]
)
def test_the_best_and_the_maximum_gain(delay: int, gain: float, variance: float) -> None:
    loop = unit(delay_frames=delay)
    assert loop.best_gain() == pytest.approx(gain, abs=1e-4)
    assert loop.variances(loop.best_gain()).position == pytest.approx(variance, abs=1e-3)
    edge = 2 * sin(pi / (2 * (2 * delay + 1)))
    assert loop.max_gain() == pytest.approx(edge, abs=1e-9)
    assert loop.is_stable(0.999 * edge)
    assert not loop.is_stable(1.001 * edge)
    assert loop.variances(1.001 * edge) == (inf, inf)


@pytest.mark.parametrize("f", [0.25, 1.0])
@pytest.mark.parametrize("a", [0.2, 0.7, 1.1])
def test_motion_blur_hides_some_of_the_motion(a: float, f: float) -> None:
    """Formula B: the measured variance is below the true one."""
    found = unit(exposure_s=f).variances(a)
    below = (2 - a * f) * (2 - a + a * f)
    assert found.position == pytest.approx((2 + a * f) * (12 + 4 * a * a * f - 3 * a * a * f * f) / (12 * a * below))
    assert found.measured == pytest.approx((6 + a * f) / (3 * a * below))
    if f == 1:
        assert found.measured < found.position


@pytest.mark.parametrize("gain", [0.5, 1.0, 4.0])
def test_feedback_on_the_position_of_a_trap(gain: float) -> None:
    """Formula C, in units of kT / stiffness."""
    corner_hz, interval_s = 100.0, 1e-4
    a = exp(-2 * pi * corner_hz * interval_s)
    b = (1 - a) * gain
    expected = (1 - a**2) / (1 - (a - b) ** 2), (1 - a**2) * (1 + b) / ((1 - b) * ((1 + b) ** 2 - a**2))
    for delay in (0, 1):
        loop = trap(corner_hz, interval_s, delay)
        assert loop.variances(gain).position == pytest.approx(expected[delay])


@pytest.mark.parametrize(
    ("ratio", "stiffer"),
    [(5, (1.09, 1.01)), (10, (1.40, 1.08)), (20, (2.14, 1.34)), (50, (4.50, 2.28)), (100, (8.47, 3.93))],
)
def test_how_much_stiffer_feedback_makes_a_trap(ratio: int, stiffer: tuple[float, float]) -> None:
    for delay in (0, 1):
        loop = trap(1.0, 1 / ratio, delay)
        assert 1 / loop.variances(loop.best_gain()).position == pytest.approx(stiffer[delay], abs=6e-3)


def test_feedback_on_a_fast_trap_is_worse_than_none() -> None:
    assert trap(100, 1e-3, 1).variances(1.0).position == pytest.approx(1.054, abs=5e-4)


def trap(corner_hz: float, interval_s: float, delay: int) -> LoopModel:
    rate = 2 * pi * corner_hz
    return LoopModel(
        interval_s=interval_s, diffusion=rate, delay_frames=delay, corner_hz=corner_hz, action="trap"
    )  # kT / stiffness is 1


def test_a_fractional_delay_lies_between_integer_delays() -> None:
    """Compare with a simulated loop: three quarters of the actions one frame late and a quarter two."""
    loop = unit(delay_frames=1.25, error=0.3)
    gain, rng = 0.4, np.random.default_rng(5)
    x, seen, squares = np.zeros(4000), np.zeros((3, 4000)), []
    for n in range(400):
        x = x - gain * (0.75 * seen[1] + 0.25 * seen[2]) + rng.standard_normal(4000)
        seen = np.stack([x + 0.3 * rng.standard_normal(4000), *seen[:2]])
        if n > 100:
            squares.append(np.mean(x**2))
    assert loop.variances(gain).position == pytest.approx(np.mean(squares), rel=0.02)
    whole = [unit(delay_frames=delay, error=0.3).variances(gain).position for delay in (1, 2)]
    assert whole[0] < loop.variances(gain).position < whole[1]


@pytest.mark.parametrize("late", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("skipped", [0.0, 0.1])
def test_effective_delay_recovers_the_delay(late: float, skipped: float) -> None:
    """One frame, or two for a fraction of the actions; with skipped frames and a localisation error."""
    rng, count, gain, error = np.random.default_rng(4), 20_000, 0.35, 0.2
    x, coming = np.zeros(2), [np.zeros(2)] * 3
    frames, places, orders = [], [], []
    for n in range(count):
        if rng.random() >= skipped:
            seen = x + error * rng.standard_normal(2)
            frames.append(n)
            places.append(seen)
            orders.append(-gain * seen)
            lag = 2 if rng.random() < late else 1
            coming[lag] = coming[lag] + orders[-1]
        x = x + coming[0] + rng.standard_normal(2)
        coming = [*coming[1:], np.zeros(2)]
    delay = effective_delay(np.array(frames), np.array(places), np.array(orders), error)
    assert delay.frames == pytest.approx(1 + late, abs=4 * delay.std)
    assert delay.std < 0.1
    assert sum(delay.fractions) == pytest.approx(1, abs=0.1)
    with pytest.raises(InputError, match="cannot be measured"):
        effective_delay(np.array(frames)[:20], np.array(places)[:20], np.array(orders)[:20])


def test_the_autocovariance_of_a_loop_agrees_with_theory() -> None:
    """Free, without delay: (1 - gain) to the power of the lag."""
    covariance = unit().autocovariance(0.4, 6)
    assert covariance == pytest.approx(covariance[0] * 0.6 ** np.arange(6))
    assert covariance[0] == pytest.approx(unit().variances(0.4).measured)


# the controller


def test_the_output_is_proportional_to_the_error() -> None:
    controller = Controller(gain=0.25)
    assert controller.update((4, -8), 0) == pytest.approx([-1, 2])
    assert not controller.limited


def test_the_integral_removes_the_offset_of_a_drift() -> None:
    offsets = {}
    for integral in (0.0, 5.0):
        controller, x = Controller(gain=0.3, integral_gain_per_s=integral), np.zeros(2)
        for _ in range(2000):
            x = x + controller.update(x, 0.01) + [0.06, 0]
        offsets[integral] = x[0]
    assert offsets[0.0] == pytest.approx(0.06 / 0.3)  # v / gain, after the step of the frame
    assert offsets[5.0] == pytest.approx(0, abs=1e-6)


def test_a_limit_shortens_and_keeps_the_direction() -> None:
    controller = Controller(gain=1, limit=5)
    assert controller.update((30, -40), 0) == pytest.approx([-3, 4])
    assert controller.limited
    assert controller.update((3, -4), 0) == pytest.approx([-3, 4])
    assert not controller.limited


def test_the_rate_of_the_output_is_limited() -> None:
    controller = Controller(gain=1, rate_limit_per_s=10)
    outputs = [controller.update((1, 0), 0.02)[0] for _ in range(7)]
    assert outputs == pytest.approx([-0.2, -0.4, -0.6, -0.8, -1, -1, -1])
    controller.reset()
    assert controller.update((1, 0), 0.02)[0] == pytest.approx(-0.2)


def test_the_integral_does_not_wind_up_while_the_output_is_limited() -> None:
    """After a long time at the limit, the output leaves it as soon as the error changes sign."""
    controller = Controller(gain=1, integral_gain_per_s=10, limit=1)
    for _ in range(1000):
        controller.update((5, 0), 0.01)
    assert controller.update((-0.5, 0), 0.01)[0] > 0


@pytest.mark.parametrize(
    "bad", [{"gain": 0}, {"gain": nan}, {"gain": 1, "integral_gain_per_s": -1}, {"gain": 1, "limit": 0}]
)
def test_invalid_controllers_are_rejected(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must be"):
        Controller(**bad)


# the predictor


def seen_at(x: float, y: float, t_s: float, vx: float = nan, vy: float = nan) -> Observation:
    update = update_of(0, rows_of((1, x, y)))
    return Observation(x=x, y=y, x_std=0.1, y_std=nan, vx=vx, vy=vy, t_s=t_s, dt_s=0.01, frame=0, update=update)


def test_prediction_removes_the_lag_of_a_steady_motion() -> None:
    """A target at 0.45 px per frame, one frame late: the error is much smaller with the linker's velocity."""
    linker, predictor = Linker(search_radius_px=5, motion="velocity"), Predictor(0.01, "velocity")
    rng, raw, predicted = np.random.default_rng(2), [], []
    for n in range(400):
        rows = rows_of((-1, 20 + 0.45 * n + 0.03 * rng.standard_normal(), 15 + 0.03 * rng.standard_normal()))
        rows["x_std"] = rows["y_std"] = 0.03
        linker.update(rows, 0.01 * n)
        row, truth = rows[0], 20 + 0.45 * (n + 1)
        if n > 50:
            ahead = predictor.predict(seen_at(row["x"], row["y"], 0.01 * n, row["vx"], row["vy"]))
            raw.append(row["x"] - truth)
            predicted.append(ahead.x - truth)
    assert sqrt(np.mean(np.square(raw))) == pytest.approx(0.45, abs=0.01)
    assert sqrt(np.mean(np.square(predicted))) < 0.067


def test_brownian_prediction_only_grows_the_uncertainty() -> None:
    ahead = Predictor(0.02, diffusion_px2_s=4).predict(seen_at(3, 5, 1.0, vx=100, vy=100))
    assert (ahead.x, ahead.y) == (3, 5)
    assert ahead.x_std == pytest.approx(sqrt(0.01 + 2 * 4 * 0.02))
    assert np.isnan(ahead.y_std)


def test_a_trapped_particle_relaxes_to_the_centre() -> None:
    predictor = Predictor(0.02, "trap", relaxation_s=0.01, centre_px=(1, 1), diffusion_px2_s=4)
    ahead = predictor.predict(seen_at(3, 1, 1.0))
    assert (ahead.x, ahead.y) == pytest.approx((1 + 2 * exp(-2), 1))
    assert ahead.x_std**2 == pytest.approx(0.01 * exp(-4) + 4 * 0.01 * (1 - exp(-4)))


def test_allowing_for_pending_actions_lowers_the_variance() -> None:
    """One frame of delay, free diffusion: at best 2 instead of 2.389, in units of 2 D t."""
    rng, frame_s = np.random.default_rng(1), 0.01
    predictor, x, underway, squares = Predictor(frame_s), np.zeros(2), np.zeros(2), []
    for n in range(20_000):
        ahead = predictor.predict(seen_at(*x, frame_s * n))
        step = -np.array([ahead.x, ahead.y])
        predictor.add_action(*step)
        x = x + underway + rng.standard_normal(2)
        underway = step
        squares.append(x**2)
    assert np.mean(squares[10:]) == pytest.approx(2.0, rel=0.04)


def test_invalid_predictors_are_rejected() -> None:
    with pytest.raises(InputError, match="delay_s"):
        Predictor(-1)
    with pytest.raises(InputError, match="relaxation_s"):
        Predictor(0.1, "trap")
    with pytest.raises(InputError, match="relaxation_s"):
        Predictor(0.1, relaxation_s=2)


# the particle


def send(engine: FakeEngine, frame: int, rows: Any, age_s: float = 0.0, **fields: Any) -> None:
    received_ns = time.perf_counter_ns() - int(age_s * 1e9)
    engine.positions(frame, rows, t_s=0.01 * frame, t_received_ns=received_ns, **{"target": -1} | fields)


def following(engine: FakeEngine, **options: Any) -> Target:
    """Return a target that is subscribed at the engine."""
    target = Target(engine.address, **options)
    assert engine._positions.poll(5000)
    assert engine._positions.recv().startswith(b"\1")
    return target


def one(target: Target) -> Observation:
    return next(iter(target))


def test_the_nearest_particle_is_followed_by_its_id(engine: FakeEngine) -> None:
    with following(engine) as target:
        frames = iter(target)
        send(engine, 0, rows_of((7, 2, 2), (8, 20, 15)))  # of an image of 40 x 30 px
        assert next(frames).x == 20
        send(engine, 1, rows_of((7, 19, 14), (8, 25, 15)))
        seen = next(frames)
        assert (seen.x, seen.dt_s, target.particle) == (25, pytest.approx(0.01), 8)


def test_the_engines_target_comes_first(engine: FakeEngine) -> None:
    with following(engine) as target:
        send(engine, 0, rows_of((7, 2, 2), (8, 20, 15)), target=7)
        assert one(target).x == 2


def test_the_particle_nearest_to_a_given_position_comes_before_the_engines_target(engine: FakeEngine) -> None:
    with following(engine, near_px=(19, 14)) as target:
        send(engine, 0, rows_of((7, 2, 2), (8, 20, 15)), target=7)
        assert one(target).x == 20


@pytest.mark.parametrize("near", [(float("nan"), 3), (1, float("inf"))])
def test_a_position_that_is_no_number_chooses_no_particle(near: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="no position in an image"):
        Target("tcp://127.0.0.1:1", near_px=near)


def test_only_the_newest_frame_is_read(engine: FakeEngine) -> None:
    with following(engine, particle=8) as target:
        frames = iter(target)
        send(engine, 0, rows_of((8, 20, 15)))
        next(frames)
        for n in range(1, 21):
            send(engine, n, rows_of((8, 20 + n, 15)))
        time.sleep(0.2)
        assert next(frames).frame == 20
        assert target.unread_frames == 19


def test_every_frame_is_read_in_turn_for_a_loop_in_lockstep(engine: FakeEngine) -> None:
    with following(engine, particle=8, newest=False) as target:
        for n in range(20):
            send(engine, n, rows_of((8, 20 + n, 15)))
        frames = iter(target)
        assert [next(frames).frame for _ in range(20)] == list(range(20))
        assert target.unread_frames == 0


def test_a_particle_that_is_missing_is_waited_for_and_then_lost(engine: FakeEngine) -> None:
    stops: list[str] = []
    target = following(engine, particle=8, lost_after_s=0.055, on_stop=lambda: stops.append("stop"))
    frames = iter(target)
    send(engine, 0, rows_of((8, 20, 15)))
    next(frames)
    send(engine, 1, rows_of((8, 20, 15), flags=Flag.COASTED))  # not seen: nothing is done on a guess
    time.sleep(0.05)
    send(engine, 5, rows_of((8, 21, 15)))
    assert next(frames).dt_s == pytest.approx(0.05)
    assert not stops
    send(engine, 11, rows_of((9, 21, 15)))
    with pytest.raises(TargetLostError, match=r"particle 8 was not seen for 0\.055 s, until frame 11"):
        next(frames)
    target.close()
    assert stops == ["stop"]


def test_missing_frames_stop_the_loop(engine: FakeEngine) -> None:
    stops: list[int] = []
    target = following(engine, stale_after_s=0.2, on_stop=lambda: stops.append(1))
    with pytest.raises(TargetLostError, match=r"no frame received for 0\.2 s$"):
        one(target)
    assert stops == [1]


def test_old_frames_stop_the_loop(engine: FakeEngine) -> None:
    stops: list[int] = []
    target = following(engine, stale_after_s=0.2, on_stop=lambda: stops.append(1))
    send(engine, 0, rows_of((8, 20, 15)), age_s=3)
    with pytest.raises(TargetLostError, match=r"frame 0 is 3\.\d\d s old"):
        one(target)
    assert stops == [1]


def test_a_restarted_engine_stops_the_loop(engine: FakeEngine) -> None:
    stops: list[int] = []
    frames = iter(following(engine, on_stop=lambda: stops.append(1)))
    send(engine, 0, rows_of((8, 20, 15)))
    next(frames)
    engine._encoder = type(engine._encoder)(99)
    send(engine, 0, rows_of((8, 20, 15)))
    with pytest.raises(TargetLostError, match="was restarted"):
        next(frames)
    assert stops == [1]


def test_every_end_of_the_loop_calls_on_stop(engine: FakeEngine) -> None:
    stops: list[int] = []

    def program() -> None:
        with following(engine, on_stop=lambda: stops.append(1)) as target:
            send(engine, 0, rows_of((8, 20, 15)))
            for _ in target:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        program()
    assert stops == [1]
