"""The radial fit of spots: precision, noise model, neighbours, uncertainty, on images made here."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from livetrack import Tracker, load_config
from livetrack.localize.models import models_folder
from livetrack.localize.refine.radial import PROFILE_STEP_PX, CameraNoise, ProfilePrior, RadialRefiner
from livetrack.localize.refine.radial.core import choose_core
from livetrack.localize.refine.radial.ldl import eliminate, invert, solve
from livetrack.localize.refine.radial.particles import start
from livetrack.localize.refine.radial.pixels import CORES, Core, basis, pixels_of
from livetrack.localize.refine.radial.sample import some_bright
from livetrack.particles import Flag, Rows, empty_rows
from livetrack.training.profiles import draw_profiles
from livetrack.training.recipe import load_recipe

CELL = 40  # px from one particle to the next


def spot(dx: np.ndarray, dy: np.ndarray, sigma: float) -> np.ndarray:
    """Return the integral over each pixel of a Gaussian of height 1 at (0, 0)."""

    def across(d: np.ndarray) -> np.ndarray:
        share: np.ndarray = (erf((d + 0.5) / (math.sqrt(2) * sigma)) - erf((d - 0.5) / (math.sqrt(2) * sigma))) / 2
        return share

    image: np.ndarray = 2 * math.pi * sigma**2 * across(dx) * across(dy)
    return image


RADII = np.arange(0, 20, PROFILE_STEP_PX)
SPOTS = [spot(RADII, np.zeros_like(RADII), sigma) for sigma in np.geomspace(0.8, 3, 32)]
"""The profiles of a model of spots, sigma 0.8-3 px."""


def fit(
    image: np.ndarray, noise: float, rows: Rows, radius: float, *, camera: CameraNoise | None = None, threads: int = 1
) -> None:
    """Refine `rows` in place, from `image` alone."""
    RadialRefiner(radius, SPOTS, camera).refine(image, noise, rows, threads=threads)


def picture(x: np.ndarray, y: np.ndarray, sigma: float, side: int) -> np.ndarray:
    """Return the spots of height 1 at (x, y), summed."""
    total, reach = np.zeros((side, side)), math.ceil(6 * sigma) + 2
    for px, py in zip(x, y, strict=True):
        rows = np.arange(max(0, round(py) - reach), min(side, round(py) + reach + 1))
        columns = np.arange(max(0, round(px) - reach), min(side, round(px) + reach + 1))
        total[np.ix_(rows, columns)] += spot(columns[None] - px, rows[:, None] - py, sigma)
    return total


def grid(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Return isolated positions, uniform over the pixel, and the side of their image."""
    across = math.ceil(math.sqrt(count))
    cells = np.stack(np.divmod(np.arange(count), across)) * CELL + CELL // 2
    y, x = cells + rng.random((2, count)) - 0.5
    return x, y, across * CELL


def seen(x: np.ndarray, y: np.ndarray, height: float, rng: np.random.Generator, off: float = 0.3) -> Rows:
    """Return rows like a network's: `off` px off along each axis, heights 20 % off."""
    rows = empty_rows(x.size)
    rows["x"], rows["y"] = np.stack([x, y]) + rng.normal(0, off, (2, x.size))
    rows["x_std"] = rows["y_std"] = 0.3
    rows["intensity"] = height * np.exp(rng.normal(0, 0.2, x.size))
    return rows


def bits(rows: Rows) -> bytes:
    """Return all fields, without what is between them."""
    return b"".join(rows[name].tobytes() for name in rows.dtype.names or ())


def equal(some: Rows, others: Rows) -> bool:
    return all(np.array_equal(some[name], others[name], equal_nan=True) for name in some.dtype.names or ())


def bound(sigma: float, snr: float, shot: float, even: bool = False) -> float:
    """Return the Cramér-Rao bound of x, px, height and background unknown; `shot` is the variance per signal.

    With `even`, the precision of least squares with equal weights.
    """
    places, variances = np.random.default_rng(0).random((16, 2)) - 0.5, []
    d, e = np.arange(-20, 21), 1e-3
    for x, y in places:
        image = snr * spot(d[None] - x, d[:, None] - y, sigma)
        east, west = (snr * spot(d[None] - x - s, d[:, None] - y, sigma) for s in (e, -e))
        south, north = (snr * spot(d[None] - x, d[:, None] - y - s, sigma) for s in (e, -e))
        rows = np.stack([(east - west) / (2 * e), (south - north) / (2 * e), image, np.ones_like(image)]).reshape(4, -1)
        variance = 1 + shot * image.ravel()
        solver = np.linalg.inv(rows @ rows.T) @ rows
        covariance = solver * variance @ solver.T if even else np.linalg.inv(rows / variance @ rows.T)
        variances.append(covariance[[0, 1], [0, 1]].mean())
    return math.sqrt(np.mean(variances))


