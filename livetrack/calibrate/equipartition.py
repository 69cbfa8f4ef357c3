"""Trap stiffness from how far the particle strays."""

from __future__ import annotations

from math import sqrt

import numpy.typing as npt

from livetrack.calibrate.estimate import Estimate, positions_1d
from livetrack.calibrate.medium import Medium
from livetrack.calibrate.trap_covariance import blur, check_times, covariance
from livetrack.errors import InputError

__all__ = ["stiffness_from_variance"]

_LEAST = 32


def stiffness_from_variance(
    positions_um: npt.ArrayLike,
    interval_s: float,
    exposure_s: float,
    error_um: float = 0.0,
    medium: Medium | None = None,
) -> Estimate:
    """Return a trap's stiffness along one axis, pN/µm, by equipartition: the variance is kT / stiffness.

    The measured variance is blurred by the exposure and has that of the localisation error in it: it is
    (kT / k) S(t_e k / drag) + error² (Wong and Halvorsen, Optics Express 14, 12517 (2006)), which is solved for k.
    The drag, `medium`'s, is needed for the blur alone. The uncertainty is that of a variance from correlated
    positions; what the pixel size, the temperature or a drift add is not in it.

    Parameters
    ----------
    positions_um
        (N,) µm, one axis, one for each frame; NaN where there is none.
    interval_s, exposure_s
        From frame to frame, and how long each was exposed.
    error_um
        Localisation error, standard deviation: of rows, the root mean square of `x_std`.

    Raises
    ------
    InputError
        Too few positions, impossible times, or no more motion than the localisation error makes.
    """
    medium = medium or Medium()
    check_times(interval_s, exposure_s, error_um)
    x = positions_1d(positions_um, _LEAST, gaps=True)
    x = x[x == x]
    measured = float(x.var()) - error_um**2
    if measured <= 0:
        raise InputError(f"positions stray by {x.std():.3g} µm, no more than their error of {error_um:.3g} µm makes")
    stiffness = _solve(measured, exposure_s, medium)
    for _ in range(2):  # the mean is of these same positions: some of the variance went into it
        seen = covariance(medium.corner_hz(stiffness), interval_s, exposure_s)
        stiffness = _solve(measured / (1 - seen.total() / seen.at_0 / len(x)), exposure_s, medium)
    seen = covariance(medium.corner_hz(stiffness), interval_s, exposure_s)
    spread = medium.thermal_energy / stiffness
    variance_std = spread * sqrt(2 * seen.total_of_squares(error_um**2 / spread) / len(x))
    return Estimate(value=stiffness, std=variance_std * _slope(stiffness, exposure_s, medium), unit="pN/µm")


def _solve(variance: float, exposure_s: float, medium: Medium) -> float:
    """Return the stiffness at which the blurred variance is `variance`, µm²: the higher, the less it is."""
    high = medium.thermal_energy / variance  # without blur; with it, a softer trap suffices
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
    return medium.thermal_energy / stiffness * blur(exposure_s * stiffness / medium.drag)


def _slope(stiffness: float, exposure_s: float, medium: Medium) -> float:
    """Return by how much the stiffness changes for a small change of the variance."""
    step = 1e-4 * stiffness
    change = _blurred(stiffness + step, exposure_s, medium) - _blurred(stiffness - step, exposure_s, medium)
    return abs(2 * step / change)
