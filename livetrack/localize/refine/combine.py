"""Fits particles one by one, and combines each fit with the network's measurement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.localize.normalize import as_float
from livetrack.localize.parallel import parallel_for
from livetrack.particles import Flag, Rows

__all__ = ["combine_estimates", "fit_each"]

_MIN_CHUNK = 4  # particles that are worth a thread
_MAX_DISTANCE = 3.0  # standard deviations between the two: farther apart, the fit has found something else


def combine_estimates(rows: Rows, fitted: npt.NDArray[np.float64], good: npt.NDArray[np.bool_]) -> None:
    """Average the network's `rows` (N,) with a fit to the same pixels, weighted by the variances, in place.

    Both see the same noise, so their errors are correlated. Their covariance is assumed to be the smaller variance, as
    it is between an estimator at the Cramér-Rao bound and any other (Kay, Estimation Theory (1993)).

    Parameters
    ----------
    rows
        x, y, x_std, y_std are read; these and xy_cov are written.
    fitted
        (N, 5): x, y, x_std, y_std, px, and their covariance, px².
    good
        (N,) whether the fit may be used; fits too far from the network are not used.
    """
    network = np.stack([rows["x"], rows["y"], rows["x_std"], rows["y_std"]], axis=1).astype(np.float64)
    variance = network[:, 2:] ** 2 + fitted[:, 2:4] ** 2
    with np.errstate(invalid="ignore"):  # rows that are not good may hold anything
        good = good & ((fitted[:, :2] - network[:, :2]) ** 2 < _MAX_DISTANCE**2 * variance).all(axis=1)
    weight = network[good, 2:] ** 2 / variance[good]  # of the fit
    position = network[good, :2] + weight * (fitted[good, :2] - network[good, :2])
    network_variance, fit_variance = network[good, 2:] ** 2, fitted[good, 2:4] ** 2
    combined = (
        weight**2 * fit_variance
        + (1 - weight) ** 2 * network_variance
        + 2 * weight * (1 - weight) * np.minimum(fit_variance, network_variance)
    )
    rows["x"][good], rows["y"][good] = position.T
    rows["x_std"][good], rows["y_std"][good] = np.sqrt(combined).T
    rows["xy_cov"][good] = weight[:, 0] * weight[:, 1] * fitted[good, 4]


def fit_each(
    fit: Callable[[int, int, Any, Any, Any, Any], None],
    image: npt.NDArray[Any],
    rows: Rows,
    *,
    buffer: npt.NDArray[Any] | None,
    threads: int,
) -> None:
    """Fit every particle of `rows` (N,) that is not at the image's edge, and combine the estimates, in place.

    `fit(first, last, grey, positions, fitted, good)` fits particles `first` to `last`, in several threads at once, from
    the image `grey` (H, W), float32, and x and y in `positions` (N, 2); it writes `fitted` and `good`, as
    `combine_estimates` takes them. The other parameters are those of `Refiner.refine`.
    """
    grey = as_float(image, buffer)
    positions = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float64)
    fitted, good = np.full((len(rows), 5), np.nan), (rows["flags"] & Flag.EDGE) == 0
    parallel_for(lambda first, last: fit(first, last, grey, positions, fitted, good), len(rows), threads, _MIN_CHUNK)
    combine_estimates(rows, fitted, good)