@pytest.mark.parametrize("background", [None, 100.0])
@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.5])
@pytest.mark.parametrize(("snr", "limit"), [(2.0, 1.25), (4.0, 1.10), (20.0, 1.10), (100.0, 1.10)])
def test_the_bound_is_reached_and_the_uncertainty_is_right(
    snr: float, limit: float, sigma: float, background: float | None
) -> None:
    """Additive noise (no `background`) or Poisson noise: error, spread of error / x_std, its 95 % interval, locking.

    Each limit has two or three standard errors of its measurement added, at 900 spots. The fit overestimates the
    uncertainty of a faint, small spot by up to a fifth, as it cannot see how small it is; more for a spot hardly above
    the noise, as it assumes that a search has found it, whereas these start near the truth.
    """
    rng, count = np.random.default_rng(1), 900
    x, y, side = grid(count, rng)
    clean = picture(x, y, sigma, side)
    if background is None:
        noise, image = 1.0, 1000 + snr * clean + rng.normal(size=clean.shape)
    else:
        noise = math.sqrt(background)
        image = rng.poisson(background + snr * noise * clean).astype(float)
    rows = seen(x, y, snr * noise, rng, off=0.3 + 0.4 / snr)  # no better than the bound, or the start would help
    fit(image.astype(np.float32), noise, rows, 12.0)
    error = np.stack([rows["x"] - x, rows["y"] - y])
    ratio = error / bound(sigma, snr, 0.0 if background is None else 1 / noise)
    by_std = np.abs(error / np.stack([rows["x_std"], rows["y_std"]]))
    fitted, chance = rows["x_std"] != np.float32(0.3), 1 / math.sqrt(2 * error.size)
    print(f"{math.sqrt(np.mean(ratio**2)):.3f} x the bound, spread {np.median(by_std) / 0.6745:.2f}")
    assert fitted.mean() > 0.99
    assert math.sqrt(np.mean(ratio**2)) < limit * (1 + 2 * chance)
    least = 0.6 if snr == 2 and sigma == 1 else 0.82 if snr <= 4 and sigma < 2 else 0.9
    assert least - 3 * chance < np.median(by_std) / 0.6745 < 1.1 + 3 * chance
    assert 0.92 - chance < np.mean(by_std < 1.96) < 0.98 + chance / 2
    phase = (5 * (np.stack([x, y]) % 1)).astype(int)
    locked = [ratio[phase == k].mean() for k in range(5)]
    assert np.abs(locked).max() < 0.3 + 2 * limit / math.sqrt(error.size / 5)


@pytest.mark.parametrize(("snr", "loss"), [(20.0, 1.06), (100.0, 1.17)])
def test_pixels_are_weighted_by_the_given_or_estimated_noise(snr: float, loss: float) -> None:
    """Poisson noise: equal weights lose what theory predicts, at least `loss`; a noise model loses nothing."""
    rng, noise, gain, offset = np.random.default_rng(2), 5.0, 2.0, 100.0
    x, y, side = grid(900, rng)
    image = offset + gain * rng.poisson(noise**2 + snr * noise * picture(x, y, 1.5, side))
    equal_weights = CameraNoise(gain_grey=1e-6, offset_grey=0.0, read_noise_e=gain * noise / 1e-6)
    ratios = {}
    for name, camera in (("equal", equal_weights), ("given", CameraNoise(gain, offset, 0.0)), ("estimated", None)):
        rows = seen(x, y, gain * snr * noise, np.random.default_rng(3))
        fit(image.astype(np.float32), gain * noise, rows, 12.0, camera=camera)
        error = np.stack([rows["x"] - x, rows["y"] - y])
        ratios[name] = math.sqrt(np.mean(error**2)) / bound(1.5, snr, 1 / noise)
        if camera is not equal_weights:
            by_std = np.abs(error / np.stack([rows["x_std"], rows["y_std"]]))
            assert 0.9 < np.median(by_std) / 0.6745 < 1.1
    assert ratios["given"] < 1.08
    assert ratios["estimated"] < 1.08
    theory = bound(1.5, snr, 1 / noise, even=True) / bound(1.5, snr, 1 / noise)
    print(
        f"SNR {snr:g}: " + ", ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items()) + f", theory {theory:.3f}"
    )
    assert theory > loss
    assert ratios["equal"] == pytest.approx(theory, rel=0.06)
    assert ratios["equal"] > (1 + 0.6 * (loss - 1)) * max(ratios["given"], ratios["estimated"])


