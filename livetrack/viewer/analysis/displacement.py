"""The mean squared displacement of a trajectory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.viewer.analysis.trace import Points

__all__ = ["mean_squared_displacement"]

_LAGS = 24
_LONGEST = 0.25
"""Of the trajectory: longer lags have too few independent pairs."""


def mean_squared_displacement(
    points: Points,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Return lags, s, the mean squared displacement at each, px², and the part of it that the uncertainty makes.

    Over all pairs of positions that are so many frames apart, so that frames that were missed bias nothing; for free
    diffusion in the plane it is 4 D t plus that part, 2 (x_std² + y_std²) (NaN where the uncertainty is not known).
    The lags grow about evenly on a logarithmic axis, up to a quarter of the trajectory. Fewer than 8 positions, or
    frames without times, give none.
    """
    nothing = np.zeros(0), np.zeros(0), float("nan")
    if len(points) < 8:
        return nothing
    frames = points["frame"] - points["frame"][0]
    span, duration_s = int(frames[-1]), float(points["t_s"][-1] - points["t_s"][0])
    if not 0 < span <= 64 * len(points) or not 0 < duration_s < np.inf:
        return nothing
    places = np.full((2, span + 1), np.nan)
    places[0, frames], places[1, frames] = points["x"], points["y"]
    lags = np.unique(np.geomspace(1, max(1, _LONGEST * span), _LAGS).astype(int))
    means = np.array([_mean_square(places, lag) for lag in lags])
    known = np.isfinite(means)
    floor = 2 * float(np.mean(points["x_std"] ** 2 + points["y_std"] ** 2))
    return lags[known] * duration_s / span, means[known], floor


def _mean_square(places: npt.NDArray[np.float64], lag: int) -> float:
    squares = ((places[:, lag:] - places[:, :-lag]) ** 2).sum(axis=0)
    squares = squares[np.isfinite(squares)]
    return float(squares.mean()) if squares.size else float("nan")
