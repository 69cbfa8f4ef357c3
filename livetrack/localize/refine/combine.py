"""Two measurements of the same particles made one: the network's and a fit's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.particles import Rows

__all__ = ["combine_estimates"]

_FAR = 3.0  # standard deviations between the two: beyond, the fit has found something else


def combine_estimates(rows: Rows, fitted: npt.NDArray[np.float64], good: npt.NDArray[np.bool_]) -> None:
    """Average the network's `rows` (N,) with a fit of the same pixels, by their variances, in place.

    Both see the same noise, so their errors are alike. Their covariance is taken to be the smaller variance, which is
    that of an estimator at the Cramér-Rao bound with any other (Kay, Estimation Theory (1993)).

    Parameters
    ----------
    rows
        x, y, x_std, y_std are read; these and xy_cov are written.
    fitted
        (N, 5): x, y, x_std, y_std, px, and their covariance, px².
    good
        (N,) where the fit may be used; where it is too far from the network, it is not.
    """
    network = np.stack([rows["x"], rows["y"], rows["x_std"], rows["y_std"]], axis=1).astype(np.float64)
    variance = network[:, 2:] ** 2 + fitted[:, 2:4] ** 2
    with np.errstate(invalid="ignore"):  # what is not good may be anything
        good = good & ((fitted[:, :2] - network[:, :2]) ** 2 < _FAR**2 * variance).all(axis=1)
    share = network[good, 2:] ** 2 / variance[good]
    place = network[good, :2] + share * (fitted[good, :2] - network[good, :2])
    of_network, of_fit = network[good, 2:] ** 2, fitted[good, 2:4] ** 2
    spread = (
        share**2 * of_fit + (1 - share) ** 2 * of_network + 2 * share * (1 - share) * np.minimum(of_fit, of_network)
    )
    rows["x"][good], rows["y"][good] = place.T
    rows["x_std"][good], rows["y_std"][good] = np.sqrt(spread).T
    rows["xy_cov"][good] = share[:, 0] * share[:, 1] * fitted[good, 4]
