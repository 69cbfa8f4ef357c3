"""The template fit: precision, orientation, size, neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from livetrack.localize.refine.template import TemplateRefiner
from livetrack.optics.template import make_template
from livetrack.particles import Flag, Rows, empty_rows

SIDE = 48
NOISE = 10.0


def comma(x: float, y: float, angle: float, scale: float = 1.0, side: int = SIDE) -> np.ndarray:
    """Return an asymmetric particle about 8 px wide, in closed form, its head at (x, y), its extreme near 1."""
    rows, columns = np.mgrid[:side, :side]
    u, v = (columns - x) / scale, (rows - y) / scale
    along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    head = np.exp(-(along**2 + across**2) / (2 * 1.8**2))
    return head + 0.6 * np.exp(-((along - 3) ** 2 + (across - 2) ** 2) / (2 * 1.4**2))


HEIGHT = comma(16, 16, 0.2, side=33).max()
TEMPLATE = make_template(100 + 40 * comma(16, 16, 0.2, side=33), "picture")  # centred on the head


def bound(x: float, y: float, angle: float) -> np.ndarray:
    """Return the Cramér-Rao bounds of x and y at an SNR of 1; angle, size, height, background and slope unknown."""
    rows, columns = np.mgrid[:SIDE, :SIDE] * 1.0
    h = 0.02
    slopes = [
        comma(x + h, y, angle) - comma(x - h, y, angle),
        comma(x, y + h, angle) - comma(x, y - h, angle),
        comma(x, y, angle + h) - comma(x, y, angle - h),
        comma(x, y, angle, 1 + h) - comma(x, y, angle, 1 - h),
        2 * h * comma(x, y, angle),
        *(2 * h * term for term in (np.ones((SIDE, SIDE)), rows - y, columns - x)),
    ]
    flat = np.stack([slope.ravel() / (2 * h * HEIGHT) for slope in slopes])
    return np.sqrt(np.diag(np.linalg.inv(flat @ flat.T))[:2])


def start(x: float, y: float, std: float = 50.0) -> Rows:
    rows = empty_rows(1)
    rows["x"], rows["y"], rows["x_std"], rows["y_std"], rows["flags"] = x, y, std, std, 0
    return rows


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("snr", [8.0, 60.0])
def test_particles_are_placed_at_the_bound_whatever_their_orientation(snr: float, sign: int) -> None:
    rng = np.random.default_rng(1)
    refiner = TemplateRefiner(TEMPLATE, True, (0.8, 1.25))
    relative, stated = [], []
    for _ in range(150):
        x, y = SIDE / 2 + rng.uniform(-0.5, 0.5, 2)
        angle = rng.uniform(0, 2 * np.pi)
        image = sign * snr * comma(x, y, angle) / HEIGHT + rng.standard_normal((SIDE, SIDE))
        rows = start(x + rng.normal(0, 0.3), y + rng.normal(0, 0.3))
        refiner.refine((1000 + 3 * np.arange(SIDE) + NOISE * image).astype(np.float32), NOISE, rows)
        error = np.array([rows["x"][0] - x, rows["y"][0] - y])
        relative.append(error * snr / bound(x, y, angle))
        stated.append(error / (rows["x_std"][0], rows["y_std"][0]))
    assert np.sqrt(np.mean(np.square(relative))) < 1.2
    assert 1.4826 * np.median(np.abs(stated)) == pytest.approx(1, abs=0.2)


def test_size_is_found_within_its_range_and_a_known_orientation_is_kept() -> None:
    x, y = 24.3, 23.6
    resized = (1000 + NOISE * 100 * comma(x, y, 1.3, 1.2)).astype(np.float32)
    rows, held = start(x + 0.3, y), start(x + 0.3, y)
    TemplateRefiner(TEMPLATE, True, (0.8, 1.25)).refine(resized, NOISE, rows)
    TemplateRefiner(TEMPLATE, True, (1.0, 1.0)).refine(resized, NOISE, held)
    assert (rows["x"][0], rows["y"][0]) == pytest.approx((x, y), abs=0.01)
    assert np.hypot(held["x"][0] - x, held["y"][0] - y) > 3 * np.hypot(rows["x"][0] - x, rows["y"][0] - y)
    lying = (1000 + NOISE * 100 * comma(x, y, 0.2)).astype(np.float32)
    rows = start(x + 0.3, y)
    TemplateRefiner(TEMPLATE, False, (1.0, 1.0)).refine(lying, NOISE, rows)
    assert (rows["x"][0], rows["y"][0]) == pytest.approx((x, y), abs=0.01)


def test_neighbours_are_left_out_and_lost_fits_change_nothing() -> None:
    rng = np.random.default_rng(2)
    image = 1000 + NOISE * (
        40 * comma(17.2, 24.4, 0.2) + 40 * comma(29.5, 24.1, 2.0) + rng.standard_normal((SIDE, SIDE))
    )
    rows = empty_rows(4)
    rows["x"], rows["y"], rows["flags"] = (17.0, 29.7, 40.0, 0.4), (24.5, 24.0, 44.0, 0.2), 0
    rows["x_std"] = rows["y_std"] = 0.3
    rows["flags"][2] = Flag.EDGE
    before = rows.copy()
    shared = np.concatenate([rows] * 3)
    TemplateRefiner(TEMPLATE, True, (1.0, 1.0)).refine(image.astype(np.float32), NOISE, rows)
    alone = shared.copy()
    TemplateRefiner(TEMPLATE, True, (1.0, 1.0)).refine(image.astype(np.float32), NOISE, alone)
    TemplateRefiner(TEMPLATE, True, (1.0, 1.0)).refine(image.astype(np.float32), NOISE, shared, threads=2)
    np.testing.assert_array_equal(alone["x"], shared["x"])
    np.testing.assert_allclose(rows["x"][:2], (17.2, 29.5), atol=0.12)
    np.testing.assert_allclose(rows["y"][:2], (24.4, 24.1), atol=0.12)
    assert rows["x"][2] == before["x"][2]
    assert np.isfinite([rows[name] for name in ("x", "y", "x_std", "y_std")]).all()
    TemplateRefiner(TEMPLATE, True, (1.0, 1.0)).refine(image.astype(np.float32), NOISE, empty_rows())
