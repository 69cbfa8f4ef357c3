"""Localisation on images whose ground truth is known; `gaussian_image` shares no code with `livetrack.optics`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf

from livetrack.errors import InputError, ModelError
from livetrack.localize import Localizer, load_localizer
from livetrack.localize.classical import METHODS
from livetrack.localize.models import models_folder, read_card, shipped_models
from livetrack.localize.noise import noise_level
from livetrack.localize.normalize import normalize_into, subtract_background, to_float
from livetrack.optics.bead import add_beads
from livetrack.optics.sensor import Sensor
from livetrack.particles import NO_ID, Flag, Rows, empty_rows

GATE_PX = 3.0


def gaussian_image(shape: tuple[int, int], x: np.ndarray, y: np.ndarray, sigma: float, snr: float) -> np.ndarray:
    """Sum of pixel-integrated spots whose peak is `snr` times the noise of 1 that is added later."""
    height, width = shape

    def share(count: int, centre: np.ndarray) -> np.ndarray:
        edges = (np.arange(count + 1) - 0.5 - centre[:, None]) / (np.sqrt(2) * sigma)
        return np.diff(erf(edges), axis=1) / 2

    peak = erf(0.5 / (np.sqrt(2) * sigma)) ** 2
    return snr / peak * np.einsum("ni,nj->ij", share(height, y), share(width, x))


def scattered(
    rng: np.random.Generator, shape: tuple[int, int], step: int = 16, margin: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Centres on a loose grid, uniform over the pixel, no two nearer than half a step."""
    rows, columns = np.meshgrid(*(np.arange(margin, side - margin, step) for side in shape), indexing="ij")
    shift = rng.uniform(-step / 4, step / 4, (2, rows.size))
    return columns.ravel() + shift[0], rows.ravel() + shift[1]


class Score:
    """Errors of the particles (NaN where missed) and number of false rows, over many images."""

    def __init__(self) -> None:
        self._errors: list[np.ndarray] = []
        self.rows = 0

    def add(self, rows: Rows, x: np.ndarray, y: np.ndarray) -> None:
        self.rows += len(rows)
        error = np.full((x.size, 2), np.nan)
        if len(rows):
            distance = np.hypot(rows["x"][:, None] - x, rows["y"][:, None] - y)
            row, particle = distance.argmin(axis=0), np.arange(x.size)
            found = (distance[row, particle] < GATE_PX) & (distance[row].argmin(axis=1) == particle)
            error[found] = np.stack([rows["x"][row] - x, rows["y"][row] - y], axis=1)[found]
        self._errors.append(error)

    @property
    def errors(self) -> np.ndarray:
        return np.concatenate(self._errors)

    @property
    def found(self) -> np.ndarray:
        return ~np.isnan(self.errors[:, 0])

    @property
    def rmse(self) -> float:
        return self.rmse_of(self.found)

    def rmse_of(self, chosen: np.ndarray) -> float:
        return float(np.sqrt(np.mean(np.square(self.errors[chosen]))))

    @property
    def recall(self) -> float:
        return float(self.found.mean())

    @property
    def false_share(self) -> float:
        return 1 - self.found.sum() / self.rows


def score(localizer: Localizer, snr: float, *, sigma: tuple[float, float] = (1.3, 1.3), gradient: float = 0.0) -> Score:
    """Score a localizer on fluorescent spots in white noise of 10 grey levels, uint16."""
    rng = np.random.default_rng(7)
    result, shape = Score(), (200, 240)
    for _ in range(6):
        x, y = scattered(rng, shape)
        image = rng.standard_normal(shape) + gradient * np.linspace(0, 1, shape[1])
        for n, width in enumerate(rng.uniform(*sigma, x.size)):
            image += gaussian_image(shape, x[n : n + 1], y[n : n + 1], width, snr)
        result.add(localizer.localize(np.rint(10 * image + 300).astype(np.uint16)), x, y)
    return result


@pytest.fixture(scope="module", params=["spot", "bead", "centroid", "radial_symmetry"])
def any_localizer(request: pytest.FixtureRequest) -> Localizer:
    return load_localizer(request.param)


def test_spots_at_snr_10_are_found_and_placed(spot: Localizer) -> None:
    result = score(spot, 10)
    assert result.rmse < 0.15
    assert result.recall > 0.98
    assert result.false_share < 0.02


