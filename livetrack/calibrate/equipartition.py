"""Trap stiffness from the variance of the position."""

from __future__ import annotations

from math import sqrt

import numpy.typing as npt

from livetrack.calibrate.estimate import Estimate, positions_1d
from livetrack.calibrate.medium import Medium
from livetrack.calibrate.trap_covariance import check_times, motion_blur_factor, trap_covariance
from livetrack.errors import InputError

__all__ = ["stiffness_from_variance"]

_MIN_POSITIONS = 32


def stiffness_from_variance(
    positions_um: npt.ArrayLike,
    interval_s: float,
    exposure_s: float,
    error_um: float = 0.0,
    medium: Medium | None = None,
) -> Estimate:
    """Return a trap's stiffness along one axis, pN/µm, by equipartition: the variance is kT / stiffness.

    The measured variance is reduced by motion blur and increased by the localisation error: it is
    (kT / k) S(t_e k / drag) + error² (Wong and Halvorsen, Optics Express 14, 12517 (2006)), which is solved for k.
    The drag of `medium` is needed for the blur only. The uncertainty is that of a variance from correlated positions;
    errors of the pixel size and the temperature, and drift, are not included.

    Parameters
    ----------
    positions_um
        (N,) µm, one axis, one per frame; NaN if missing.
    interval_s, exposure_s
        Time between frames, and exposure time.
    error_um
        Localisation error, standard deviation: for rows, the root mean square of `x_std`.

    Raises
    ------
    InputError
        Too few positions, invalid times, or a variance no larger than that of the localisation error.
    """
    medium = medium or Medium()
    check_times(interval_s, exposure_s, error_um)
    x = positions_1d(positions_um, _MIN_POSITIONS, gaps=True)
    x = x[x == x]
    measured = float(x.var()) - error_um**2
    if measured <= 0:
        raise InputError(
            f"positions vary by {x.std():.3g} µm, no more than their localisation error of {error_um:.3g} µm"
        )
    stiffness = _solve(measured, exposure_s, medium)
    for _ in range(2):  # the mean is estimated from the same positions, which reduces the variance
        covariance = trap_covariance(medium.corner_hz(stiffness), interval_s, exposure_s)
        stiffness = _solve(measured / (1 - covariance.total() / covariance.at_0 / len(x)), exposure_s, medium)
    covariance = trap_covariance(medium.corner_hz(stiffness), interval_s, exposure_s)
    spread = medium.thermal_energy / stiffness
    variance_std = spread * sqrt(2 * covariance.total_of_squares(error_um**2 / spread) / len(x))
    return Estimate(value=stiffness, std=variance_std * _slope(stiffness, exposure_s, medium), unit="pN/µm")


def _solve(variance: float, exposure_s: float, medium: Medium) -> float:
    """Return the stiffness at which the blurred variance is `variance`, µm², by bisection."""
    high = medium.thermal_energy / variance  # without blur; with blur the trap is softer
    low = 0.0
    for _ in range(200):
        middle = (low + high) / 2
        if _blurred(middle, exposure_s, medium) > variance:
            low = middle
        else:
            high = middle
        if high - low < 1e-12 * high:
            break
    return (low + high) / 2


def _blurred(stiffness: float, exposure_s: float, medium: Medium) -> float:
    return medium.thermal_energy / stiffness * motion_blur_factor(exposure_s * stiffness / medium.drag)


def _slope(stiffness: float, exposure_s: float, medium: Medium) -> float:
    """Return the absolute derivative of the stiffness by the variance."""
    step = 1e-4 * stiffness
    change = _blurred(stiffness + step, exposure_s, medium) - _blurred(stiffness - step, exposure_s, medium)
    return abs(2 * step / change)
