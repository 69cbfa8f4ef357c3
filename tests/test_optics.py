"""Image formation against SciPy, brute-force integration and the statistics of a camera."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.ndimage import gaussian_filter
from scipy.special import jv

from livetrack.optics.background import add_texture, add_tilt, vignette
from livetrack.optics.bead import add_beads
from livetrack.optics.compression import compress
from livetrack.optics.rod import add_rods
from livetrack.optics.sensor import Sensor
from livetrack.optics.spot import add_spots, unit_spot_peak
from livetrack.optics.template import add_templates, make_template


def blank(height: int = 32, width: int = 40) -> np.ndarray:
    return np.zeros((height, width), np.float32)


def test_a_spot_is_the_gaussian_integrated_over_each_pixel() -> None:
    image, x, y, sigma = blank(), 14.3, 11.8, 1.1
    add_spots(image, np.array([x]), np.array([y]), np.array([sigma]), np.array([1000.0]))
    for i, j in ((12, 14), (10, 16), (11, 13)):

        def density(v: float, u: float) -> float:
            return 1000 / (2 * np.pi * sigma**2) * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma**2))

        expected, _ = dblquad(density, j - 0.5, j + 0.5, i - 0.5, i + 0.5)
        assert image[i, j] == pytest.approx(expected, rel=1e-4)
    assert image.sum() == pytest.approx(1000, rel=1e-5)


def test_spots_are_clipped_at_the_edge_and_add_up() -> None:
    image = blank()
    two = np.array([0.0, 60.0]), np.array([5.0, 5.0]), np.array([1.5, 1.5]), np.array([100.0, 100.0])
    add_spots(image, *two)
    add_spots(image, *two)
    right_of_the_edge = 2 * 100 * (0.5 + 0.5 * 0.2611)  # the half plane, and half of the pixel of the centre
    assert image.sum() == pytest.approx(right_of_the_edge, rel=1e-3)


def test_the_unit_spot_peak_is_the_pixel_under_a_centred_spot() -> None:
    image, sigma = blank(), np.array([0.9])
    add_spots(image, np.array([20.0]), np.array([10.0]), sigma, np.array([1.0]))
    assert image.max() == image[10, 20] == pytest.approx(unit_spot_peak(sigma)[0], rel=1e-6)


@pytest.mark.parametrize("weights", [[1.0], [0.0, 1.0], [1.0, -0.6, 0.3]])
def test_a_bead_is_deeptracks_profile_averaged_over_each_pixel(weights: list[float]) -> None:
    image, x, y, radius = blank(64, 64), 30.4, 33.7, 2.5
    add_beads(image, np.array([x]), np.array([y]), np.array([radius]), np.array([weights]), np.array([-3.0]))

    def profile(r: np.ndarray) -> np.ndarray:
        rho = np.maximum(r / radius, 1e-9)
        return sum(w * 4 * n**2.5 * (jv(n, rho) / rho) ** 2 for n, w in enumerate(weights, start=1))

    curve = profile(np.linspace(0, 60, 20001))
    extreme = curve[np.abs(curve).argmax()]
    fine = (np.arange(10) + 0.5) / 10 - 0.5
    rows, columns = np.mgrid[:64, :64]
    mean = np.zeros((64, 64))
    for v in fine:
        for u in fine:
            mean += profile(np.hypot(columns + u - x, rows + v - y)) / 100
    np.testing.assert_allclose(image, -3 * mean / extreme, atol=3 * 2e-3)


def test_an_elongated_bead_is_the_round_one_stretched_along_its_angle() -> None:
    one, radius, weights = np.ones(1), np.array([3.0]), np.array([[1.0, -0.4]])
    long, round_ = blank(81, 81), blank(81, 81)
    angle = np.array([np.pi / 2])  # along y
    add_beads(long, 40 * one, 40 * one, radius, weights, one, 1.44 * one, angle)
    add_beads(round_, 40 * one, 40 * one, radius, weights, one)
    assert long[40 + 12, 40] == pytest.approx(round_[40 + 10, 40], abs=0.01)
    assert long[40, 40 + 5] == pytest.approx(round_[40, 40 + 6], abs=0.01)
    np.testing.assert_allclose(long, long[::-1, ::-1], atol=1e-6)


def test_a_bead_without_weights_is_rejected() -> None:
    one = np.ones(1)
    with pytest.raises(ValueError, match="weights"):
        add_beads(blank(), one, one, one, np.zeros((1, 3)), one)


@pytest.mark.parametrize(("width", "elongation", "angle"), [(3.0, 2.0, 0.4), (6.0, 1.0, 0.0), (2.0, 5.0, 2.2)])
def test_a_rod_is_the_blurred_thickness_of_a_spherocylinder(width: float, elongation: float, angle: float) -> None:
    image, x, y, blur, one = blank(), 19.37, 15.64, 0.9, np.ones(1)
    add_rods(image, x * one, y * one, width * one, elongation * one, angle * one, blur * one, -2 * one)
    fine, margin = 9, 4
    rows, columns = np.mgrid[: (32 + 2 * margin) * fine, : (40 + 2 * margin) * fine]
    dx, dy = (columns + 0.5) / fine - 0.5 - margin - x, (rows + 0.5) / fine - 0.5 - margin - y
    half = width / 2 * (elongation - 1)
    nearest = np.clip(dx * np.cos(angle) + dy * np.sin(angle), -half, half)
    distance = np.hypot(dx - nearest * np.cos(angle), dy - nearest * np.sin(angle))
    blurred = gaussian_filter(2 * np.sqrt(np.maximum(width**2 / 4 - distance**2, 0)), blur * fine, truncate=6)
    centre = blurred.flat[np.hypot(dx, dy).argmin()]
    expected = blurred.reshape(32 + 2 * margin, fine, 40 + 2 * margin, fine).mean(axis=(1, 3)) / centre
    np.testing.assert_allclose(image, -2 * expected[margin:-margin, margin:-margin], atol=0.012)


def comma(x: float, y: float, angle: float, scale: float = 1.0) -> np.ndarray:
    """Return an asymmetric particle about 8 px wide, in closed form, its head at (x, y)."""
    rows, columns = np.mgrid[:33, :33]
    u, v = (columns - x) / scale, (rows - y) / scale
    along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    head = np.exp(-(along**2 + across**2) / (2 * 1.8**2))
    return head + 0.6 * np.exp(-((along - 3) ** 2 + (across - 2) ** 2) / (2 * 1.4**2))


def test_a_template_is_drawn_moved_rotated_and_resized() -> None:
    template = make_template(100 - 40 * comma(15.3, 16.6, 0.3), "picture")
    assert template.sign == -1
    x, y, angle, one = 14.2, 17.7, 1.1, np.ones(1)
    for scale in (1.0, 1.3):
        image = blank(33, 33)
        add_templates(image, x * one, y * one, template, scale * one, angle * one, one)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        head_x, head_y = (x, y) + scale * turn @ (15.3 - 16, 16.6 - 16)  # the centre of the image is at (16, 16)
        expected = comma(head_x, head_y, 0.3 + angle, scale)
        np.testing.assert_allclose(image, expected / comma(16, 16, 0).max(), atol=0.02)


def test_noise_and_a_sloping_background_do_not_move_the_centre_of_a_template() -> None:
    rng, slope = np.random.default_rng(1), np.arange(33) * 0.5
    for place in (15.0, 15.4):
        clean = make_template(comma(place, 16, 0.3))
        noisy = make_template(30 * comma(place, 16, 0.3) + slope + rng.standard_normal((33, 33)))
        assert abs(noisy.x - clean.x) / 4 < 0.06
        assert abs(noisy.y - clean.y) / 4 < 0.06
        # less noise than the image had
        error = (noisy.fine - clean.fine)[16:-16, 16:-16]
        assert np.sqrt((error**2).mean()) < 0.7 / 30
    symmetric = make_template(comma(15.2, 17.4, 0) + comma(15.2, 17.4, np.pi))
    assert (symmetric.x / 4, symmetric.y / 4) == pytest.approx((15.2, 17.4), abs=0.01)


@pytest.mark.parametrize("image", [np.zeros((20, 20)), np.random.default_rng(0).normal(size=(20, 20))])
def test_a_template_without_a_particle_is_rejected(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no particle stands out"):
        make_template(image)


def test_the_sensor_follows_its_noise_model() -> None:
    sensor = Sensor(gain=2.0, offset=100, read_noise=3.0)
    grey = sensor.expose(np.full((400, 400), 50, np.float32), np.random.default_rng(1))
    assert grey.dtype == np.uint16
    assert grey.mean() == pytest.approx(100 + 2 * 50, abs=0.2)
    assert grey.var() == pytest.approx(2**2 * (50 + 3**2) + 1 / 12, rel=0.02)


def test_the_sensor_saturates_rounds_and_repeats() -> None:
    photons = np.full((16, 16), 300, np.float32)
    sensor = Sensor(gain=1.0, offset=0, read_noise=0.0, bit_depth=8)
    grey = sensor.expose(photons, np.random.default_rng(1))
    assert grey.dtype == np.uint8
    assert grey.max() == 255
    np.testing.assert_array_equal(grey, sensor.expose(photons, np.random.default_rng(1)))
    with pytest.raises(ValueError, match="bit_depth"):
        Sensor(bit_depth=17)


def test_a_tilt_rises_by_its_change_and_adds_nothing_on_average() -> None:
    image = blank(20, 41)
    add_tilt(image, 82.0, 0.0)
    assert image[7, 40] - image[7, 0] == pytest.approx(82 * 40 / 41)
    assert image.mean() == pytest.approx(0, abs=1e-4)
    add_tilt(image, 82.0, np.pi)
    np.testing.assert_allclose(image, 0, atol=1e-4)
    add_tilt(image, 82.0, np.pi / 2)
    assert image[19, 3] > image[0, 3] == pytest.approx(image[0, 30], abs=1e-4)


def test_vignetting_follows_the_cosine_to_the_fourth() -> None:
    image = np.full((50, 60), 1000, np.float32)
    vignette(image, 0.36, 10.0, 20.0, 25.0)
    assert image[20, 10] == pytest.approx(1000)
    assert image[20, 35] == image[45, 10] == pytest.approx(640, rel=1e-5)
    far = np.arctan(np.hypot(40, 15) / (25 / 0.5))  # d = 50 px: 1 / (1 + 1/4)^2 = 0.64
    assert image[35, 50] == pytest.approx(1000 * np.cos(far) ** 4, rel=1e-4)


@pytest.mark.parametrize("size_px", [4.0, 12.0])
def test_a_texture_has_its_strength_and_size(size_px: float) -> None:
    image = blank(300, 400)
    add_texture(image, 5.0, size_px, np.random.default_rng(1))
    assert image.std() == pytest.approx(5, rel=0.2)
    # noise blurred by a Gaussian of full width w has a correlation of full width sqrt(2) w
    half_way = round(size_px / np.sqrt(2))
    correlation = (image[:, half_way:] * image[:, :-half_way]).mean() / image.var()
    assert correlation == pytest.approx(0.5, abs=0.15)


def test_compression_rounds_by_its_step_and_keeps_the_mean() -> None:
    image = np.random.default_rng(2).normal(100, 10, (45, 61)).astype(np.float32)
    np.testing.assert_allclose(compress(image, 1e-4), image, atol=1e-2)
    coarse = compress(image, 20.0)
    assert coarse.shape == image.shape
    assert coarse.mean() == pytest.approx(image.mean(), abs=0.5)
    assert 0.1 < coarse.std() < 0.7 * image.std()
    np.testing.assert_allclose(compress(np.full((16, 16), 40, np.float32), 8.0), 40, atol=1e-4)