@pytest.mark.measured
@pytest.mark.parametrize(("snr", "gradient"), [(3, 0.0), (4, 0.0), (5, 0.0), (4, 40.0), (10, 100.0)])
def test_the_network_beats_the_classical_methods(spot: Localizer, snr: float, gradient: float) -> None:
    """More precise on the particles that both find, no fewer found, hardly more false rows.

    The spots differ in size, sigma 1 to 2.5 px; the network knows nothing of that, the classical methods the diameter
    that suits these spots best (of 7, 9, 11 and 13 px).
    """
    network = score(spot, snr, sigma=(1.0, 2.5), gradient=gradient)
    for method in METHODS:
        classical = score(load_localizer(method, diameter_px=9), snr, sigma=(1.0, 2.5), gradient=gradient)
        both = network.found & classical.found
        assert network.rmse_of(both) < classical.rmse_of(both)
        assert network.recall >= classical.recall
        assert network.false_share <= classical.false_share + 0.01


def test_positions_are_not_locked_to_pixels(spot: Localizer) -> None:
    """At every phase of the pixel, along both axes, the mean error is small compared to the bound of 0.8 / SNR px."""
    snr, result = 20.0, Score()
    rng = np.random.default_rng(3)
    centres = []
    for _ in range(25):
        x, y = scattered(rng, (200, 240))
        image = gaussian_image((200, 240), x, y, 1.3, snr) + rng.standard_normal((200, 240))
        result.add(spot.localize(image), x, y)
        centres.append(np.stack([x, y], axis=1))
    phase = np.floor(10 * (np.concatenate(centres) % 1)).astype(int)
    bias = [result.errors[:, axis][phase[:, axis] == k].mean() for axis in (0, 1) for k in range(10)]
    assert result.recall == 1
    assert np.abs(bias).max() < 0.5 * 0.8 / snr


def test_the_uncertainty_is_right(spot: Localizer) -> None:
    rng = np.random.default_rng(5)
    for snr in (4, 10, 30):
        pulls = []
        for _ in range(6):
            x, y = scattered(rng, (200, 240))
            rows = spot.localize(gaussian_image((200, 240), x, y, 1.5, snr) + rng.standard_normal((200, 240)))
            distance = np.hypot(rows["x"][:, None] - x, rows["y"][:, None] - y)
            row = distance.argmin(axis=0)
            near = distance[row, np.arange(x.size)] < GATE_PX
            pulls.append(((rows["x"][row] - x) / rows["x_std"][row])[near])
        spread = 1.4826 * np.median(np.abs(np.concatenate(pulls)))
        assert 0.7 < spread < 1.4


def bead_image(rng: np.random.Generator, contrast: float, radius: float, weights: list[float]) -> tuple:
    x, y = scattered(rng, (200, 240), step=60, margin=30)
    photons = np.full((200, 240), 4000, np.float32)
    count = x.size
    add_beads(photons, x, y, np.full(count, radius), np.tile(weights, (count, 1)), np.full(count, contrast * 1500.0))
    return Sensor(gain=0.5, read_noise=5.0).expose(photons, rng), x, y


@pytest.mark.parametrize("contrast", [1.0, -1.0], ids=["bright", "dark"])
@pytest.mark.parametrize("radius", [1.5, 3.0, 5.0])
@pytest.mark.parametrize("weights", [[1.0], [1.0, -0.6], [1.0, 0.0, 0.5]], ids=["core", "dark ring", "far ring"])
def test_beads_of_either_contrast_are_found(
    bead: Localizer, contrast: float, radius: float, weights: list[float]
) -> None:
    result = Score()
    rng = np.random.default_rng(11)
    for _ in range(5):
        image, x, y = bead_image(rng, contrast, radius, weights)
        rows = bead.localize(image)
        result.add(rows, x, y)
        assert np.median(np.sign(rows["intensity"])) == contrast
    assert result.recall > 0.97
    assert result.false_share < 0.05
    assert result.rmse < 0.07 * radius


def test_rows_do_not_change_with_offset_and_gain(any_localizer: Localizer) -> None:
    rng = np.random.default_rng(1)
    x, y = scattered(rng, (96, 120))
    image = np.rint(10 * (gaussian_image((96, 120), x, y, 1.4, 12) + rng.standard_normal((96, 120))) + 1000)
    rows = any_localizer.localize(image.astype(np.uint16))
    assert len(rows) >= len(x)
    others = [
        image.astype(">u2"), image.astype(np.int32), image.astype(np.float32), image.astype(">f8"),
        (3 * image + 5000).astype(np.int16), 1e-6 * image - 7, 1e5 * image + 1e9, np.asfortranarray(image),
        image.astype(np.uint16).repeat(2, axis=1)[:, ::2],
        np.frombuffer(image.astype(np.uint16).tobytes(), np.uint16).reshape(image.shape),
    ]  # fmt: skip
    for other in others:
        again = any_localizer.localize(other)
        np.testing.assert_allclose(again["x"], rows["x"], atol=1e-3)
        np.testing.assert_allclose(again["y"], rows["y"], atol=1e-3)
    factor = any_localizer.localize(1e5 * image)["intensity"] / rows["intensity"]
    np.testing.assert_allclose(factor, 1e5, rtol=1e-3)


