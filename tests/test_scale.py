"""Particles larger than those of a model, found in halved images; no image is drawn by `livetrack.optics`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from scipy.ndimage import map_coordinates
from scipy.special import expit

from livetrack.bench.accuracy.bound import position_bound
from livetrack.bench.accuracy.scene import Hints, Particles, Scene
from livetrack.bench.accuracy.shapes import Shape, bessel, gaussian
from livetrack.bench.matching import match
from livetrack.cli import main
from livetrack.config import load_config
from livetrack.errors import ConfigError, InputError, ModelError
from livetrack.linking import Linker
from livetrack.localize import CameraNoise, Localizer, load_localizer
from livetrack.localize.enlarged import _enlarge
from livetrack.localize.halving import HalvedImages
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.scaled import SCALES, ScaledLocalizer
from livetrack.particles import Flag
from livetrack.testing import check_localizer
from livetrack.tracker import Tracker

NOISE = 10.0
SNR = 10.0


def ringed(dx: npt.NDArray[Any], dy: npt.NDArray[Any], size: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a disc of radius `size`, with soft edges and a ring of the opposite contrast around it."""
    r, edge = np.hypot(dx, dy), np.maximum(0.12 * size, 0.6)
    profile: npt.NDArray[Any] = expit(1.7 * (size - r) / edge) - 0.7 * np.exp(
        -0.5 * ((r - 1.25 * size) / (1.3 * edge)) ** 2
    )
    return profile


SHAPES: dict[str, Shape] = {"spots": gaussian, "discs": ringed}
EXTENT = {"spots": 4.5, "discs": 2.5}


def grid(shape: str, size: float, side: int, rng: np.random.Generator) -> list[tuple[str, float, float, float]]:
    """Return particles on a loose grid: shape, x, y, size."""
    pitch = max(24.0, 2 * EXTENT[shape] * size)
    count = int(side / pitch)
    centres = (np.arange(count) + 0.5) * side / count - 0.5
    shifts = rng.uniform(-pitch / 8, pitch / 8, (count, count, 2))
    return [
        (shape, x + shifts[i, j, 0], y + shifts[i, j, 1], size)
        for i, y in enumerate(centres)
        for j, x in enumerate(centres)
    ]


def scene(placed: list[tuple[str, float, float, float]], shape: tuple[int, int], seed: int, sign: int = 1) -> Scene:
    """Draw particles of one kind or several at SNR 10; the truth is that of the first kind."""
    expected = np.full(shape, 2000.0)
    for kind, x, y, size in placed:
        reach = int(np.ceil(2 * EXTENT[kind] * size)) + 4
        near = np.s_[max(0, int(y) - reach) : int(y) + reach, max(0, int(x) - reach) : int(x) + reach]
        rows, columns = np.mgrid[
            near[0].start : min(near[0].stop, shape[0]), near[1].start : min(near[1].stop, shape[1])
        ]
        expected[near] += sign * SNR * NOISE * SHAPES[kind](columns - x, rows - y, np.full((1, 1), size))
    image = np.rint(np.random.default_rng(seed).normal(expected, NOISE)).astype(np.uint16)
    x, y, size = (np.array([each[n] for each in placed]) for n in (1, 2, 3))
    particles = Particles(SHAPES[placed[0][0]], x, y, np.full(x.size, sign * SNR * NOISE), size)
    hints = Hints(9, 2.0, sign > 0, x.size, 0.0, NOISE**2)
    return Scene(image, np.full(shape, NOISE**2), np.ones(shape), particles, hints)


def figures(localizer: Localizer, kind: str, size: float, sign: int, count: int = 60) -> tuple[float, float]:
    """Return F1, and the error of the positions over the Cramér-Rao bound, of so many isolated particles or more."""
    return calibration(localizer, kind, size, sign, count)[:2]


