"""The point-symmetry fit: precision, uncertainty, neighbours, edges."""

from __future__ import annotations

import numpy as np
import pytest

from livetrack.localize.refine.point_symmetry import PointSymmetryRefiner
from livetrack.optics.rod import add_rods
from livetrack.particles import Flag, Rows, empty_rows

SIDE = 64
NOISE = 10.0
REFINER = PointSymmetryRefiner(21.0)
UNSURE = 50.0  # px: a network that leaves all to the fit


def rod(x: float, y: float, width: float, elongation: float, angle: float) -> np.ndarray:
    image, one = np.zeros((SIDE, SIDE), np.float32), np.ones(1)
    add_rods(image, x * one, y * one, width * one, elongation * one, angle * one, 1.1 * one, one)
    return image.astype(np.float64)


def bound(x: float, y: float, width: float, elongation: float, angle: float) -> np.ndarray:
    """Return the Cramér-Rao bounds of x and y at an SNR of 1; height, background and angle unknown."""
    h, shape = 0.05, (width, elongation)
    slopes = [
        rod(x + h, y, *shape, angle) - rod(x - h, y, *shape, angle),
        rod(x, y + h, *shape, angle) - rod(x, y - h, *shape, angle),
        rod(x, y, *shape, angle + h) - rod(x, y, *shape, angle - h),
    ]
    flat = np.stack(
        [*(slope.ravel() / (2 * h) for slope in slopes), rod(x, y, *shape, angle).ravel(), np.ones(SIDE**2)]
    )
    return np.sqrt(np.diag(np.linalg.inv(flat @ flat.T))[:2])


def start(x: float, y: float, std: float) -> Rows:
    rows = empty_rows(1)
    rows["x"], rows["y"], rows["x_std"], rows["y_std"] = x, y, std, std
    return rows


@pytest.mark.parametrize(("width", "elongation"), [(4.0, 3.0), (3.5, 1.5), (5.0, 5.0)])
@pytest.mark.parametrize("snr", [5.0, 20.0, 100.0])
def test_rods_are_placed_near_the_bound(width: float, elongation: float, snr: float) -> None:
    rng = np.random.default_rng(1)
    slope = 3 * np.arange(SIDE)
    relative, stated = [], []
    for _ in range(120):
        x, y = SIDE / 2 + rng.uniform(-0.5, 0.5, 2)
        angle = rng.uniform(0, np.pi)
        image = 1000 + slope + NOISE * (snr * rod(x, y, width, elongation, angle) + rng.standard_normal((SIDE, SIDE)))
        rows = start(x + rng.normal(0, 0.2), y + rng.normal(0, 0.2), UNSURE)
        REFINER.refine(image.astype(np.float32), NOISE, rows)
        error = np.array([rows["x"][0] - x, rows["y"][0] - y])
        relative.append(error * snr / bound(x, y, width, elongation, angle))
        stated.append(error / (rows["x_std"][0], rows["y_std"][0]))
    assert np.sqrt(np.mean(np.square(relative))) < 1.35
    assert np.abs(np.mean(relative, axis=0)).max() < 0.3
    assert 1.4826 * np.median(np.abs(stated)) == pytest.approx(1, abs=0.2)


def test_uncertainty_is_right_where_particles_have_more_noise_than_the_background() -> None:
    """Fluorescent bacteria: shot noise, ten times as many photoelectrons on the rod as next to it."""
    rng = np.random.default_rng(6)
    stated = []
    for _ in range(150):
        x, y = SIDE / 2 + rng.uniform(-0.5, 0.5, 2)
        rows = start(x + rng.normal(0, 0.2), y + rng.normal(0, 0.2), UNSURE)
        image = rng.poisson(20 + 180 * rod(x, y, 4, 2.5, rng.uniform(0, np.pi))).astype(np.float32)
        REFINER.refine(image, np.sqrt(20), rows)
        stated += [(rows["x"][0] - x) / rows["x_std"][0], (rows["y"][0] - y) / rows["y_std"][0]]
    assert 1.4826 * np.median(np.abs(stated)) == pytest.approx(1, abs=0.2)