@pytest.mark.parametrize("shape", [(16, 16), (17, 31), (45, 64), (131, 77)])
def test_images_of_any_size(any_localizer: Localizer, shape: tuple[int, int]) -> None:
    x, y = np.array([shape[1] / 2 + 0.3]), np.array([shape[0] / 2 - 0.4])
    image = gaussian_image(shape, x, y, 1.6, 40) + np.random.default_rng(2).standard_normal(shape)
    rows = any_localizer.localize(image)
    best = rows[np.argmin(np.hypot(rows["x"] - x, rows["y"] - y))]
    assert abs(best["x"] - x[0]) < 0.3
    assert abs(best["y"] - y[0]) < 0.3
    assert (rows["id"] == NO_ID).all()


def test_nothing_is_found_in_a_constant_image(any_localizer: Localizer) -> None:
    image = np.full((40, 50), 7, np.uint8)
    assert len(any_localizer.find(image)) == 0
    rows = empty_rows(1)
    rows["x"], rows["y"] = 20, 20
    assert any_localizer.refine(image, rows)["score"][0] == 0


@pytest.mark.parametrize(("model", "most"), [("spot", 12), ("bead", 12), ("centroid", 1), ("radial_symmetry", 1)])
def test_almost_nothing_is_found_in_noise(model: str, most: int) -> None:
    """Per 512x512 image; the networks expect faint particles, as in their recipes, so they find a few."""
    rng = np.random.default_rng(4)
    localizer = load_localizer(model)
    assert len(np.concatenate([localizer.find(rng.normal(100, 5, (512, 512))) for _ in range(4)])) <= 4 * most


def test_an_image_without_noise(spot: Localizer, bead: Localizer) -> None:
    x, y = scattered(np.random.default_rng(1), (128, 128))
    for localizer in (spot, bead):
        result = Score()
        result.add(localizer.localize(gaussian_image((128, 128), x, y, 1.8, 1.0)), x, y)
        assert result.recall == 1
        assert result.rmse < 0.1


def test_refine_finds_particles_again_from_predictions(any_localizer: Localizer) -> None:
    rng = np.random.default_rng(6)
    x, y = scattered(rng, (150, 170), step=24)
    image = gaussian_image((150, 170), x, y, 1.4, 20) + rng.standard_normal((150, 170))
    rows = empty_rows(x.size)
    rows["x"], rows["y"] = x + rng.uniform(-2, 2, x.size), y + rng.uniform(-2, 2, x.size)
    rows["id"], rows["vx"], rows["flags"] = np.arange(x.size), 3.0, Flag.TENTATIVE
    refined = any_localizer.refine(image, rows)
    np.testing.assert_allclose(refined["x"], x, atol=0.35)
    np.testing.assert_allclose(refined["y"], y, atol=0.35)
    np.testing.assert_array_equal(refined["id"], rows["id"])
    np.testing.assert_array_equal(refined["vx"], rows["vx"])
    assert (refined["flags"] & Flag.TENTATIVE).all()
    assert (refined["score"] > 0.5).all()


def test_refine_of_the_network_is_as_precise_as_find(spot: Localizer) -> None:
    rng = np.random.default_rng(8)
    find, refine = Score(), Score()
    for _ in range(4):
        x, y = scattered(rng, (200, 240))
        image = gaussian_image((200, 240), x, y, 1.3, 10) + rng.standard_normal((200, 240))
        rows = spot.find(image)
        find.add(rows, x, y)
        refine.add(spot.refine(image, rows), x, y)
    assert refine.recall == find.recall
    assert refine.rmse < 1.1 * find.rmse
    assert len(spot.refine(image, rows[:0])) == 0


def test_particles_at_the_edge_are_flagged(spot: Localizer) -> None:
    x, y = np.array([0.4, 30.2]), np.array([20.0, 20.3])
    rows = spot.find(gaussian_image((48, 60), x, y, 1.4, 30) + np.random.default_rng(0).standard_normal((48, 60)))
    rows = rows[np.argsort(rows["x"])]
    assert [bool(flags & Flag.EDGE) for flags in rows["flags"]] == [True, False]
    np.testing.assert_allclose(rows["x"], x, atol=0.3)


