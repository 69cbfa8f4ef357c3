"""Covariance of the positions of a trapped particle, as measured by a camera with motion blur."""

from __future__ import annotations

from math import exp, inf, pi, sinh

from livetrack.errors import InputError

__all__ = ["TrapCovariance", "check_times", "motion_blur_factor", "trap_covariance"]


class TrapCovariance:
    """Covariance of positions n frames apart, in units of kT / stiffness: `at_0`, then `at_1 * decay**(n - 1)`."""

    def __init__(self, at_0: float, at_1: float, decay: float) -> None:
        self.at_0 = at_0
        self.at_1 = at_1
        self.decay = decay

    def total(self) -> float:
        """Return the sum over all n, of either sign: the spectrum at frequency 0."""
        return self.at_0 + 2 * self.at_1 / (1 - self.decay)

    def total_of_squares(self, noise: float = 0.0) -> float:
        """Return the sum of squares over all n, with the variance `noise` added at n = 0."""
        return (self.at_0 + noise) ** 2 + 2 * self.at_1**2 / (1 - self.decay**2)


def motion_blur_factor(exposure_ratio: float) -> float:
    """Return the factor by which an exposure of `exposure_ratio` relaxation times reduces the variance.

    S(y) = 2 / y - (2 / y²) (1 - exp(-y)): Wong and Halvorsen, Optics Express 14, 12517 (2006).
    """
    y = exposure_ratio
    return 1 - y / 3 + y**2 / 12 if y < 1e-4 else 2 / y - 2 / y**2 * (1 - exp(-y))


def trap_covariance(corner_hz: float, interval_s: float, exposure_s: float) -> TrapCovariance:
    """Return the covariance in a trap of this corner frequency, without localisation error."""
    rate = 2 * pi * corner_hz
    decay = exp(-rate * interval_s)
    half = rate * exposure_s / 2
    between = (sinh(half) / half) ** 2 if half > 1e-6 else 1.0  # two separate exposures
    return TrapCovariance(motion_blur_factor(rate * exposure_s), between * decay, decay)


def check_times(interval_s: float, exposure_s: float, error_um: float | None) -> None:
    """Raise an `InputError` for impossible times or errors."""
    if not 0 < interval_s < inf:
        raise InputError(f"interval_s = {interval_s} must be above 0")
    if not 0 <= exposure_s <= interval_s * (1 + 1e-9):
        raise InputError(f"exposure_s = {exposure_s} must be from 0 to the {interval_s} s between two frames")
    if error_um is not None and not 0 <= error_um < inf:
        raise InputError(f"error_um = {error_um} must be 0 or more, or None if unknown")