def test_positions_are_not_locked_to_pixels() -> None:
    """At low SNR noise in the particle's own gradient would do that: errors would depend on the sub-pixel position."""
    rng = np.random.default_rng(2)
    places, errors = rng.uniform(-0.25, 0.25, 400), []
    for place in places:
        image = 1000 + NOISE * (6 * rod(32 + place, 32, 4, 2, 0.0) + rng.standard_normal((SIDE, SIDE)))
        rows = start(32 + place, 32, UNSURE)
        REFINER.refine(image.astype(np.float32), NOISE, rows)
        errors.append(rows["x"][0] - 32 - place)
    slope = np.polyfit(places, errors, 1)[0]
    uncertainty = np.std(errors) / np.std(places) / np.sqrt(len(errors))
    assert abs(slope) < max(0.1, 3 * uncertainty)
    assert uncertainty < 0.1


def test_a_neighbour_is_left_out() -> None:
    rng = np.random.default_rng(3)
    image = 1000 + NOISE * (30 * rod(24.3, 30.2, 4, 2, 1.2) + 90 * rod(37.8, 33.1, 5, 2, 0.9))
    rows = empty_rows(2)
    rows["x"], rows["y"], rows["x_std"], rows["y_std"] = (24.4, 37.7), (30.1, 33.0), UNSURE, UNSURE
    REFINER.refine((image + NOISE * rng.standard_normal(image.shape)).astype(np.float32), NOISE, rows)
    np.testing.assert_allclose(rows["x"], (24.3, 37.8), atol=0.1)
    np.testing.assert_allclose(rows["y"], (30.2, 33.1), atol=0.1)


def test_the_networks_rows_stay_at_the_edge_and_where_the_fit_fails() -> None:
    image = 1000 + NOISE * (50 * rod(32, 32, 4, 3, 0.4)) + np.zeros((SIDE, SIDE))
    at_edge, astray, sure = start(32.4, 32, 0.5), start(34, 32, 0.1), start(32.05, 32, 0.001)
    at_edge["flags"] = Flag.EDGE
    for rows in (at_edge, astray, sure):
        before = rows.copy()
        REFINER.refine(image.astype(np.float32), NOISE, rows)
        if rows is not sure:
            assert all(rows[name] == before[name] for name in ("x", "y", "x_std", "y_std"))
    assert sure["x"][0] == pytest.approx(32.05, abs=0.02)
    REFINER.refine(image.astype(np.float32), NOISE, empty_rows())


def test_rows_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(5)
    places = [(x, y) for x in (10, 32, 54) for y in (10, 32, 54)]
    image = 1000 + NOISE * (rng.standard_normal((SIDE, SIDE)) + sum(20 * rod(*place, 4, 2, 1.2) for place in places))
    one = empty_rows(len(places))
    one["x"], one["y"], one["x_std"], one["y_std"] = *np.transpose(places), 0.3, 0.3
    one["flags"] = 0
    several = one.copy()
    REFINER.refine(image.astype(np.float32), NOISE, one)
    REFINER.refine(image.astype(np.float32), NOISE, several, threads=2)
    assert np.all(one["x_std"] < 0.1)
    for name in ("x", "y", "x_std", "y_std", "xy_cov"):
        np.testing.assert_array_equal(one[name], several[name])


def test_an_empty_frame_and_a_corner_do_no_harm() -> None:
    rng = np.random.default_rng(4)
    for image in (np.full((20, 20), 7, np.float32), rng.normal(100, 10, (20, 20)).astype(np.float32)):
        rows = empty_rows(3)
        rows["x"], rows["y"], rows["x_std"], rows["y_std"] = (0.2, 19, 10), (0.1, 19, 10), 0.3, 0.3
        REFINER.refine(image, NOISE, rows)
        assert np.isfinite([rows[name] for name in ("x", "y", "x_std", "y_std")]).all()
        assert np.hypot(rows["x"] - (0.2, 19, 10), rows["y"] - (0.1, 19, 10)).max() < 3
