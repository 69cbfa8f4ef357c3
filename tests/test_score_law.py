"""Scores that say how many of their rows are particles."""

import numpy as np
import pytest

from livetrack.localize.score_law import ScoreLaw, fit_score_law


def test_the_law_is_found_again_from_what_it_makes() -> None:
    rng = np.random.default_rng(1)
    truth = ScoreLaw(slope=1.8, shift=0.5)
    score = rng.uniform(0.05, 1, 20_000).astype(np.float32)
    law = fit_score_law(score, rng.random(score.size) < truth.probability(score))
    assert (law.slope, law.shift) == pytest.approx((1.8, 0.5), abs=0.1)


def test_half_of_the_rows_of_score_one_half_are_particles() -> None:
    rng = np.random.default_rng(2)
    score = rng.uniform(0.05, 1, 20_000).astype(np.float32)
    is_particle = rng.random(score.size) < score**2  # overconfident throughout
    probability = fit_score_law(score, is_particle).probability(score)
    assert is_particle[abs(probability - 0.5) < 0.1].mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("probability", [0.01, 0.5, 0.9])
def test_a_threshold_finds_its_way_back(probability: float) -> None:
    law = ScoreLaw(2.0, -0.7)
    assert law.probability(np.array([law.score(probability)], np.float32)) == pytest.approx(probability, rel=1e-4)


@pytest.mark.parametrize("is_particle", [True, False])
def test_too_few_rows_leave_scores_as_they_are(is_particle: bool) -> None:
    none = fit_score_law(np.empty(0, np.float32), np.empty(0, bool))
    assert (none.slope, none.shift) == (1.0, 0.0)
    law = fit_score_law(np.full(3, 0.9, np.float32), np.full(3, is_particle))
    assert 0.1 <= law.slope < 20
    assert np.isfinite(law.shift)