def calibration(localizer: Localizer, kind: str, size: float, sign: int, count: int) -> tuple[float, float, float]:
    """Return these, and the root mean square of the errors over their uncertainties."""
    true = found = rows_found = seed = 0
    squares, bounds, stated = [], [], []
    while true < count:
        seed += 1
        placed = grid(kind, size, 512, np.random.default_rng(seed))
        drawn = scene(placed, (512, 512), seed, sign)
        rows = localizer.localize(drawn.image)
        particles = drawn.particles
        owner = match(rows, particles.x, particles.y)
        here = owner >= 0
        error = np.stack([rows[axis][owner[here]] - getattr(particles, axis)[here] for axis in ("x", "y")])
        squares.append(error**2)
        stated.append(np.stack([rows[f"{axis}_std"][owner[here]] for axis in ("x", "y")]) ** 2)
        bounds.append(position_bound(drawn, int(EXTENT[kind] * size))[here].T)
        true, found, rows_found = true + len(placed), found + int(here.sum()), rows_found + len(rows)
    ratio = float(np.sqrt(np.concatenate(squares, 1).mean() / np.concatenate(bounds, 1).mean()))
    spread = float(np.sqrt((np.concatenate(squares, 1) / np.concatenate(stated, 1)).mean()))
    return 2 * found / (true + rows_found), ratio, spread


@pytest.fixture(scope="module")
def auto() -> Localizer:
    return load_localizer("bead", threads=1, scale="auto")


@pytest.fixture(scope="module")
def quarter() -> Localizer:
    return load_localizer("bead", threads=1, scale=0.25)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int32])
def test_a_pixel_of_a_halved_image_is_at_the_mean_position_of_its_pixels(dtype: type) -> None:
    y, x = np.mgrid[:70, :87].astype(dtype)
    for axis, grey in enumerate((x, y)):
        images = HalvedImages().of(grey, 2)
        first = grey[0, 0]
        for n, image in enumerate(images):
            assert image.shape == (70 >> n, 87 >> n)
            places = 2.0**n * np.arange(image.shape[1 - axis]) + 0.5 * (2**n - 1)
            assert np.array_equal(image[0] if axis == 0 else image[:, 0], places - first)


def test_a_halved_image_is_the_mean_over_squares_whatever_came_before() -> None:
    rng, halved = np.random.default_rng(0), HalvedImages()
    for shape in ((130, 161), (64, 64), (130, 161)):
        image = rng.integers(0, 65536, shape).astype(np.uint16)
        height, width = shape[0] // 4, shape[1] // 4
        mean = image[: 4 * height, : 4 * width].reshape(height, 4, width, 4).mean(axis=(1, 3))
        assert np.allclose(halved.of(image, 2)[2], mean, rtol=1e-6)


def test_scale_1_is_the_network_alone(bead: NetworkLocalizer) -> None:
    drawn = scene(grid("spots", 2.0, 256, np.random.default_rng(0)), (256, 256), 0)
    plain, rows = load_localizer("bead", threads=1, scale=1), bead.localize(drawn.image)
    assert type(plain) is NetworkLocalizer
    for other in (plain, ScaledLocalizer(bead, 0, threads=1)):
        others = other.localize(drawn.image)
        assert all(np.array_equal(rows[name], others[name], equal_nan=True) for name in rows.dtype.names)


