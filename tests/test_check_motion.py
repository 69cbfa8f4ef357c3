"""Motion, drift and shape of particles, as measured by a check, on blobs and images of known motion and shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livetrack.check.blobs import Blobs
from livetrack.check.measure import measure_particles
from livetrack.check.motion import measure_motion, spacing

Array = npt.NDArray[np.float64]


def walk(count: int, step: float, drift: tuple[float, float], seed: int, frames: int = 12) -> list[Blobs]:
    """Return Brownian particles in 512x512 px of which one in twenty is missed in each frame."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 512, (count, 2))
    found = []
    for _ in range(frames):
        x, y = places[rng.random(count) > 0.05].T
        found.append(Blobs(x, y, np.full(x.size, 1.5), np.full(x.size, 9.0)))
        places = (places + step * rng.standard_normal(places.shape) + drift) % 512
    return found


@pytest.mark.parametrize(
    ("count", "step", "drift"),
    [(40, 0.4, (0.3, -0.3)), (40, 0.4, (30.0, -10.0)), (300, 1.0, (9.0, 3.0)), (8, 0.4, (3.0, 0.0))],
)
def test_a_drift_is_measured_and_left_out_of_the_step(count: int, step: float, drift: tuple[float, float]) -> None:
    series = [walk(count, step, drift, seed) for seed in range(3)]
    motion = measure_motion(series, spacing([blobs for found in series for blobs in found]))
    assert motion.drift_px == pytest.approx(drift, abs=0.15)
    assert motion.step_px == pytest.approx(step, rel=0.2)


@pytest.mark.parametrize(("count", "step"), [(40, 0.4), (300, 2.0), (300, 4.0), (5, 1.0), (2, 1.0)])
def test_particles_that_move_each_on_its_own_do_not_drift(count: int, step: float) -> None:
    for seed in range(10):
        series = [walk(count, step, (0.0, 0.0), 100 * seed + n) for n in range(3)]
        assert measure_motion(series, spacing([blobs for found in series for blobs in found])).drift_px is None


def test_a_stage_that_changes_direction_is_no_drift() -> None:
    series = [walk(40, 0.4, drift, seed) for seed, drift in enumerate([(2.0, 0.0), (-1.0, 0.0), (2.0, 0.0)])]
    assert measure_motion(series, spacing([blobs for found in series for blobs in found])).drift_px is None


def rods(length: float, width: float, angles: Any, count: int = 25, noise: float = 5.0) -> list[Array]:
    """Return two frames of bright ellipses with soft edges."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:260, :260]
    image = np.zeros((260, 260))
    for n in range(count):
        cx, cy = 40 + 45 * (n % 5) + rng.uniform(-3, 3), 40 + 45 * (n // 5) + rng.uniform(-3, 3)
        angle = angles(rng)
        along = (x - cx) * math.cos(angle) + (y - cy) * math.sin(angle)
        across = (y - cy) * math.cos(angle) - (x - cx) * math.sin(angle)
        image += 100 / (1 + np.exp(4 * (np.hypot(along / length * 2, across / width * 2) - 1)))
    return [np.clip(np.rint(100 + image + noise * rng.standard_normal(image.shape)), 0, 255) for _ in range(2)]


def test_elongation_and_directions_are_measured() -> None:
    measured = measure_particles(rods(24, 8, lambda rng: rng.uniform(0, math.pi)))
    assert measured is not None
    found = measured.particles
    assert found.is_elongated
    assert found.elongation == pytest.approx(3, rel=0.25)
    assert found.angle_spread_deg is not None
    assert found.angle_spread_deg > 30
    assert found.count == pytest.approx(25, abs=3)  # not two or three for each
    aligned = measure_particles(rods(24, 8, lambda rng: rng.normal(0.5, 0.05)))
    assert aligned is not None
    assert aligned.particles.angle_spread_deg == pytest.approx(3, abs=3)


@pytest.mark.parametrize("noise", [2.0, 15.0])
def test_round_particles_are_not_elongated(noise: float) -> None:
    measured = measure_particles(rods(8, 8, lambda rng: 0.0, noise=noise))
    assert measured is not None
    assert not measured.particles.is_elongated


def test_a_ring_out_of_view_is_not_measured() -> None:
    y, x = np.mgrid[:120, :120]
    bead = 80.0 / (1 + np.exp(np.hypot(x - 60, y - 60) - 32))
    rng = np.random.default_rng(1)
    measured = measure_particles([100 + bead + rng.standard_normal(bead.shape) for _ in range(3)])
    assert measured is not None
    assert measured.particles.diameter_px == pytest.approx(64, rel=0.1)
    assert measured.particles.count == 1
    assert measured.particles.ring is None
    assert not measured.particles.has_ring
    assert measured.particles.snr > 0


def test_thousands_of_particles_in_a_large_image_are_extrapolated_from_its_busiest_part() -> None:
    rng = np.random.default_rng(4)
    image = 100 + 3 * rng.standard_normal((1500, 1500))
    y, x = np.mgrid[-5:6, -5:6]
    for _ in range(400):
        row, column = rng.integers(700, 1490, 2)  # none in the other three quarters
        image[row - 5 : row + 6, column - 5 : column + 6] += 60 * np.exp(-(x**2 + y**2) / 4.5)
    measured = measure_particles([image.astype(np.float32)] * 2)
    assert measured is not None
    assert measured.part.x + measured.part.width == 1500
    assert measured.particles.diameter_px == pytest.approx(2.83 * 1.5, rel=0.1)
    assert 250 < measured.particles.count < 700


def test_vignetting_is_no_particle() -> None:
    y, x = np.mgrid[:256, :256]
    rng = np.random.default_rng(6)
    image = 1000 * (1 - 0.5 * np.hypot(x - 128, y - 128) ** 2 / 128**2 / 2)
    for _ in range(20):
        row, column = rng.uniform(20, 236, 2)
        image += 100 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / 4.5)
    measured = measure_particles([image + 10 * rng.standard_normal(image.shape) for _ in range(3)])
    assert measured is not None
    assert measured.particles.contrast == "bright"
    assert measured.particles.diameter_px == pytest.approx(2.83 * 1.5, rel=0.15)