def test_two_particles_found_as_one_become_two_rows(spot: Localizer) -> None:
    """1.9 sigma apart, near one that is alone. Measured again as one, they are flagged."""
    x, y = np.array([20.0, 22.5, 70.3]), np.array([30.0, 30.4, 31.8])
    image = gaussian_image((64, 96), x, y, 1.3, 20) + np.random.default_rng(0).standard_normal((64, 96))
    assert len(spot.find(image)) == 2
    rows = spot.localize(image)
    rows = rows[np.argsort(rows["x"])]
    assert not rows["flags"].any()
    assert (np.hypot(rows["x"] - x, rows["y"] - y) < 4 * rows["x_std"]).all()
    assert (rows["x_std"] < [0.15, 0.15, 0.1]).all()
    before = rows[1:].copy()
    before["x"][0] = 21.2
    before["flags"] = [0, Flag.MERGED]
    again = spot.refine(image, before)
    assert [bool(flags & Flag.MERGED) for flags in again["flags"]] == [True, False]
    assert 0.7 < again["x_std"][0] < 2


def test_models_limit_how_long_one_particle_is() -> None:
    cards = [read_card(models_folder() / f"{name}.onnx") for name in ("spot", "bead")]
    assert [card.longest for card in cards] == [1.0, 1.15]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((8, 40)), "too small"),
        (np.zeros((20, 20, 3)), "height, width"),
        (np.full((20, 20), np.nan), "finite"),
        (np.zeros((20, 20), complex), "complex128"),
    ],
)
def test_images_that_cannot_be_used(any_localizer: Localizer, image: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        any_localizer.find(image)


def test_the_error_names_a_bad_pixel(spot: Localizer) -> None:
    image = np.zeros((20, 30), np.float32)
    image[3, 17] = np.inf
    with pytest.raises(InputError, match="x=17, y=3"):
        spot.find(image)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "sopt"}, "did you mean spot"),
        ({"model": "missing.onnx"}, "no such file"),
        ({"provider": "abacus"}, "not installed"),
        ({"diameter_px": 7}, "belong to"),
        ({"model": "centroid", "diameter_px": 1}, "expected 3 to 255"),
    ],
)
def test_models_that_cannot_be_loaded(options: dict, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        load_localizer(**options)


def test_a_file_that_is_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot open"):
        load_localizer(path)


def test_a_foreign_model_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "foreign.onnx"
    model = onnx.load(str(shipped_models()["spot"]))
    del model.metadata_props[:]
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match="not made by"):
        load_localizer(path)


def test_the_shipped_models_are_small_and_have_recipes() -> None:
    models = shipped_models()
    assert list(models) == ["bead", "spot"]
    for path in models.values():
        assert path.stat().st_size < 1 << 20
        assert path.with_suffix(".toml").is_file()


@pytest.mark.parametrize("noise", [0.5, 1.0, 20.0])
def test_the_noise_is_measured_beneath_particles_and_gradient(noise: float) -> None:
    """A gradient of 100 times the noise has no effect, a crowd of bright particles less than a third."""
    rng = np.random.default_rng(0)
    x, y = scattered(rng, (256, 256))
    image = 100 + noise * rng.standard_normal((256, 256)) + np.linspace(0, 100 * noise, 256)
    assert noise_level(to_float(np.rint(image).astype(np.uint16))) == pytest.approx(noise, rel=0.2)
    image += gaussian_image((256, 256), x, y, 1.5, 50 * noise)
    assert noise_level(to_float(np.rint(image).astype(np.uint16))) == pytest.approx(noise, rel=0.33)


def test_one_hot_pixel_changes_nothing(spot: Localizer) -> None:
    rng = np.random.default_rng(9)
    x, y = scattered(rng, (128, 128))
    image = np.rint(100 + 3 * (gaussian_image((128, 128), x, y, 1.3, 12) + rng.standard_normal((128, 128))))
    rows = spot.find(image.astype(np.uint16))
    image[2, 2] = 65535
    again = spot.find(image.astype(np.uint16))
    far = again[np.hypot(again["x"] - 2, again["y"] - 2) > 40]
    far_before = rows[np.hypot(rows["x"] - 2, rows["y"] - 2) > 40]
    np.testing.assert_allclose(far["x"], far_before["x"], atol=0.02)


@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_the_network_sees_the_scaled_asinh_of_the_image(scale: float, dtype: type) -> None:
    image = np.random.default_rng(8).normal(1000, 30, (40, 44)).astype(dtype)
    image[20, 20] += 9000
    flat, inputs, origin = np.empty(image.shape, np.float32), np.empty((1, 40, 44), np.float32), np.zeros(1, np.int64)
    subtract_background(image.astype(np.float32), 1 / 30, 5, flat)
    normalize_into(image, 30.0, 5, inputs, origin, origin, scale)
    np.testing.assert_allclose(inputs[0], scale * np.arcsinh(flat / scale), rtol=1e-5, atol=3e-5)