def crowd(count: int) -> tuple[np.ndarray, Rows]:
    """Return an image of 256x256 px with so many particles anywhere, and rows to begin with."""
    rng = np.random.default_rng(4)
    x, y = rng.uniform(4, 252, (2, count))
    image = (100 + 9 * picture(x, y, 1.3, 256) + rng.normal(size=(256, 256))).astype(np.float32)
    return image, seen(x, y, 9.0, rng)


@pytest.mark.parametrize("count", [60, 300])
def test_the_result_is_the_same_whatever_the_number_of_threads(count: int) -> None:
    image, begin = crowd(count)
    results = []
    for threads in (1, 2, 3, 5):
        refiner = RadialRefiner(12.0, SPOTS)
        for _ in range(3):  # by the image alone, and by what has been learnt
            rows = begin.copy()
            refiner.refine(image, 1.0, rows, threads=threads)
            results.append(bits(rows))
            refiner.recall(refiner.learn())
    assert results[:3] == results[3:6] == results[6:9] == results[9:]


@pytest.mark.measured
@pytest.mark.timeout(600)
def test_compiled_and_cached_kernels_give_the_same_rows(tmp_path: Path) -> None:
    """Compiling takes a minute: bit for bit the same in a process that compiles and in one that loads the kernels."""
    script = """if True:
        import hashlib
        import test_spot_fit as test
        image, begin = test.crowd(300)
        for which in (slice(0, 1), slice(0, 300)):
            for kind in ("f4", "u2"):
                refiner = test.RadialRefiner(12.0, test.SPOTS)
                for _ in range(3):
                    rows = begin[which].copy()
                    refiner.refine(image.astype(kind), 1.0, rows, threads=2)
                    print(hashlib.blake2b(test.bits(rows)).hexdigest())
                    refiner.recall(refiner.learn())
    """
    results = [
        subprocess.run(
            [sys.executable, "-c", script], cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        ).stdout.split()
        for _ in range(3)
    ]  # fmt: skip
    assert len(results[0]) == 12
    assert results[0] == results[1] == results[2]


def test_neighbours_hardly_disturb() -> None:
    """Pairs 4 px apart, sigma 1.3, SNR 7: near the bound of two spots fitted together, and not pushed apart."""
    rng = np.random.default_rng(6)
    x, y, side = grid(600, rng)
    x, y = np.concatenate([x, x + 4]), np.concatenate([y, y])
    image = 100 + 7 * picture(x, y, 1.3, side) + rng.normal(size=(side, side))
    rows = seen(x, y, 7.0, rng)
    fit(image.astype(np.float32), 1.0, rows, 12.0)
    error = np.stack([rows["x"] - x, rows["y"] - y]) / bound(1.3, 7.0, 0.0)
    assert math.sqrt(np.mean(error**2)) < 1.5
    assert abs(error[0, :600].mean() - error[0, 600:].mean()) < 0.6


@pytest.mark.parametrize(
    ("what", "limit"), [("edge", 1.5), ("kink", 1.25)], ids=["the edge of something large", "an end of the grey scale"]
)
def test_nearby_structure_hardly_disturbs(what: str, limit: float) -> None:
    """A lone spot, sigma 1.5, SNR 10, and 12 px away a step of its height, or the end of a slope that is steep.

    Fitted as a part of the profile they bring 2.8 and 11 times the bound.
    """
    rng, ratios = np.random.default_rng(11), []
    rows_, columns = np.mgrid[:64, :64]
    for _ in range(100):
        x, y = 32 + rng.random((2, 1))
        angle = rng.uniform(0, 2 * math.pi)
        across = (columns - x) * math.cos(angle) + (rows_ - y) * math.sin(angle)
        ground = 10 * (across > 12) if what == "edge" else np.minimum(across, 12)
        image = 1000 + 10 * picture(x, y, 1.5, 64) + ground + rng.normal(size=(64, 64))
        rows = seen(x, y, 10.0, rng)
        fit(image.astype(np.float32), 1.0, rows, 20.0)
        ratios += [*(rows["x"] - x), *(rows["y"] - y)]
    ratio = math.sqrt(np.mean(np.square(ratios))) / bound(1.5, 10.0, 0.0)
    print(f"{what}: {ratio:.3f} x the bound")
    assert ratio < limit


