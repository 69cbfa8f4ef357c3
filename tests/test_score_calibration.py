"""Score calibration: calibrated scores are the fraction of rows that are particles."""

import numpy as np
import pytest

from livetrack.localize.score_calibration import ScoreCalibration, fit_score_calibration
from livetrack.particles import Rows, empty_rows

NOISE = 3.0


def calibrated(calibration: ScoreCalibration, score: np.ndarray, height: np.ndarray, threshold: float = 0.0) -> Rows:
    """Return rows of `score` and `height`, in units of the noise, with calibrated scores."""
    rows = empty_rows(len(score))
    rows["id"], rows["score"], rows["intensity"] = np.arange(len(score)), score, NOISE * height
    return calibration.apply(rows, NOISE, threshold)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.05, 1, 20_000).astype(np.float32), np.exp(rng.uniform(0, 6, 20_000)), rng


def test_a_calibration_is_recovered_from_its_own_rows() -> None:
    truth = ScoreCalibration(slope=1.8, brightness=0.4, shift=-0.9)
    score, height, rng = drawn(1)
    calibration = fit_score_calibration(
        score, height, rng.random(score.size) < calibrated(truth, score, height)["score"]
    )
    assert calibration == pytest.approx(truth, abs=0.1)


def test_half_of_the_rows_of_score_one_half_are_particles() -> None:
    score, height, rng = drawn(2)
    is_particle = rng.random(score.size) < score**2  # the network is overconfident
    probability = calibrated(fit_score_calibration(score, height, is_particle), score, height)["score"]
    assert is_particle[abs(probability - 0.5) < 0.1].mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("is_particle", [True, False])
def test_too_few_rows_leave_scores_nearly_as_they_are(is_particle: bool) -> None:
    nothing = np.empty(0, np.float32)
    assert fit_score_calibration(nothing, nothing, nothing.astype(bool)) == ScoreCalibration()
    calibration = fit_score_calibration(np.full(3, 0.9, np.float32), np.full(3, 5.0), np.full(3, is_particle))
    assert np.isfinite(calibration).all()
    assert (calibrated(calibration, np.array([0.9]), np.array([5.0]))["score"] > 0.9) == is_particle


def test_rows_below_the_threshold_are_left_out_and_the_others_keep_their_order() -> None:
    score, height, _ = drawn(3)
    calibration = ScoreCalibration(slope=1.8, brightness=-0.4, shift=-0.9)
    complete, kept = calibrated(calibration, score, height), calibrated(calibration, score, height, 0.7)
    assert 0 < len(kept) < len(complete)
    np.testing.assert_array_equal(kept["id"], np.flatnonzero(complete["score"] >= np.float32(0.7)))
    for name in ("score", "intensity"):
        np.testing.assert_array_equal(kept[name], complete[name][kept["id"]])
