"""The combination of a network's rows with a fit."""

from __future__ import annotations

import numpy as np

from livetrack.localize.refine.combine import combine_estimates
from livetrack.particles import empty_rows


def test_the_uncertainty_of_the_average_is_right_and_outliers_are_left_out() -> None:
    """A fit at the bound, and a network with the same noise and some of its own."""
    rng = np.random.default_rng(1)
    count = 20_000
    common, own = rng.normal(0, 0.1, (count, 2)), rng.normal(0, 0.2, (count, 2))
    rows = empty_rows(count)
    rows["x"], rows["y"] = (common + own).T + 5
    rows["x_std"] = rows["y_std"] = np.hypot(0.1, 0.2)
    fitted = np.column_stack([common + 5, np.full((count, 2), 0.1), np.full(count, 0.002)])
    good = np.ones(count, bool)
    good[0], fitted[1, 0] = False, 9
    fitted[0] = np.nan
    before = rows.copy()
    combine_estimates(rows, fitted, good)
    errors = np.concatenate([rows["x"][2:] - 5, rows["y"][2:] - 5])
    assert abs(errors.std() / rows["x_std"][2] - 1) < 0.02
    assert errors.std() < 0.12
    assert 0 < rows["xy_cov"][2] <= 0.002
    for name in ("x", "y", "x_std", "y_std"):
        np.testing.assert_array_equal(rows[name][:2], before[name][:2])