def test_the_intensity_is_the_height_over_the_background() -> None:
    rng = np.random.default_rng(7)
    x, y, side = grid(300, rng)
    for height, least in ((3.0, 0.94), (30.0, 0.98)):
        rows = seen(x, y, height, rng)
        image = 100 + height * picture(x, y, 1.3, side) + rng.normal(size=(side, side))
        fit(image.astype(np.float32), 1.0, rows, 12.0)
        whole = height * float(spot(np.zeros(1), np.zeros(1), 1.3)[0])
        assert least * whole < np.median(rows["intensity"]) < 1.05 * whole


def test_structure_in_the_background_is_not_mistaken_for_noise() -> None:
    """Ripples 12 px long, as high as four times the noise: as noise they would treble x_std; it grows by a third."""
    rng = np.random.default_rng(8)
    x, y, side = grid(200, rng)
    image = 100 + 30 * picture(x, y, 1.5, side) + rng.normal(size=(side, side))
    ripples = 4 * np.sin(2 * math.pi * (np.arange(side)[:, None] + 0.6 * np.arange(side)) / 12)
    std = []
    for added in (0, ripples):
        rows = seen(x, y, 30.0, np.random.default_rng(9))
        fit((image + added).astype(np.float32), 1.0, rows, 12.0)
        std.append(np.median(rows["x_std"]))
    assert std[1] / std[0] == pytest.approx(1, abs=0.4)


