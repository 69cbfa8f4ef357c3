"""Two spots found as one: separated where the image supports it, and nothing else is."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from livetrack.linking import Linker
from livetrack.localize import load_localizer
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.refine.radial import PROFILE_STEP_PX, RadialRefiner
from livetrack.localize.refine.radial.elongation import ROUND
from livetrack.localize.refine.radial.pairs import WHERE_COMMON, WHERE_RARE, evidence_needed
from livetrack.particles import NO_ID, Flag, Rows, empty_rows
from livetrack.tracker import Tracker

CELL = 40  # px from one particle to the next
SIGMA = 1.3


def spot(dx: np.ndarray, dy: np.ndarray, sigma: float = SIGMA) -> np.ndarray:
    """Return the integral over each pixel of a Gaussian of height 1 at (0, 0)."""
    width = math.sqrt(2) * sigma
    across, down = ((erf((d + 0.5) / width) - erf((d - 0.5) / width)) / 2 for d in (dx, dy))
    image: np.ndarray = 2 * math.pi * sigma**2 * across * down
    return image


RADII = np.arange(0, 20, PROFILE_STEP_PX)
SPOTS = [spot(RADII, np.zeros_like(RADII), sigma) for sigma in np.geomspace(0.8, 3, 32)]


def stretched(ratio: float, angle: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return the shape of spots that are `ratio` times as long, at that angle, as wide."""

    def shape(dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        along, across = dx * math.cos(angle) + dy * math.sin(angle), dy * math.cos(angle) - dx * math.sin(angle)
        image: np.ndarray = np.exp(-0.5 * (along**2 / ratio + across**2 * ratio) / SIGMA**2)
        return image

    return shape


def grid(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Return isolated positions, uniform over the pixel, and the side of their image."""
    across = math.ceil(math.sqrt(count))
    y, x = np.stack(np.divmod(np.arange(count), across)) * CELL + CELL // 2 + rng.random((2, count)) - 0.5
    return x, y, across * CELL


def add(image: np.ndarray, x: float, y: float, height: float, shape: Callable[..., np.ndarray] = spot) -> None:
    i, j = round(y), round(x)
    dy, dx = np.mgrid[-12:13, -12:13]
    image[i - 12 : i + 13, j - 12 : j + 13] += height * shape(dx + j - x, dy + i - y)


def rows_at(x: np.ndarray, y: np.ndarray, height: float, rng: np.random.Generator) -> Rows:
    """Return rows like a network's."""
    rows = empty_rows(x.size)
    rows["x"], rows["y"] = np.stack([x, y]) + rng.normal(0, 0.3, (2, x.size))
    rows["x_std"] = rows["y_std"] = 0.3
    rows["intensity"] = height * np.exp(rng.normal(0, 0.2, x.size))
    rows["score"] = 0.9
    return rows


def fitted(image: np.ndarray, rows: Rows, longest: float = 1.0) -> Rows:
    refiner = RadialRefiner(14.0, SPOTS, longest=longest)
    refiner.refine((100 + image).astype(np.float32), 1.0, rows)
    return refiner.separate(rows)


def pairs(rng: np.random.Generator, apart: float, snr: float, count: int = 144) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of pairs in random directions, `apart` px apart, and their places, (count, 2, 2) x and y."""
    x, y, side = grid(count, rng)
    angle, image = rng.uniform(0, 2 * math.pi, count), rng.normal(size=(side, side))
    half = 0.5 * apart * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    places = np.stack([x, y], axis=1)[:, None] + np.stack([half, -half], axis=1)
    for place in places.reshape(-1, 2):
        add(image, *place, snr)
    return image, places


@pytest.mark.parametrize(
    ("apart", "snr", "least"), [(1.2, 10, 0.4), (1.2, 20, 0.95), (1.5, 10, 0.85), (1.5, 20, 0.97), (2, 10, 0.95)]
)
def test_pairs_become_two_rows_whose_uncertainty_holds(apart: float, snr: float, least: float) -> None:
    rng = np.random.default_rng(1)
    image, places = pairs(rng, apart * SIGMA, snr)
    before = rows_at(*places.mean(axis=1).T, 1.5 * snr, rng)
    rows = fitted(image, before.copy())
    errors, two = [], 0
    for pair in places:
        near = rows[np.hypot(rows["x"] - pair[0, 0], rows["y"] - pair[0, 1]) < 6]
        if len(near) == 2:
            two += 1
            assert not near["flags"].any()
            off = np.stack([near["x"], near["y"]], axis=1) - pair
            crossed = np.stack([near["x"], near["y"]], axis=1) - pair[::-1]
            off = min(off, crossed, key=lambda each: float(np.square(each).sum()))
            errors.append(off / np.stack([near["x_std"], near["y_std"]], axis=1))
    spread = math.sqrt(np.mean(np.square(errors)))
    print(f"{apart} sigma apart, SNR {snr}: {two / len(places):.0%} separated, error / x_std {spread:.2f}")
    assert two >= least * len(places)
    assert 0.8 < spread < 1.15
    assert len(rows) == len(before) + two
    assert np.median(rows["intensity"][len(before) :]) == pytest.approx(snr, rel=0.1)
    assert (rows["id"] == NO_ID).all()
    assert (rows["score"] == before["score"][0]).all()


@pytest.mark.parametrize("snr", [4.0, 10.0, 100.0])
def test_single_spots_stay_single(snr: float) -> None:
    rng = np.random.default_rng(2)
    x, y, side = grid(400, rng)
    image = rng.normal(size=(side, side))
    for place in zip(x, y, strict=True):
        add(image, *place, snr)
    assert len(fitted(image, rows_at(x, y, snr, rng))) <= 401


@pytest.mark.parametrize(("ratio", "angle"), [(1.2, 0.4), (1.5, 2.0)])
def test_what_all_particles_share_is_no_sign_of_two(ratio: float, angle: float) -> None:
    """A moved or astigmatic image: single spots stay single and are not flagged, pairs among them are separated."""
    rng = np.random.default_rng(3)
    x, y, side = grid(100, rng)
    image, shape, double = rng.normal(size=(side, side)), stretched(ratio, angle), np.arange(100) < 20
    direction = rng.uniform(0, 2 * math.pi, 100)
    for px, py, two, to in zip(x, y, double, direction, strict=True):
        for side_of in (1, -1) if two else (0,):
            add(image, px + side_of * SIGMA * math.cos(to), py + side_of * SIGMA * math.sin(to), 30, shape)
    rows = fitted(image, rows_at(x, y, 30, rng))
    assert not rows["flags"][:100][~double].any()
    assert 0.9 * double.sum() <= len(rows) - 100 <= double.sum()
    near = np.hypot(rows["x"][100:, None] - x[double], rows["y"][100:, None] - y[double]).min(axis=1)
    assert (near < 3).all()


def test_long_particles_are_flagged_and_stay_single() -> None:
    """Twice as long, at any angle, as wide: one long particle explains them better than two."""
    rng = np.random.default_rng(4)
    x, y, side = grid(100, rng)
    image = rng.normal(size=(side, side))
    for px, py, angle in zip(x, y, rng.uniform(0, math.pi, 100), strict=True):
        add(image, px, py, 20, stretched(2, angle))
    rows = fitted(image, rows_at(x, y, 20, rng))
    assert len(rows) == 100
    assert np.mean(rows["flags"] == Flag.MERGED) > 0.9
    longer_by_recipe = fitted(image, rows_at(x, y, 20, rng), longest=2.2)
    assert len(longer_by_recipe) == 100
    assert not longer_by_recipe["flags"].any()


def test_noise_that_pixels_share_makes_no_pairs() -> None:
    rng = np.random.default_rng(5)
    x, y, side = grid(225, rng)
    noise = gaussian_filter(rng.normal(size=(side, side)), 0.8)
    image = noise / noise.std()
    for place in zip(x, y, strict=True):
        add(image, *place, 10)
    assert len(fitted(image, rows_at(x, y, 10, rng))) == 225


def test_faint_second_particles_stay_unseen() -> None:
    """A tenth as bright: the one row stays, at the bright one."""
    rng = np.random.default_rng(6)
    x, y, side = grid(100, rng)
    image = rng.normal(size=(side, side))
    for px, py in zip(x, y, strict=True):
        add(image, px, py, 20)
        add(image, px + 2, py, 2)
    assert len(fitted(image, rows_at(x, y, 20, rng))) <= 101


def test_the_evidence_needed_falls_where_pairs_are_common() -> None:
    assert evidence_needed(0, 0) == evidence_needed(1, 1000) == WHERE_RARE
    gains = [evidence_needed(pairs, 1000).gain for pairs in (1, 30, 100, 500, 1000)]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] == WHERE_COMMON.gain


def test_how_common_pairs_are_is_learnt_from_images_before() -> None:
    """A faint pair alone, undecided by itself, is separated in a sequence that showed many."""
    rng = np.random.default_rng(7)
    image, places = pairs(rng, 1.2 * SIGMA, 10)
    refiner = RadialRefiner(14.0, SPOTS)
    middles = places.mean(axis=1)
    alone = []
    for known in (False, True):
        refiner.recall(None)
        if known:
            rows = rows_at(*middles.T, 15.0, rng)
            refiner.refine((100 + image).astype(np.float32), 1.0, rows)
            refiner.separate(rows)
            learnt = refiner.learn()
            assert learnt is not None
            assert learnt.stretch[:2] == ROUND[:2]
            refiner.recall(learnt)
        two = 0
        for x, y in middles:
            i, j = round(y), round(x)
            crop = (100 + image[i - 20 : i + 20, j - 20 : j + 20]).astype(np.float32)
            rows = rows_at(np.array([x - j + 20]), np.array([y - i + 20]), 15.0, np.random.default_rng(8))
            refiner.refine(crop, 1.0, rows)
            two += len(refiner.separate(rows)) == 2
        alone.append(two)
    print(f"separated of {len(middles)}, each alone: {alone[0]}, and where pairs are known to be common: {alone[1]}")
    assert alone[1] > 1.3 * alone[0]


@pytest.fixture(scope="module")
def localizer() -> NetworkLocalizer:
    localizer = load_localizer("spot", threads=1)
    assert isinstance(localizer, NetworkLocalizer)
    return localizer


@pytest.mark.parametrize("follow", [False, True])
def test_tracks_of_a_pair_last(localizer: NetworkLocalizer, follow: bool) -> None:
    """Two spots 1.9 sigma apart and a single one, in motion: as often two with track-guided as with full search."""
    rng = np.random.default_rng(9)
    tracker = Tracker(localizer, Linker(6.0, 2, "velocity"), follow=follow)
    counts, ids = [], set()
    for n in range(40):
        image = rng.normal(200, 5, (256, 256))
        x, y = 60 + 0.1 * n, 80.3 - 0.05 * n
        for px, py in ((x, y), (x + 2.0, y + 1.5), (180.2, 150.7)):
            add(image, px, py, 100)
        rows = tracker.update(image.astype(np.uint16), n / 100)
        rows = rows[rows["flags"] & Flag.COASTED == 0]
        pair = np.hypot(rows["x"] - x - 1, rows["y"] - y - 0.75) < 5
        counts.append(np.count_nonzero(pair))
        ids.update(rows["id"][pair].tolist())
    assert counts.count(2) >= 38
    assert len(ids) <= 3
