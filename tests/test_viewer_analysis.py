"""The quantities of the selected particle against known values."""

from __future__ import annotations

import re

import numpy as np
import pytest
from fake_engine import rows_of, update_of

from livetrack.calibrate import Medium
from livetrack.particles import Flag
from livetrack.viewer.analysis import (
    PLOTS,
    PhaseCounts,
    Trace,
    binned_spectrum,
    mean_squared_displacement,
    on_even_times,
    physics_text,
    power_spectrum,
)
from livetrack.viewer.analysis.trace import POINTS

RNG = np.random.default_rng(11)


def points_of(x, y, frames=None, fps=100.0, std=0.0):
    points = np.zeros(len(x), POINTS)
    points["frame"] = np.arange(len(x)) if frames is None else frames
    points["t_s"] = points["frame"] / fps
    points["x"], points["y"], points["x_std"], points["y_std"] = x, y, std, std
    return points


def test_the_spectrum_of_white_noise_is_flat_with_the_level_of_its_variance():
    frequency, density = power_spectrum(RNG.normal(0, 0.3, 40_000), 0.01)
    assert density.mean() == pytest.approx(2 * 0.3**2 * 0.01, rel=0.03)
    assert frequency[-1] == pytest.approx(50.0)
    low, high = np.array_split(density, 2)
    assert low.mean() == pytest.approx(high.mean(), rel=0.1)


def test_the_spectrums_integral_is_the_variance():
    position = np.cumsum(RNG.normal(0, 0.1, 4096)) * 0.05 + RNG.normal(0, 1, 4096)
    frequency, density = power_spectrum(position - np.poly1d(np.polyfit(range(4096), position, 1))(range(4096)), 0.002)
    assert density.sum() * frequency[0] == pytest.approx(position.var(), rel=0.1)


@pytest.mark.parametrize("count", [1000, 1001, 2047])
def test_a_sine_appears_at_its_frequency_with_its_power(count):
    t_s = np.arange(count) * 0.005
    frequency, density = power_spectrum(0.7 * np.sin(2 * np.pi * 20 * t_s), 0.005)
    assert frequency[density.argmax()] == pytest.approx(20, abs=frequency[0])
    assert density.sum() * frequency[0] == pytest.approx(0.7**2 / 2, rel=0.02)


def test_a_trapped_beads_spectrum_is_a_lorentzian_with_its_corner():
    """The discrete process is exact, and so is its aliased spectrum."""
    corner_hz, step_s, spread = 8.0, 0.002, 0.2
    keep = np.exp(-2 * np.pi * corner_hz * step_s)
    kicks = RNG.normal(0, spread * np.sqrt(1 - keep**2), 60_000)
    position = np.empty(60_000)
    position[0] = kicks[0]
    for n in range(1, len(position)):
        position[n] = keep * position[n - 1] + kicks[n]
    frequency, density = binned_spectrum(*power_spectrum(position, step_s))
    theory = 2 * spread**2 * step_s * (1 - keep**2) / (1 + keep**2 - 2 * keep * np.cos(2 * np.pi * frequency * step_s))
    many = frequency > 2.0  # enough periods in each bin
    assert np.abs(np.log(density / theory))[many].max() < 0.25
    assert abs(np.log(density / theory)[many].mean()) < 0.05


def test_too_few_positions_give_no_spectrum():
    for count in (0, 1, 31):
        frequency, density = power_spectrum(np.zeros(count), 0.01)
        assert len(frequency) == len(density) == 0
        assert len(binned_spectrum(frequency, density)[0]) == 0
    assert len(power_spectrum(np.zeros(100), 0.0)[0]) == 0


def test_bins_are_equal_on_a_logarithmic_axis_and_keep_means():
    frequency = np.arange(1, 10_001) * 0.1
    binned, density = binned_spectrum(frequency, 3.0 / frequency)
    assert 40 < len(binned) < 60
    assert density == pytest.approx(3.0 / binned, rel=0.1)
    assert (np.diff(binned) > 0).all()


def test_the_displacement_of_diffusion_is_4_d_t_plus_the_uncertaintys_contribution():
    diffusion, fps, std = 5.0, 100.0, 0.4  # px²/s
    steps = RNG.normal(0, np.sqrt(2 * diffusion / fps), (2, 50_000))
    x, y = steps.cumsum(axis=1) + RNG.normal(0, std, steps.shape)
    lags, squares, floor = mean_squared_displacement(points_of(x, y, fps=fps, std=std))
    assert floor == pytest.approx(4 * std**2)
    short = lags < 0.3
    assert squares[short] == pytest.approx(4 * diffusion * lags[short] + floor, rel=0.08)
    assert lags[0] == pytest.approx(0.01)
    assert lags[-1] == pytest.approx(0.25 * 500, rel=0.01)


def test_missed_frames_do_not_bias_the_displacement():
    x = np.arange(2000) * 0.5
    kept = np.sort(RNG.choice(2000, 700, replace=False))
    lags, squares, _ = mean_squared_displacement(points_of(x[kept], 0 * kept, kept))
    assert squares == pytest.approx((50.0 * lags) ** 2, rel=1e-9)


def test_too_few_positions_give_no_displacement():
    still = np.zeros(20)
    assert len(mean_squared_displacement(points_of(still[:7], still[:7]))[0]) == 0
    apart = points_of(still, still, frames=np.arange(20) * 10_000)
    assert len(mean_squared_displacement(apart)[0]) == 0
    timeless = points_of(still, still)
    timeless["t_s"] = 0
    assert len(mean_squared_displacement(timeless)[0]) == 0