def test_a_camera_in_the_settings_reaches_the_fit(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[camera]\ngain_grey = 1.0\noffset_grey = 0.0\nread_noise_e = 40.0\n", encoding="utf-8")
    rng = np.random.default_rng(10)
    image = 400 + 1000 * picture(np.array([40.3]), np.array([39.8]), 1.5, 80) + rng.normal(0, 20, (80, 80))
    estimated, given = (Tracker.from_config(load_config(file)).localizer.localize(image) for file in (None, path))
    assert len(estimated) == len(given) == 1
    assert given["x_std"][0] > 1.4 * estimated["x_std"][0]


@pytest.mark.parametrize(("offset", "read_noise"), [(100.0, 0.0), (100.0, 0.001), (150.0, 1.0)])
def test_an_impossible_camera_noise_does_no_harm(offset: float, read_noise: float) -> None:
    """An offset at the background or above it would leave the background no noise at all."""
    rng = np.random.default_rng(12)
    x, y, side = grid(25, rng)
    image = (100 + 60 * picture(x, y, 1.5, side) + rng.normal(0, 2, (side, side))).astype(np.float32)
    rows = seen(x, y, 60.0, rng)
    fit(image, 2.0, rows, 12.0, camera=CameraNoise(1.0, offset, read_noise))
    assert math.sqrt(np.mean((rows["x"] - x) ** 2)) < 3 * bound(1.5, 30.0, 0.0)


def test_one_particle_more_or_less_or_another_order_hardly_changes_the_rest() -> None:
    """By less than a tenth of their uncertainty, with more particles than the image's statistics are estimated from."""
    rng = np.random.default_rng(13)
    x, y, side = grid(400, rng)
    image = (100 + 9 * picture(x, y, 1.3, side) + rng.normal(size=(side, side))).astype(np.float32)
    whole = seen(x, y, 9.0, rng)
    order = rng.permutation(400)
    others = [np.delete(whole, n) for n in rng.choice(400, 6, replace=False)] + [whole[order]]
    fit(image, 1.0, whole, 12.0)
    for rows in others:
        fit(image, 1.0, rows, 12.0)
        near = np.abs(rows["x"][:, None] - whole["x"]) + np.abs(rows["y"][:, None] - whole["y"])
        same = whole[near.argmin(axis=1)]
        assert np.median(np.abs(rows["x"] - same["x"]) / same["x_std"]) < 0.05
        assert math.sqrt(np.mean(((rows["x"] - same["x"]) / same["x_std"]) ** 2)) < 0.1


def test_the_sample_is_bright_but_not_the_brightest() -> None:
    rng = np.random.default_rng(14)
    places, height, wanted = rng.uniform(0, 500, (300, 2)), 10 + rng.normal(size=300), np.ones(300, np.bool_)
    height[:50] = 1.0
    wanted[50:60] = False
    some = some_bright(places, height, wanted, 48)
    assert len(set(some)) == 48
    assert some.min() >= 60
    assert np.mean(height[some]) == pytest.approx(10, abs=0.5)  # the brightest have 11.5
    assert some_bright(places, height, wanted, 400).tolist() == [*range(50), *range(60, 300)]


@pytest.mark.parametrize("radius", [1.0, 12.0])
def test_rows_do_not_depend_on_the_dtype(radius: float) -> None:
    rng = np.random.default_rng(15)
    x, y, side = grid(49, rng)
    image = (20 + 40 * picture(x, y, 1.3, side) + rng.normal(0, 2, (side, side))).clip(0, 255).astype(np.uint8)
    begin = seen(x, y, 40.0, rng, off=0.5)
    found = []
    for kind in (np.uint8, np.uint16, np.float32):
        rows = begin.copy()
        fit(image.astype(kind), 2.0, rows, radius)
        found.append(rows)
    assert equal(found[0], found[1])
    assert equal(found[0], found[2])


def test_a_particle_at_the_edge_adds_nothing_that_would_be_erased() -> None:
    """In an image smaller than the last it would be erased where it was there, outside of the memory of this one."""
    refiner, rng = RadialRefiner(12.0, SPOTS), np.random.default_rng(19)
    for side, at in ((400, 300.0), (64, 5.0), (64, 5.0)):
        x, y = at + 4 * np.arange(3), np.full(3, side / 2)
        image = (100 + 20 * picture(x, y, 1.3, side) + rng.normal(size=(side, side))).astype(np.float32)
        rows = seen(x, y, 20.0, rng)
        rows["flags"][0] = Flag.EDGE if side == 64 else 0
        refiner.refine(image, 1.0, rows)
        assert (refiner._fits._crowd[:3] > 0).tolist() == [side == 400, True, True]


def test_a_row_outside_the_image_stays_as_it_is() -> None:
    rng = np.random.default_rng(16)
    image = (100 + 50 * picture(np.array([40.2]), np.array([39.7]), 1.5, 80) + rng.normal(size=(80, 80))).astype(
        np.float32
    )
    rows = seen(np.array([40.2, 40.0, np.nan, -30.0]), np.array([39.7, 1e6, 10.0, 10.0]), 50.0, rng)
    before = rows.copy()
    fit(image, 1.0, rows, 12.0)
    assert rows["x"][0] == pytest.approx(40.2, abs=0.1)
    assert equal(rows[1:], before[1:])


def ratios(x: np.ndarray, y: np.ndarray, rows: Rows, bound_px: float) -> tuple[float, float]:
    """Return the error over the bound, and over x_std and y_std; root mean squares."""
    error = np.stack([rows["x"] - x, rows["y"] - y])
    by_std = error / np.stack([rows["x_std"], rows["y_std"]])
    return math.sqrt(np.mean(error**2)) / bound_px, math.sqrt(np.mean(by_std**2))


SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "far from zero": lambda image: (1e6 + image).astype(np.float32),
    "small numbers": lambda image: (1e-3 * image).astype(np.float32),
    "small numbers far from zero": lambda image: (1 + 1e-3 * image).astype(np.float32),
    "dark": lambda image: (1000 - image).astype(np.float32),
    "few grey levels": lambda image: (20 + image).round().clip(0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("name", SCALES)
def test_any_scale_of_grey_levels_will_do(name: str) -> None:
    rng = np.random.default_rng(20)
    x, y, side = grid(225, rng)
    image = SCALES[name](20 * picture(x, y, 1.5, side) + rng.normal(size=(side, side)))
    scale = {"small numbers": 1e-3, "small numbers far from zero": 1e-3, "dark": -1.0}.get(name, 1.0)
    rows = seen(x, y, 20 * scale, rng)
    fit(image, abs(scale), rows, 14.0)
    over, by_std = ratios(x, y, rows, bound(1.5, 20.0, 0.0))
    assert over < (1.15 if name == "few grey levels" else 1.1)  # rounding adds a twelfth to the noise's variance
    assert 0.9 < by_std < 1.1
    assert rows["intensity"] == pytest.approx(17.3 * scale, rel=0.25)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_clipped_particles_come_to_the_bound_of_what_is_left(share: float) -> None:
    """All above this share of the height is clipped, after the noise; the bound is that of the other pixels."""
    rng, d, e = np.random.default_rng(21), np.arange(-12, 13), 1e-3
    x, y, side = grid(225, rng)
    image = 100 + 20 * picture(x, y, 1.5, side) + rng.normal(size=(side, side))
    rows = seen(x, y, 20 * share, rng)
    fit(np.minimum(image, 100 + 20 * share).astype(np.float32), 1.0, rows, 14.0)
    variances = []
    for dx, dy in zip(x - x.round(), y - y.round(), strict=True):
        at, east, west = (spot(d[None] - dx - s, d[:, None] - dy, 1.5) for s in (0, e, -e))
        variances.append(1 / np.sum((20 * (east - west) / (2 * e))[at < share] ** 2))
    over, by_std = ratios(x, y, rows, math.sqrt(np.mean(variances)))
    print(f"clipped at {share}: {over:.2f} x the bound, error / x_std {by_std:.2f}")
    assert over < 1.3
    assert 0.85 < by_std < 1.15


def test_a_particle_half_outside_the_image_is_fitted_from_its_other_half() -> None:
    """Without Flag.EDGE: across the edge it costs twice the bound, along it as much as half of the pixels do."""
    rng, errors = np.random.default_rng(22), []
    for _ in range(100):
        x, y = rng.uniform(0, 0.4, 1), 30 + rng.random(1)
        image = 100 + 20 * picture(x, y, 1.5, 64) + rng.normal(size=(64, 64))
        rows = seen(x, y, 20.0, rng, off=0.0)
        fit(image.astype(np.float32), 1.0, rows, 14.0)
        errors.append([(rows[axis] - at) / rows[f"{axis}_std"] for axis, at in (("x", x), ("y", y))])
        assert rows["x_std"][0] < 0.15
        assert rows["y_std"][0] < 0.08
    assert np.sqrt(np.mean(np.square(errors), axis=0)) == pytest.approx(1, abs=0.2)


def test_particles_on_the_last_half_pixel_do_no_harm() -> None:
    """Rows that a plug-in has not flagged as at the edge: their nearest pixel would be the one after the last."""
    rng = np.random.default_rng(24)
    image = rng.normal(100, 1, (64, 64)).astype(np.float32)
    x, y = np.array([63.4, 60.0, 0.0, 3.0]), np.array([63.4, 63.2, 0.0, 0.0])
    rows = seen(x, y, 10.0, rng, off=0.0)
    fit(image, 1.0, rows, 12.0)
    assert np.isfinite(rows["x"]).all()


def test_windows_may_be_larger_than_the_image() -> None:
    rng = np.random.default_rng(23)
    for sigma, radius in ((1.3, 12.0), (1.3, 60.0), (3.0, 60.0)):
        x, y = 7 + rng.random((2, 1))
        image = 100 + 20 * picture(x, y, sigma, 16) + rng.normal(size=(16, 16))
        rows = seen(x, y, 20.0, rng)
        fit(image.astype(np.float32), 1.0, rows, radius)
        assert abs(rows["x"] - x) < 4 * rows["x_std"]
        assert rows["x_std"] < 0.15


def test_equal_pixels_do_no_harm() -> None:
    for kind in (np.uint8, np.uint16, np.float32):
        rows = seen(np.array([30.2, 34.0, 50.0]), np.array([30.1, 31.0, 50.0]), 20.0, np.random.default_rng(24))
        fit(np.full((64, 64), 7, kind), 1.0, rows, 12.0)
        assert all(np.isfinite(rows[name]).all() for name in ("x", "y", "x_std", "y_std", "intensity"))


def pairs(rng: np.random.Generator, apart: float, snr: float) -> tuple[np.ndarray, np.ndarray, Rows]:
    """Return (2, 196) x and y of pairs in random directions, `apart` px apart, and a row for each pair, refined."""
    x, y, side = grid(196, rng)
    angle = rng.uniform(0, 2 * math.pi, x.size)
    both = np.array([[-0.5], [0.5]]) * apart
    px, py = x + both * np.cos(angle), y + both * np.sin(angle)
    image = snr * picture(px.ravel(), py.ravel(), 1.3, side) + rng.normal(size=(side, side))
    rows = seen(x, y, 1.5 * snr, rng)
    fit((100 + image).astype(np.float32), 1.0, rows, 14.0)
    return px, py, rows


@pytest.mark.parametrize(("apart", "snr", "marked"), [(1.2, 20, 0.5), (1.5, 10, 0.7), (1.5, 20, 0.98), (2, 10, 0.98)])
def test_two_found_as_one_are_marked_and_x_std_holds_for_either(apart: float, snr: float, marked: float) -> None:
    x, y, rows = pairs(np.random.default_rng(27), 1.3 * apart, snr)
    which = (rows["flags"] & Flag.MERGED) != 0
    error = np.stack([rows["x"] - x, rows["y"] - y], axis=2)[:, which]
    std = np.stack([rows["x_std"], rows["y_std"]], axis=1)[which]
    spread = math.sqrt(np.mean(np.square(error / std)))
    print(f"{apart} sigma apart, SNR {snr}: {which.mean():.0%} marked, error / x_std {spread:.2f}")
    assert which.mean() >= marked
    assert 0.8 < spread < 1.15
    assert np.corrcoef(rows["xy_cov"][which], error[0].prod(axis=1))[0, 1] > 0.9


@pytest.mark.parametrize("snr", [3.0, 10.0, 100.0, 300.0])
def test_round_particles_are_not_marked(snr: float) -> None:
    rng = np.random.default_rng(28)
    x, y, side = grid(400, rng)
    rows = seen(x, y, snr, rng)
    fit((100 + snr * picture(x, y, 1.3, side) + rng.normal(size=(side, side))).astype(np.float32), 1.0, rows, 14.0)
    assert np.count_nonzero(rows["flags"]) <= 1


def test_noise_that_pixels_share_marks_nothing() -> None:
    rng = np.random.default_rng(29)
    x, y, side = grid(225, rng)
    noise = gaussian_filter(rng.normal(size=(side, side)), 0.8)
    image = 100 + 10 * picture(x, y, 1.3, side) + noise / noise.std()
    rows = seen(x, y, 10.0, rng)
    fit(image.astype(np.float32), 1.0, rows, 14.0)
    assert not rows["flags"].any()


def test_the_mark_is_of_this_frame_and_other_flags_stay() -> None:
    rng = np.random.default_rng(30)
    x, y, side = grid(64, rng)
    rows = seen(x, y, 20.0, rng)
    rows["flags"] = Flag.MERGED | Flag.PARTIAL_SEARCH
    fit((100 + 20 * picture(x, y, 1.3, side) + rng.normal(size=(side, side))).astype(np.float32), 1.0, rows, 14.0)
    assert (rows["flags"] == Flag.PARTIAL_SEARCH).all()


def test_misfit_tells_a_pair_from_one() -> None:
    """About 1 for round particles in noise; more for two that were taken for one; NaN where none was fitted."""
    rng = np.random.default_rng(25)
    x, y, side = grid(100, rng)
    noise, one = rng.normal(size=(side, side)), picture(x, y, 1.5, side)
    misfits = []
    for shape, middle in ((one, x), (one + picture(x + 3, y, 1.5, side), x + 1.5)):
        rows, misfit = seen(middle, y, 20.0, rng), np.zeros(100, np.float32)
        rows["flags"][0] = Flag.EDGE
        refiner = RadialRefiner(14.0, SPOTS)
        refiner.refine((100 + 20 * shape + noise).astype(np.float32), 1.0, rows, misfit=misfit)
        assert np.isnan(misfit[0])
        misfits.append(misfit[1:])
    alone, pairs = misfits
    assert np.mean(alone) == pytest.approx(1, abs=0.05)
    assert np.std(alone) < 0.2
    assert np.median(pairs) > 1.7
    assert np.mean(pairs > alone.max()) > 0.8


@pytest.mark.parametrize("sigma", [0.8, 1.5, 3.0, 5.0, 8.0, pytest.param(12.0, marks=pytest.mark.measured)])
def test_particles_of_any_size_come_to_the_bound(sigma: float) -> None:
    """Lone ones, each in an image of its own, sigma up to 12 px: cores of 4.5 to 60 px."""
    rng, errors, by_std, snr = np.random.default_rng(26), [], [], 15.0
    profiles = [
        np.exp(-(np.arange(0, 60, PROFILE_STEP_PX) ** 2) / (2 * s**2)) for s in sigma * np.geomspace(0.7, 1.4, 16)
    ]
    side = 2 * math.ceil(7 * sigma + 8)
    for _ in range(120 if sigma < 8 else 60):
        x, y = side / 2 + rng.random((2, 1))
        image = 1000 + snr * picture(x, y, sigma, side) + rng.normal(size=(side, side))
        rows = seen(x, y, snr, rng)
        RadialRefiner(min(60.0, 5 * sigma + 2), profiles).refine(image.astype(np.float32), 1.0, rows)
        errors += [rows["x"] - x, rows["y"] - y]
        by_std += [(rows["x"] - x) / rows["x_std"], (rows["y"] - y) / rows["y_std"]]
    d = np.arange(-6 * math.ceil(sigma), 6 * math.ceil(sigma) + 1)
    slope = (spot(d[None] - 0.01, d[:, None], sigma) - spot(d[None] + 0.01, d[:, None], sigma)) / 0.02
    over = math.sqrt(np.mean(np.square(errors)) * np.sum(slope**2)) * snr
    spread = math.sqrt(np.mean(np.square(by_std)))
    print(f"sigma {sigma}: {over:.2f} x the bound, error / x_std {spread:.2f}")
    assert over < 1.15 + 2 / math.sqrt(2 * len(errors))
    assert 0.8 < spread < 1.15


@pytest.mark.parametrize("core", CORES)
def test_windows_are_within_their_reach(core: Core) -> None:
    """By one square of pixels: the middle of a window may be one pixel beyond the image, as 63.7 in one of 64 px."""
    pixels = pixels_of(core)
    assert max(np.abs(pixels.row).max(), np.abs(pixels.column).max()) <= pixels.reach - core.binning
    assert pixels.runs.max() <= pixels.row.size
    assert pixels.neighbour.max() < pixels.in_core <= pixels.used <= pixels.row.size


def test_knots_follow_the_core() -> None:
    rng = np.random.default_rng(17)
    cores = []
    for sigma in (1.0, 2.5):
        x, y, side = grid(25, rng)
        image = (100 + 30 * picture(x, y, sigma, side) + rng.normal(size=(side, side))).astype(np.float32)
        rows = seen(x, y, 30.0, rng, off=0.0)
        state, (active, good) = np.zeros((25, 20)), np.zeros((2, 25), np.bool_)
        assert start(rows, image, 1.0, state, active, good) == 25
        light = np.array([1.0, 100.0, -1e30, 1e30, 1.0, 0.0, 1.0])
        core, mean = choose_core(image, light, state, active, ProfilePrior(SPOTS), 18.0)
        assert len(mean) == core.splines
        r = np.arange(0, 2 * sigma, 0.5)
        profile = mean @ basis(r, core)
        assert profile / profile[0] == pytest.approx(spot(r, 0 * r, sigma) / spot(r[:1], r[:1], sigma), abs=0.1)
        cores.append(core)
    assert (cores[0].radius_px, cores[0].step_px) == (5.4, pytest.approx(0.77, abs=0.01))
    assert cores[1].radius_px > 8
    assert cores[1].step_px > 1.1


def test_systems_are_solved_row_by_row() -> None:
    rng = np.random.default_rng(18)
    root = rng.normal(size=(9, 9))
    matrix, answer = root @ root.T + np.eye(9), rng.normal(size=9)
    factors, right, solution, inverse = matrix.copy(), answer.copy(), np.empty(9), np.empty((9, 9))
    assert eliminate(factors, right, 0, 7)
    assert eliminate(factors, right, 7, 9)
    solve(factors, right, 9, solution)
    invert(factors, inverse)
    assert solution == pytest.approx(np.linalg.solve(matrix, answer))
    assert np.tril(inverse) == pytest.approx(np.tril(np.linalg.inv(matrix)))
    assert not eliminate(-matrix, right, 0, 9)


def test_a_model_carries_the_profiles_of_its_recipe() -> None:
    recipe = load_recipe(models_folder() / "spot.toml")
    profiles = np.array(draw_profiles(recipe, 1))
    assert draw_profiles(recipe, 1) == profiles.tolist()
    assert profiles[:, 0] == pytest.approx(1, abs=0.02)
    half = PROFILE_STEP_PX * np.argmax(profiles < 0.5, axis=1)
    least, most = recipe.particles.size_px
    assert 1.1 * least < half.min() < 1.7 * least
    assert 1.0 * most < half.max() < 1.3 * most
