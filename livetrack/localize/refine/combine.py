"""Combines the network's measurement of a particle with that of a fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.particles import Rows

__all__ = ["combine_estimates"]

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