@pytest.mark.parametrize(
    ("kind", "size", "scale"), [("spots", 7.0, 0.25), ("discs", 15.0, 0.25), ("discs", 28.0, 0.125)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_large_particles_are_found_and_placed_at_the_bound(kind: str, size: float, scale: float, sign: int) -> None:
    f1, ratio = figures(load_localizer("bead", threads=1, scale=scale), kind, size, sign)
    assert f1 >= 0.98
    assert ratio < 1.15


@pytest.mark.measured
@pytest.mark.parametrize(
    ("kind", "size", "scale"),
    [
        ("spots", 0.65, 2), ("spots", 1.3, 1), ("spots", 4.0, 0.5), ("spots", 8.0, 0.25), ("spots", 17.0, 0.125),
        ("discs", 3.0, 1), ("discs", 12.0, 0.5), ("discs", 24.0, 0.25), ("discs", 42.0, 0.125), ("discs", 60.0, 0.0625),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sign", [1, -1])
def test_cores_of_1_to_60_px_reach_the_target(kind: str, size: float, scale: float, sign: int) -> None:
    f1, ratio = figures(load_localizer("bead", threads=1, scale=scale), kind, size, sign, count=300)
    assert f1 >= 0.98
    assert ratio <= 1.15


@pytest.mark.parametrize("crowded", [False, True])
def test_the_uncertainty_counts_the_rings_of_neighbours_in(bead: Localizer, crowded: bool) -> None:
    """Rings of DeepTrack's second order reach far beyond the core that is fitted."""
    profile, pitch = bessel(2), 70 if crowded else 250
    errors, stds = [], []
    for seed in range(1 if crowded else 6):
        rng = np.random.default_rng(seed)
        centres = np.arange(pitch // 2, 500, pitch) + 0.0
        x, y = (each.ravel() + rng.uniform(-7, 7, each.size) for each in np.meshgrid(centres, centres))
        rows, columns = np.mgrid[:500, :500]
        light = sum(profile(columns - a, rows - b, np.full((1, 1), 6.0)) for a, b in zip(x, y, strict=True))
        found = bead.localize(np.rint(rng.normal(2000 + 500 * light, 10)).astype(np.uint16))
        owner = match(found, x, y)
        here = owner >= 0
        errors += [found[axis][owner[here]] - true[here] for axis, true in (("x", x), ("y", y))]
        stds += [found[f"{axis}_std"][owner[here]] for axis in ("x", "y")]
    spread = float(np.sqrt(np.mean(np.square(np.concatenate(errors) / np.concatenate(stds)))))
    assert 0.8 < spread < (2.0 if crowded else 1.2)


@pytest.mark.measured
@pytest.mark.parametrize(
    ("model", "kind", "size", "sign", "scale"),
    [
        ("spot", "spots", 0.8, 1, 2), ("bead", "spots", 0.8, -1, 2), ("bead", "discs", 2.5, 1, 2),
        ("spot", "spots", 4.0, 1, 0.5), ("bead", "spots", 4.0, -1, 0.5), ("bead", "discs", 8.0, 1, 0.5),
        ("spot", "spots", 8.0, 1, 0.25), ("bead", "spots", 8.0, -1, 0.25), ("bead", "discs", 16.0, -1, 0.25),
    ],
)  # fmt: skip
def test_uncertainties_are_right_at_every_scale(model: str, kind: str, size: float, sign: int, scale: float) -> None:
    f1, ratio, spread = calibration(load_localizer(model, threads=1, scale=scale), kind, size, sign, count=400)
    print(
        f"{model} {kind} {size} px, scale {scale}: F1 {f1:.3f}, error / bound {ratio:.3f}, error / x_std {spread:.3f}"
    )
    assert f1 >= 0.97  # of spots of sigma 0.8 px, the faintest for their noise, 3 % are missed
    assert ratio <= 1.1
    assert 0.9 <= spread <= 1.1


def test_the_model_alone_misses_what_the_scale_finds(bead: Localizer, quarter: Localizer) -> None:
    drawn = scene(grid("discs", 28.0, 512, np.random.default_rng(0)), (512, 512), 0, -1)
    count = len(drawn.particles.x)
    assert len(bead.localize(drawn.image)) < 0.2 * count
    assert len(quarter.localize(drawn.image)) == count


@pytest.mark.parametrize(
    ("kind", "size", "scales"),
    [("spots", 1.5, {"1"}), ("spots", 8.0, {"1/4"}), ("discs", 5.0, {"1", "1/2"}), ("discs", 30.0, {"1/4", "1/8"})],
)
def test_auto_finds_the_scale(auto: Localizer, kind: str, size: float, scales: set[str]) -> None:
    f1, ratio = figures(auto, kind, size, -1)
    assert f1 >= 0.98
    assert ratio < 1.15
    assert set(auto.search_scale.removeprefix("auto (").removesuffix(")").split(", ")) <= scales


def test_auto_finds_all_sizes_in_one_image(auto: Localizer) -> None:
    large = [("discs", 130.0, 140.0, 45.0), ("spots", 370.0, 130.0, 12.0), ("discs", 400.0, 400.0, 20.0)]
    small = [
        ("spots", x, y, 1.5) for x in (30.0, 60.5, 90.0, 120.0, 150.25, 180.0) for y in (320.0, 350.7, 380.0, 480.0)
    ]
    drawn = scene(large + small, (512, 512), 3, -1)
    rows = auto.localize(drawn.image)
    owner = match(rows, drawn.particles.x, drawn.particles.y, gate_px=0.5)
    assert (owner >= 0).all()
    assert len(rows) == len(large + small)
    assert (np.diff(rows["y"]) >= 0).all()
    assert np.all(rows["x_std"] < 0.3)


def test_auto_adds_nothing_to_noise_under_uneven_light(auto: Localizer) -> None:
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    light = 200 + 1000 * np.exp(-((x - 0.3) ** 2 + (y + 0.2) ** 2) / 0.8)
    for seed in range(3):
        image = np.random.default_rng(seed).poisson(light).astype(np.uint16)
        assert len(auto.localize(image)) == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_small_particles_are_found_and_placed_at_the_bound(bead: Localizer, sign: int) -> None:
    """In an enlarged image; the model alone misses more of them."""
    f1, ratio = figures(load_localizer("bead", threads=1, scale=2), "spots", 0.65, sign)
    assert f1 >= 0.98
    assert ratio < 1.15
    assert figures(bead, "spots", 0.65, sign)[0] < f1 - 0.04


def test_a_pixel_of_an_enlarged_image_is_half_a_pixel_wide() -> None:
    rng = np.random.default_rng(0)
    for shape, dtype in (((40, 51), np.uint16), ((16, 16), np.float32)):
        image = rng.integers(0, 60000, shape).astype(dtype)
        enlarged = np.empty((2 * shape[0], 2 * shape[1]), np.float32)
        _enlarge(image, enlarged)
        places = np.meshgrid(*((np.arange(2 * length) - 0.5) / 2 for length in shape), indexing="ij")
        assert np.allclose(enlarged, map_coordinates(image.astype(float), places, order=1, mode="nearest"), rtol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 2, "auto"])
def test_the_contract_of_a_localizer_holds(scale: Any) -> None:
    drawn = scene(grid("spots", 4.0, 256, np.random.default_rng(1)), (256, 250), 1)
    check_localizer(load_localizer("bead", threads=1, scale=scale), drawn.image)


@pytest.mark.parametrize("scale", [0.25, 2, "auto"])
def test_what_is_learnt_belongs_to_the_caller(scale: Any) -> None:
    localizer = load_localizer("bead", threads=1, scale=scale)
    size = 1.5 if scale == 2 else 7.0
    frames = [scene(grid("spots", size, 256, np.random.default_rng(n)), (256, 256), n).image for n in range(3)]
    alone = localizer.localize(frames[2]).copy()
    tracker = Tracker(localizer, Linker(20.0, 2, "brownian"))
    learnt = [tracker.update(frame, n / 10) for n, frame in enumerate(frames)][2]
    assert np.allclose(learnt["x"], alone["x"], atol=0.2)
    assert not np.array_equal(learnt["x"], alone["x"])
    assert np.array_equal(localizer.localize(frames[2])["x"], alone["x"])


def test_an_empty_image_makes_nothing_forgotten() -> None:
    localizer = load_localizer("spot", threads=1, scale=0.5)
    assert isinstance(localizer, ScaledLocalizer)
    rng = np.random.default_rng(0)
    empty = 1000 + rng.normal(0, 20, (128, 128))
    y, x = np.mgrid[:128, :128]
    localizer.localize((empty + 800 * np.exp(-((x - 60) ** 2 + (y - 70) ** 2) / 18)).astype(np.uint16))
    learnt = localizer.learn()
    localizer.recall(learnt)
    assert len(localizer.localize(empty.astype(np.uint16))) == 0
    assert isinstance(learnt, tuple)
    assert learnt[1] is not None
    assert localizer.learn() is None  # the caller goes on with what was learnt before


def test_known_particles_are_followed(quarter: Localizer) -> None:
    trackers = [Tracker(quarter, Linker(12.0, 2, "velocity"), follow=follow) for follow in (True, False)]
    places = np.array([[100.0, 120.0], [300.0, 140.0], [200.0, 330.0], [400.0, 400.0]])
    differences = []
    for frame in range(24):
        x, y = (places + frame * np.array([2.3, -0.8])).T
        drawn = scene([("discs", *each, 14.0) for each in zip(x, y, strict=True)], (512, 512), frame, -1)
        rows, whole = (tracker.update(drawn.image, frame / 100) for tracker in trackers)
        assert len(rows) == len(whole) == 4
        differences += [np.hypot(rows["x"] - each["x"], rows["y"] - each["y"]).min() for each in whole]
        assert frame == 0 or (rows["flags"] & Flag.PARTIAL_SEARCH).all()
    assert np.median(differences) < 0.01
    assert max(differences) < 0.1
    assert sorted(rows["id"]) == [0, 1, 2, 3]


def test_particles_are_confirmed_without_a_search(quarter: Any) -> None:
    placed = [("discs", 100.0, 120.0, 14.0), ("discs", 300.0, 140.0, 14.0)]
    rows = quarter.localize(scene(placed, (512, 512), 0).image)
    measured, confirmed, misfit = quarter.measure(
        scene(placed, (512, 512), 1).image, rows, np.full(len(rows), np.nan, np.float32)
    )
    assert confirmed.all()
    assert np.all(misfit < 2)
    assert np.abs(measured["x"] - np.array([100.0, 300.0])).max() < 0.1


def test_auto_cannot_follow(auto: Localizer) -> None:
    with pytest.raises(ConfigError, match=r'bead at scale auto.* does not support "follow"; .*, or another scale'):
        Tracker(auto, Linker(5.0, 2, "velocity"), follow=True)


def test_particles_at_the_edge_are_flagged_in_px_of_the_image(quarter: Localizer) -> None:
    placed = [("spots", 12.0, 128.0, 7.0), ("spots", 128.0, 128.0, 7.0)]
    rows = quarter.localize(scene(placed, (259, 259), 0).image)
    at_edge = (rows["flags"] & Flag.EDGE) != 0
    assert at_edge.tolist() == (rows["x"] < 15.5).tolist()
    assert at_edge.sum() == 1


def test_the_noise_of_the_camera_is_that_of_means(quarter: Localizer) -> None:
    """With the right gain, errors spread as stated."""
    light = load_localizer("bead", threads=1, scale=0.25, camera=CameraNoise(1.0, 0.0, 0.0))
    rng, normalised = np.random.default_rng(5), []
    for _ in range(3):
        placed = grid("spots", 8.0, 512, rng)
        y, x = np.mgrid[:512, :512]
        expected = 400.0 + sum(400 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 128) for _, a, b, _ in placed)
        rows = light.localize(rng.poisson(expected).astype(np.uint16))
        for _, a, b, _ in placed:
            row = rows[np.hypot(rows["x"] - a, rows["y"] - b).argmin()]
            normalised += [(row["x"] - a) / row["x_std"], (row["y"] - b) / row["y_std"]]
    assert 0.85 < np.sqrt(np.mean(np.square(normalised))) < 1.15


@pytest.mark.parametrize("text", ["0", "-0.5", "0.3", "3", '"big"', '"1/4"', "nan"])
def test_a_wrong_scale_is_reported_with_its_line(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"[localizer]\nmodel = 'bead'\nscale = {text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}:3: [localizer.scale] = ")
    assert '"auto" or one of 2, 1, 0.5, 0.25' in str(caught.value)
    assert main(["track", "movie.tif", "-o", "tracks.csv", "--config", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def wrong(**options: Any) -> Callable[[], Localizer]:
    return lambda: load_localizer(**options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (wrong(scale=0.3), "scale is 0.3; expected 'auto' or one of 2, 1, 0.5"),
        (wrong(scale="big"), "scale is 'big'"),
        (wrong(model="centroid", scale=0.5), "set diameter_px instead"),
    ],
)
def test_a_wrong_scale_is_refused(call: Callable[[], Localizer], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        call()


def test_an_image_too_small_for_the_scale_is_refused(quarter: Localizer) -> None:
    with pytest.raises(InputError, match="100x50 px is too small to be searched at scale 1/4; the minimum is 64x64 px"):
        quarter.localize(np.zeros((50, 100), np.uint8))
    with pytest.raises(InputError, match="100x50 px is too small to be searched at scale 1/4"):
        quarter.warmup((50, 100), np.uint8)


@pytest.mark.parametrize("scale", [2, *SCALES, "auto"])
def test_every_scale_can_be_set(scale: float | str) -> None:
    config = load_config(None, ["localizer.model='bead'", f"localizer.scale={scale}"])
    localizer = Tracker.from_config(config).localizer
    words = {2: "2", 1: "1", 0.5: "1/2", 0.25: "1/4", 0.125: "1/8", 0.0625: "1/16", 0.03125: "1/32", "auto": "auto"}
    assert localizer.search_scale == words[scale]


@pytest.mark.parametrize("scale", [0.5, 2, "auto"])
def test_the_choice_of_threads_is_taken_over_and_changes_no_row(bead: NetworkLocalizer, scale: Any) -> None:
    image = scene(grid("spots", 4.0, 192, np.random.default_rng(1)), (192, 192), 1).image
    localizer: Any = load_localizer("bead", threads=2, scale=scale)
    rows = localizer.localize(image).copy()
    localizer.run_like(bead)
    assert localizer.threads == "1 thread"
    localizer.choose_threads(lambda: localizer.localize(image))
    assert localizer.localize(image)["x"].tolist() == rows["x"].tolist()


def test_track_reports_the_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    movie = tmp_path / "movie.tif"
    placed = grid("spots", 7.0, 128, np.random.default_rng(0))
    tifffile.imwrite(movie, [scene(placed, (128, 128), n).image for n in range(5)], photometric="minisblack")
    output = tmp_path / "tracks.csv"
    arguments = ["track", str(movie), "-o", str(output), "--model", "bead", "--set", "localizer.threads=1"]
    for scale, reported in (("0.25", "1/4"), ("auto", r"auto (1/2)")):
        assert main([*arguments, "--scale", scale]) == 0
        assert f"by bead at scale {reported}" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("scale", [1.0, 0.5, 2.0, "auto"])
def test_pairs_are_separated_at_each_scale(scale: float | str) -> None:
    """Two spots 1.8 sigma apart, near a single one; `refine` and `find` return no more rows than they are given."""
    sigma = 1.4 / (1.0 if scale == "auto" else float(scale))
    side, rng = (64, np.random.default_rng(3)) if sigma < 2 else (128, np.random.default_rng(3))
    x = side * np.array([0.3, 0.3, 0.72]) + 1.8 * sigma * np.array([0.4, -0.4, 0])
    y = side * np.array([0.6, 0.6, 0.3]) + 1.8 * sigma * np.array([0.3, -0.3, 0])
    rows_, columns = np.mgrid[:side, :side]
    square = (columns - x[:, None, None]) ** 2 + (rows_ - y[:, None, None]) ** 2
    image = 40 * np.exp(-square / (2 * sigma**2)).sum(axis=0) + rng.normal(100, 1, (side, side))
    localizer = load_localizer("spot", threads=1, scale=scale)
    assert len(localizer.find(image)) == 2
    rows = localizer.localize(image)
    rows = rows[np.argsort(-rows["x"])]
    assert len(rows) == 3
    assert not rows["flags"].any()
    distance = np.hypot(rows["x"] - x[[2, 0, 1]], rows["y"] - y[[2, 0, 1]])
    assert (distance < 4 * rows["x_std"]).all()
    assert (rows["x_std"] < 0.15 * sigma).all()
