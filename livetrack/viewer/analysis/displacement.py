"""The mean squared displacement of a track."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.viewer.analysis.trace import Points

__all__ = ["mean_squared_displacement"]

_LAGS = 24
_MAX_LAG = 0.25
"""Fraction of the track; longer lags have too few independent pairs."""


def mean_squared_displacement(
    points: Points,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Return lags, s, the mean squared displacement at each, px², and the contribution of the uncertainty, px².

    The mean is over all pairs of positions with the same lag in frames, so that missed frames cause no bias. For free
    diffusion in the plane it is 4 D t plus the contribution of the uncertainty, 2 (x_std² + y_std²), which is NaN
    where the uncertainty is unknown. The lags are spaced evenly on a logarithmic axis, up to a quarter of the track.
    The result is empty for fewer than 8 positions, or frames without times.
    """
    empty = np.zeros(0), np.zeros(0), float("nan")
    if len(points) < 8:
        return empty
    frames = points["frame"] - points["frame"][0]
    span, duration_s = int(frames[-1]), float(points["t_s"][-1] - points["t_s"][0])
    if not 0 < span <= 64 * len(points) or not 0 < duration_s < np.inf:
        return empty
    positions = np.full((2, span + 1), np.nan)
    positions[0, frames], positions[1, frames] = points["x"], points["y"]
    lags = np.unique(np.geomspace(1, max(1, _MAX_LAG * span), _LAGS).astype(int))
    means = np.array([_mean_square(positions, lag) for lag in lags])
    known = np.isfinite(means)
    noise = 2 * float(np.mean(points["x_std"] ** 2 + points["y_std"] ** 2))
    return lags[known] * duration_s / span, means[known], noise


def _mean_square(positions: npt.NDArray[np.float64], lag: int) -> float:
    squares = ((positions[:, lag:] - positions[:, :-lag]) ** 2).sum(axis=0)
    squares = squares[np.isfinite(squares)]
    return float(squares.mean()) if squares.size else float("nan")
