"""Matched filters, candidates, and the decision between them."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from msgspec import structs

from livetrack.errors import ModelError
from livetrack.localize import load_localizer
from livetrack.localize.evidence.candidates import Candidates, near_rows, of_image
from livetrack.localize.evidence.decision import decide
from livetrack.localize.evidence.matched_filters import BAR, WHITE, MatchedFilters
from livetrack.localize.evidence.scoring import EvidenceScoring
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.normalize import extrapolate_background, normalize_into
from livetrack.particles import Rows, empty_rows
from livetrack.training.calibrate import TYPICAL_WEIGHTS

SIGMAS = (0.9, 1.5, 2.5)
NOISE = 20.0

Image = npt.NDArray[np.float32]


def spots(side: int, places: list[tuple[float, float]], sigma: float, height: float) -> Image:
    """Return Gaussian spots without noise."""
    y, x = np.mgrid[:side, :side].astype(np.float64)
    image = np.zeros((side, side))
    for px, py in places:
        image += height * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2))
    return image.astype(np.float32)


def noise(side: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).standard_normal((side, side)).astype(np.float32)


def grid_of_spots(sigma: float, snr: float, seed: int, side: int = 512) -> tuple[npt.NDArray[np.uint16], Image]:
    """Return an image of 144 isolated spots in white noise, and their places, (144, 2)."""
    rng = np.random.default_rng(seed)
    axis = np.arange(25.0, side - 20, 42)
    places = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2) + rng.uniform(-5, 5, (axis.size**2, 2))
    image = 1000 + NOISE * snr * spots(side, [(x, y) for x, y in places], sigma, 1.0)
    return (image + rng.normal(0, NOISE, image.shape)).round().astype(np.uint16), places.astype(np.float32)


def f1(places: Image, found: npt.NDArray[np.floating]) -> float:
    """Return 2 TP / (N + M), with rows within 3 px of a place that no other row has."""
    free = np.ones(len(found), bool)
    hits = 0
    for place in places:
        distance = np.where(free, np.hypot(*(found - place).T), np.inf) if len(found) else np.array([np.inf])
        if distance.min() < 3:
            hits += 1
            free[distance.argmin()] = False
    return 2 * hits / (len(places) + len(found))


def rows_at(places: list[tuple[float, float]], score: float) -> Rows:
    rows = empty_rows(len(places))
    rows["x"], rows["y"] = np.array(places).reshape(-1, 2).T
    rows["score"] = score
    return rows


def only_evidence(evidence: npt.ArrayLike) -> Candidates:
    """Return candidates that the network has not proposed, alone."""
    values = np.array(evidence, float)
    return Candidates(empty_rows(values.size), np.full(values.size, np.nan), values, np.zeros(values.size))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_a_matched_filter_rises_as_the_signal_of_its_spot_does(sigma: float) -> None:
    pixels, highest, _ = MatchedFilters([sigma]).find_peaks(spots(64, [(30, 33)], sigma, 4.0), threads=1)
    assert pixels.tolist() == [[30, 33]]
    assert highest[33, 30] == pytest.approx(4.0 * sigma * math.sqrt(math.pi), rel=0.01)


def test_the_outputs_have_the_standard_deviation_of_one_up_to_the_edge() -> None:
    filters = MatchedFilters([1.5])
    outputs = np.stack([filters.find_peaks(noise(64, seed), threads=1)[1].copy() for seed in range(40)])
    assert outputs.std() == pytest.approx(1, abs=0.02)
    assert outputs[:, 0].std() == pytest.approx(1, abs=0.06)
    assert outputs[:, :, -1].std() == pytest.approx(1, abs=0.06)


def test_the_number_of_threads_changes_nothing() -> None:
    filters, image = MatchedFilters(SIGMAS), noise(300)
    alone = filters.find_peaks(image, threads=1)[1].copy()
    assert np.array_equal(filters.find_peaks(image, threads=3)[1], alone)


@pytest.mark.parametrize("photons", [10, 25, 100])
def test_the_skewness_of_photon_noise_is_measured_and_corrected(photons: int) -> None:
    rng = np.random.default_rng(photons)
    image = ((rng.poisson(photons, (512, 512)) - photons) / math.sqrt(photons)).astype(np.float32)
    filters = MatchedFilters(SIGMAS)
    pixels, _, found = filters.find_peaks(image, threads=1)
    assert found.skewness == pytest.approx(1 / math.sqrt(photons), rel=0.2)
    white = len(filters.find_peaks(noise(512, photons), threads=1)[0])
    assert len(pixels) == pytest.approx(white, rel=0.25)  # uncorrected, twice as many of 10 photons


def test_structure_of_the_background_shows_in_the_tail() -> None:
    filters, image = MatchedFilters(SIGMAS), noise(256)
    assert filters.find_peaks(image, threads=1)[2].tail == pytest.approx(1, abs=0.15)
    blurred = image.copy()
    for axis in (0, 1):
        blurred = sum(np.roll(blurred, shift, axis) for shift in range(-2, 3)) / math.sqrt(5)
    assert filters.find_peaks(blurred, threads=1)[2].tail > 2


def test_the_background_is_extrapolated_to_the_edge() -> None:
    y, x = np.mgrid[:128, :160].astype(np.float32)
    image = 100 + 3 * x + 2 * y
    flat = np.empty((1, 128, 160), np.float32)
    origin = np.zeros(1, np.int64)
    normalize_into(image, 2.0, 15, np.empty_like(flat), origin, origin, 1.0, flat)
    assert np.abs(flat).max() > 10
    extrapolate_background(image, 2.0, 15, flat[0])
    assert np.abs(flat).max() < 0.01


def test_candidates_are_the_networks_rows_and_the_peaks_apart_from_them() -> None:
    image = spots(96, [(30, 30), (60, 60)], 1.5, 5.0) + 0.1 * noise(96)
    candidates, _ = of_image(rows_at([(30.4, 29.8)], 0.7), image, MatchedFilters(SIGMAS), NOISE, threads=1)
    assert len(candidates.rows) == 2
    assert candidates.logit[0] == pytest.approx(math.log(0.7 / 0.3), abs=1e-5)
    assert math.isnan(candidates.logit[1])
    peak = candidates.rows[1]
    assert (peak["x"], peak["y"]) == pytest.approx((60, 60), abs=0.1)
    assert peak["intensity"] == pytest.approx(5.0 * NOISE, rel=0.05)
    assert candidates.evidence == pytest.approx([5.0 * 1.5 * math.sqrt(math.pi)] * 2, rel=0.03)
    assert not candidates.explained.any()


def test_a_spot_explains_the_evidence_beside_it_but_not_another_spots() -> None:
    filters = MatchedFilters(SIGMAS)
    for second, least, most in ((0.0, -1, 1), (5.0, 6, 14)):
        image = spots(64, [(30, 30)], 1.5, 5.0) + spots(64, [(34, 30)], 1.5, second)
        rows = rows_at([(30, 30), (34, 30)], 0.5)
        candidates, _ = of_image(rows, image, filters, NOISE, threads=1)
        assert candidates.explained[1] > 1
        assert least < candidates.evidence[1] < most


def test_parts_of_an_image_show_the_same_evidence_as_the_whole() -> None:
    image, places = grid_of_spots(1.5, 5, seed=1, side=256)
    flat, origin = np.empty((1, 256, 256), np.float32), np.zeros(1, np.int64)
    normalize_into(image, NOISE, 15, np.empty_like(flat), origin, origin, 1.0, flat)
    rows, filters = rows_at([(x, y) for x, y in places[:25]], 0.5), MatchedFilters(SIGMAS)
    whole, found = of_image(rows, flat[0], filters, NOISE, threads=1)
    parts = near_rows(rows, image, filters, 1 / NOISE, 15, found)
    assert np.abs(parts.evidence - whole.evidence[:25]).max() < 0.5


def test_noise_alone_holds_no_particle() -> None:
    z = np.sqrt(BAR**2 - 2 * np.log(np.random.default_rng(0).random(300)))  # peaks of white noise
    score, law = decide(only_evidence(z), WHITE, np.array(TYPICAL_WEIGHTS))
    assert score.max() < 0.5
    assert law.particles < 0.02


def test_the_same_evidence_means_more_among_many_particles() -> None:
    rng = np.random.default_rng(0)
    peaks = np.sqrt(BAR**2 - 2 * np.log(rng.random(300)))
    weights = np.array(TYPICAL_WEIGHTS)
    few, _ = decide(only_evidence([4.6, *peaks]), WHITE, weights)
    many, law = decide(only_evidence([4.6, *peaks, *rng.normal(5, 1, 150)]), WHITE, weights)
    bright, _ = decide(only_evidence([4.6, *peaks, *rng.normal(40, 2, 150)]), WHITE, weights)
    assert few[0] < 0.2 < many[0]
    assert bright[0] < many[0]  # it is not as bright as the others
    part, same = decide(only_evidence([4.6]), WHITE, weights, law)
    assert few[0] < many[0] == pytest.approx(part[0], abs=0.1)
    assert same.particles == law.particles


def test_without_candidates_there_is_nothing_to_decide() -> None:
    score, _ = decide(only_evidence([]), WHITE, np.array(TYPICAL_WEIGHTS))
    assert score.shape == (0,)


@pytest.mark.parametrize(("sigma", "snr"), [(1.3, 3.0), (1.3, 4.0), (1.0, 4.0)])
def test_faint_spots_are_found_as_by_matched_filters_with_the_best_threshold(sigma: float, snr: float) -> None:
    localizer, filters = load_localizer("spot", threads=1), MatchedFilters([0.9, 1.25, 1.75, 2.5])
    found, best = [], []
    for seed in range(2):
        image, places = grid_of_spots(sigma, snr, seed)
        rows = localizer.localize(image)
        found.append(f1(places, np.stack([rows["x"], rows["y"]], axis=1)))
        flat = (image.astype(np.float32) - 1000) / NOISE
        pixels, highest, _ = filters.find_peaks(flat, threads=1)
        evidence = highest[pixels[:, 1], pixels[:, 0]]
        best.append(max(f1(places, pixels[evidence > bar]) for bar in np.arange(3.5, 6, 0.1)))
    assert np.mean(found) > np.mean(best) - 0.015


def test_scores_are_probabilities_in_each_image() -> None:
    localizer = load_localizer("spot", threads=1, threshold=0.02)
    for sigma, snr in ((1.0, 3.0), (1.3, 4.0)):
        expected = hits = total = 0.0
        for seed in range(4):
            image, places = grid_of_spots(sigma, snr, seed)
            rows = localizer.localize(image)
            distance = np.hypot(rows["x"][:, None] - places[:, 0], rows["y"][:, None] - places[:, 1])
            expected += rows["score"].sum()
            hits += (distance.min(axis=0) < 3).sum()
            total += len(rows)
        assert expected == pytest.approx(hits, abs=0.06 * total)


def test_plain_noise_holds_nothing() -> None:
    localizer = load_localizer("spot", threads=1)
    rng = np.random.default_rng(3)
    images = [rng.poisson(25, (512, 512)), rng.normal(1000, NOISE, (512, 512)).round()]
    assert sum(len(localizer.localize(image.astype(np.uint16))) for image in images) <= 1


@pytest.mark.parametrize("snr", [15, 50, 80])
def test_one_bright_spot_is_found_among_faint_ones(snr: float) -> None:
    image, _ = grid_of_spots(1.3, 4, seed=1)
    bright = image + (NOISE * snr * spots(512, [(46, 67)], 1.3, 1.0)).astype(np.uint16)
    rows = load_localizer("spot", threads=1).localize(bright)
    assert np.hypot(rows["x"] - 46, rows["y"] - 67).min() < 3


def test_hot_pixels_are_not_found() -> None:
    rng = np.random.default_rng(0)
    localizer = load_localizer("spot", threads=1)
    found = 0
    for _ in range(3):
        image = rng.normal(1000, NOISE, (512, 512))
        image.flat[rng.choice(image.size, 20)] += NOISE * rng.uniform(5, 100, 20)
        found += len(localizer.localize(image.round().astype(np.uint16)))
    assert found <= 12  # of 60


@pytest.mark.parametrize("snr", [20, 200, 2000])
def test_wide_spots_are_found_however_bright(snr: float) -> None:
    places = np.stack(np.meshgrid(*2 * [np.arange(16.0, 256, 32)]), -1).reshape(-1, 2) + 0.3
    photons = 25 + 5 * snr * spots(256, [(x, y) for x, y in places], 2.5, 1.0)
    rows = load_localizer("spot", threads=1).localize(np.random.default_rng(0).poisson(photons).astype(np.uint16))
    assert f1(places.astype(np.float32), np.stack([rows["x"], rows["y"]], axis=1)) == 1


def test_whole_and_part_agree_on_faint_spots() -> None:
    localizer = load_localizer("spot", threads=1)
    assert isinstance(localizer, NetworkLocalizer)
    image, _ = grid_of_spots(1.3, 4, seed=5, side=256)
    rows = localizer.localize(image)
    localizer.recall(localizer.learn())
    again = localizer.refine(image, rows)
    assert len(rows) > 20
    assert np.median(np.abs(again["score"] - rows["score"])) < 0.02
    assert (again["score"] > 0.5).mean() > 0.95


def test_a_model_of_another_decision_is_refused() -> None:
    localizer = load_localizer("spot", threads=1)
    assert isinstance(localizer, NetworkLocalizer)
    with pytest.raises(ModelError, match="its decision has 13 weights, this livetrack needs 14; train it again"):
        EvidenceScoring(structs.replace(localizer.card, decision_weights=[0.0] * 13), threads=1)


def test_a_model_without_filters_keeps_the_scores_of_its_network() -> None:
    localizer = load_localizer("bead", threads=1)
    assert isinstance(localizer, NetworkLocalizer)
    assert not localizer.card.filters_px
    image = 1000 + NOISE * spots(128, [(60, 60)], 2.0, 10.0) + NOISE * noise(128)
    assert len(localizer.localize(image)) == 1


def test_an_image_of_one_grey_level_has_no_candidates() -> None:
    spot = load_localizer("spot", threads=1)
    assert isinstance(spot, NetworkLocalizer)
    candidates, its_noise = spot.candidates(np.full((64, 64), 7, np.uint16))
    assert all(len(field) == 0 for field in candidates)
    assert its_noise == WHITE