def test_a_trace_keeps_the_newest_measured_positions_of_its_track():
    trace = Trace(3, length=10)
    assert len(trace.points) == 0
    for frame in range(35):
        trace.add(update_of(frame, rows_of((1, 0, 0), (3, frame, -frame))))
    trace.add(update_of(35, rows_of((3, 99, 99), flags=Flag.COASTED)))
    trace.add(update_of(36, rows_of((3, np.nan, 5))))
    trace.add(update_of(37, rows_of((1, 5, 5))))
    assert trace.points["x"].tolist() == list(range(25, 35))
    assert trace.points["y"].tolist() == [-frame for frame in range(25, 35)]
    assert trace.points["frame"].tolist() == list(range(25, 35))


def test_even_times_interpolate_gaps_and_tolerate_a_stopped_clock():
    points = points_of(np.arange(10.0), np.zeros(10))[[0, 1, 2, 5, 6, 7, 8, 9]]
    x, y, step_s = on_even_times(points)
    assert step_s == pytest.approx(0.01)
    assert x == pytest.approx(np.arange(10))
    assert not y.any()
    points["t_s"] = 1.0
    assert on_even_times(points)[2] == 0.0
    assert len(on_even_times(points[:0])[0]) == 0


def test_uniform_phases_are_flat_and_locked_ones_are_not():
    counts = PhaseCounts()
    even = RNG.uniform(0, 100, (2, 20_000))
    counts.add(rows_of(*((n, *even[:, n]) for n in range(even.shape[1]))))
    assert counts.counts.sum(axis=1).tolist() == [20_000, 20_000]
    assert max(counts.locking()) < 0.03
    assert counts.counts.std(axis=1).max() < 5 * np.sqrt(1000)
    counts.clear()
    assert counts.locking() == (0.0, 0.0)
    locked = np.round(even[0]) + RNG.normal(0, 0.1, 20_000)
    counts.add(rows_of(*((n, locked[n], even[1, n]) for n in range(20_000))))
    x, y = counts.locking()
    assert x == pytest.approx(np.exp(-2 * (np.pi * 0.1) ** 2), rel=0.03)
    assert y < 0.03
    assert counts.counts[0].argmax() in (9, 10)  # at the pixel centre


def test_phases_drop_the_oldest_and_those_not_measured():
    counts = PhaseCounts()
    for frame in range(60):
        counts.add(rows_of(*((n, frame % 2 * 0.3, 0.1) for n in range(1000))))
    assert counts.positions == 50_000
    assert counts.counts.sum() == 100_000
    counts.add(rows_of((1, np.nan, 0), (2, np.inf, 1)))
    counts.add(rows_of((1, 0, 0), flags=Flag.COASTED))
    assert counts.positions == 50_000


def test_the_diffusion_constant_of_a_free_particle_is_shown():
    diffusion, fps, size_um = 0.2, 100.0, 0.1
    steps = RNG.normal(0, np.sqrt(2 * diffusion / fps) / size_um, (2, 4000))
    x, y = steps.cumsum(axis=1) + RNG.normal(0, 0.1, steps.shape)
    text = physics_text(points_of(x, y, fps=fps), size_um, 0.0, Medium())
    value, std = (float(number) for number in re.match(r"D (\S+) ± (\S+) µm²/s", text).groups())
    assert abs(value - diffusion) < 3 * std
    assert std < 0.1 * diffusion
    kept = np.sort(RNG.choice(4000, 3000, replace=False))  # missed frames change nothing
    text = physics_text(points_of(x[kept], y[kept], kept, fps), size_um, 0.0, Medium())
    assert float(text.split()[1]) == pytest.approx(diffusion, rel=0.1)


def test_the_stiffness_of_a_trapped_particle_is_shown():
    medium, fps, corner_hz, size_um = Medium(), 500.0, 20.0, 0.1
    spread = np.sqrt(medium.thermal_energy / medium.stiffness(corner_hz)) / size_um
    keep = np.exp(-2 * np.pi * corner_hz / fps)
    x = np.empty((2, 8000))
    x[:, 0] = 0
    kicks = RNG.normal(0, spread * np.sqrt(1 - keep**2), x.shape)
    for n in range(1, x.shape[1]):
        x[:, n] = keep * x[:, n - 1] + kicks[:, n]
    text = physics_text(points_of(*x, fps=fps), size_um, 0.0, medium)
    along_x, along_y = (
        float(number) for number in re.match(r"trap stiffness (\S+) ± \S+, (\S+) ± \S+ pN/µm", text).groups()
    )
    assert (along_x, along_y) == pytest.approx([medium.stiffness(corner_hz)] * 2, rel=0.15)


def test_no_physics_without_a_pixel_size_or_enough_positions():
    points = points_of(RNG.normal(0, 1, 500).cumsum(), RNG.normal(0, 1, 500).cumsum())
    assert physics_text(points, None, 0.0, Medium()) == ""
    assert physics_text(points[:100], 0.1, 0.0, Medium()) == ""
    points["t_s"] = 0
    assert physics_text(points, 0.1, 0.0, Medium()) == ""


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
@pytest.mark.parametrize("count", [1, 500])
def test_every_plot_computes_a_curve_for_each_of_its_styles(plot, count):
    curves = plot.compute(points_of(*RNG.normal(20, 1, (2, count)), std=0.02), 0.1)
    assert len(curves) == len(plot.styles)
    assert all(len(x) == len(y) + plot.histogram for x, y in curves)
