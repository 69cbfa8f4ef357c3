"""Trap stiffness and diffusion, on simulated particles with known parameters."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
import numpy.typing as npt
import pytest

from livetrack.bench.feedback.stiffness import simulate_trajectories
from livetrack.brownian import ou_transition
from livetrack.calibrate import (
    Estimate,
    Medium,
    diffusion_constant,
    stiffness_from_spectrum,
    stiffness_from_variance,
)
from livetrack.errors import InputError

Floats = npt.NDArray[np.float64]

BEAD = Medium()
FRAME_S = 1e-3


def trajectories(
    corner_hz: float, runs: int, frames: int, *, exposure_s: float = FRAME_S, error_um: float = 0.003
) -> Floats:
    return simulate_trajectories(corner_hz, runs, frames, exposure_s=exposure_s, error_um=error_um)


def covers(estimates: list[Estimate], truth: float) -> int:
    return sum(each.interval[0] < truth < each.interval[1] for each in estimates)


# how a particle moves


def test_two_half_transitions_make_a_full_one() -> None:
    """The moments of end and mean follow from those of the halves."""
    rate, diffusion, time_s = 130.0, 0.4, 0.01
    whole, half = ou_transition(rate, diffusion, time_s), ou_transition(rate, diffusion, time_s / 2)
    assert whole.decay == pytest.approx(half.decay**2)
    assert whole.mean_decay == pytest.approx((half.mean_decay + half.decay * half.mean_decay) / 2)
    assert whole.end_time_s == pytest.approx(half.end_time_s * (1 + half.decay))
    assert whole.mean_time_s == pytest.approx((2 * half.mean_time_s + half.mean_decay * half.end_time_s) / 2)
    assert whole.end_var == pytest.approx(half.end_var * (1 + half.decay**2))
    carried = half.mean_decay  # of the first half's end, into the second half's mean
    assert whole.mean_var == pytest.approx(
        (2 * half.mean_var + carried**2 * half.end_var + 2 * carried * half.covariance) / 4
    )
    assert whole.covariance == pytest.approx(
        (half.decay * (half.covariance + carried * half.end_var) + half.covariance) / 2
    )


@pytest.mark.parametrize("rate", [0.0, 1e-6, 0.9, 1.1, 3000.0])
def test_the_limits_of_a_transition_agree_with_theory(rate: float) -> None:
    """Free: 2 D t, 2 D t / 3 and D t; trapped: the stationary variance with motion blur of Wong and Halvorsen."""
    diffusion, time_s = 0.4, 0.01
    one = ou_transition(rate, diffusion, time_s)
    if rate * time_s < 1e-6:
        expected = (2 * diffusion * time_s, 2 * diffusion * time_s / 3, diffusion * time_s)
        assert (one.end_var, one.mean_var, one.covariance) == pytest.approx(expected, rel=1e-6)
        return
    steady, y = diffusion / rate, rate * time_s
    assert one.decay**2 * steady + one.end_var == pytest.approx(steady)
    blurred = 2 / y - 2 / y**2 * (1 - exp(-y))
    assert one.mean_decay**2 * steady + one.mean_var == pytest.approx(steady * blurred, rel=1e-9)


def test_moved_positions_have_the_moments_of_the_transition() -> None:
    rng = np.random.default_rng(3)
    one = ou_transition(np.repeat([[0.0], [90.0]], 20_000, axis=0), 0.4, 0.01)
    start = np.tile([[1.0, -2.0]], (40_000, 1))
    end, mean = one.move(start, np.ones(2), np.array([3.0, 0.0]), rng.standard_normal((2, 40_000, 2)))
    for which in (slice(0, 20_000), slice(20_000, 40_000)):
        ends, means = end[which] - end[which].mean(axis=0), mean[which] - mean[which].mean(axis=0)
        for moment, theory in (
            (ends * ends, one.end_var),
            (means * means, one.mean_var),
            (ends * means, one.covariance),
        ):
            assert moment.mean(axis=0) == pytest.approx(np.broadcast_to(theory, (40_000, 1))[which][0, 0], rel=0.05)
    assert end[:20_000].mean(axis=0) == pytest.approx([1.03, -2.0], abs=4e-3)
    assert end[20_000:].mean(axis=0)[1] == pytest.approx(1 - 3 * exp(-0.9), abs=4e-3)


# stiffness


@pytest.mark.parametrize(
    "corner_hz", [pytest.param(10, marks=pytest.mark.measured), 50, pytest.param(200, marks=pytest.mark.measured)]
)
def test_both_stiffnesses_and_their_uncertainties_are_right(corner_hz: int) -> None:
    """100 runs of 60 s at 1 kHz: the mean within 3 % of the true value, which 90 to 99 of the 95 % intervals cover."""
    truth = BEAD.stiffness(corner_hz)
    runs = trajectories(corner_hz, 100, 60_000)
    by_variance = [stiffness_from_variance(x, FRAME_S, FRAME_S, 0.003, BEAD) for x in runs]
    fits = [stiffness_from_spectrum(x, FRAME_S, FRAME_S, 0.003, BEAD) for x in runs]
    for estimates in (by_variance, [fit.stiffness for fit in fits]):
        assert np.mean([each.value for each in estimates]) == pytest.approx(truth, rel=0.03)
        assert 90 <= covers(estimates, truth) <= 99
    assert np.mean([fit.diffusion.value for fit in fits]) == pytest.approx(BEAD.diffusion_um2_s, rel=0.01)
    assert 90 <= covers([fit.diffusion for fit in fits], BEAD.diffusion_um2_s) <= 99


def test_the_variance_without_corrections_is_biased() -> None:
    """At 200 Hz, a 1 kHz camera measures two thirds of the variance, hence 1.5 times the stiffness."""
    x = trajectories(200, 20, 10_000)
    assert BEAD.thermal_energy / x.var() > 1.4 * BEAD.stiffness(200)


def test_the_spectrum_yields_the_localisation_error() -> None:
    fits = [
        stiffness_from_spectrum(x, FRAME_S, 0.5e-3)
        for x in trajectories(50, 30, 30_000, exposure_s=0.5e-3, error_um=0.02)
    ]
    assert np.mean([fit.stiffness.value for fit in fits]) == pytest.approx(BEAD.stiffness(50), rel=0.03)
    assert np.mean([fit.error_um.value for fit in fits]) == pytest.approx(0.02, rel=0.02)
    assert covers([fit.error_um for fit in fits], 0.02) >= 24
    assert covers([fit.stiffness for fit in fits], BEAD.stiffness(50)) >= 24


def test_the_effect_of_the_viscosity() -> None:
    """The stiffness from the spectrum is proportional to the drag; that from the variance hardly depends on it."""
    (x,) = trajectories(10, 1, 20_000)
    thick = Medium(viscosity_pa_s=2 * BEAD.viscosity_pa_s)
    thin, double = (stiffness_from_spectrum(x, FRAME_S, FRAME_S, 0.003, each).stiffness for each in (BEAD, thick))
    assert double.value == pytest.approx(2 * thin.value)
    thin, double = (stiffness_from_variance(x, FRAME_S, FRAME_S, 0.003, each) for each in (BEAD, thick))
    assert double.value == pytest.approx(thin.value, rel=0.02)


# diffusion


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("error_um", [0.005, 0.05])
def test_the_diffusion_constant_and_its_uncertainty_are_right(known: bool, error_um: float) -> None:
    truth = BEAD.diffusion_um2_s
    runs = trajectories(0, 300, 1000, error_um=error_um)
    fits = [diffusion_constant(x, FRAME_S, FRAME_S, error_um if known else None) for x in runs]
    values = np.array([fit.diffusion.value for fit in fits])
    stds = np.array([fit.diffusion.std for fit in fits])
    assert values.mean() == pytest.approx(truth, abs=4 * values.std() / sqrt(300))
    assert stds.mean() == pytest.approx(values.std(), rel=0.15)
    if error_um > 0.01:
        assert np.nanmean([fit.error_um for fit in fits]) == pytest.approx(error_um, rel=0.05)


def test_gaps_cause_no_bias() -> None:
    x = trajectories(0, 40, 4000)
    x[:, np.random.default_rng(0).random(4000) < 0.2] = np.nan
    values = [diffusion_constant(each, FRAME_S, FRAME_S).diffusion.value for each in x]
    assert np.mean(values) == pytest.approx(BEAD.diffusion_um2_s, rel=0.03)


# the medium, and what is refused


def test_the_default_medium_is_water() -> None:
    assert BEAD.thermal_energy == pytest.approx(4.075e-3, rel=1e-3)  # pN µm
    assert BEAD.diffusion_um2_s == pytest.approx(0.455, rel=2e-3)
    assert BEAD.corner_hz(BEAD.stiffness(77)) == pytest.approx(77)
    assert Medium(particle_radius_um=1.0).diffusion_um2_s == pytest.approx(BEAD.diffusion_um2_s / 2)


def test_invalid_input_raises_one_line() -> None:
    x = np.random.default_rng(0).normal(0, 0.01, 1000)
    with pytest.raises(InputError, match="are too few"):
        stiffness_from_variance(x[:10], FRAME_S, FRAME_S)
    with pytest.raises(InputError, match="one axis at a time"):
        stiffness_from_variance(np.tile(x, (2, 1)), FRAME_S, FRAME_S)
    with pytest.raises(InputError, match=r"exposure_s = 0\.002"):
        stiffness_from_spectrum(x, FRAME_S, 2e-3)
    with pytest.raises(InputError, match="no more than their localisation error"):
        stiffness_from_variance(x, FRAME_S, FRAME_S, error_um=0.02)
    with pytest.raises(InputError, match="are missing"):
        stiffness_from_spectrum(np.where(x > 0.02, np.nan, x), FRAME_S, FRAME_S)
    with pytest.raises(InputError, match="not the spectrum of a trap"):
        stiffness_from_spectrum(np.cumsum(x), FRAME_S, 0.0, 0.0)
    with pytest.raises(InputError, match="interval_s"):
        diffusion_constant(x, 0.0, 0.0)
    with pytest.raises(InputError, match="gaps"):
        diffusion_constant(np.where(np.arange(1000) % 2, np.nan, x), FRAME_S, FRAME_S)
