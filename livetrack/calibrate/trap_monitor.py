"""Live calibration of a trap from the newest positions of its particle."""

from __future__ import annotations

from collections import deque

import numpy as np
from msgspec import Struct

from livetrack.calibrate.diffusion import DiffusionFit, diffusion_constant
from livetrack.calibrate.equipartition import stiffness_from_variance
from livetrack.calibrate.estimate import Estimate, Floats
from livetrack.calibrate.medium import Medium
from livetrack.calibrate.spectrum import SpectrumFit, stiffness_from_spectrum
from livetrack.errors import InputError

__all__ = ["TrapMonitor", "TrapReading"]

_MAX_MISSING = 0.02  # fraction of the frames that may be interpolated for a spectrum


class TrapReading(Struct, frozen=True, kw_only=True):
    """Results from the newest positions, along x and along y; None if they do not allow one."""

    frames: int
    seconds: float
    missing: float
    """Fraction of the frames without the particle."""
    equipartition: tuple[Estimate | None, Estimate | None]
    """Stiffness, pN/µm, from the variance."""
    spectrum: tuple[SpectrumFit | None, SpectrumFit | None]
    diffusion: tuple[DiffusionFit | None, DiffusionFit | None]
    """For a free particle; too small in a trap."""


class TrapMonitor:
    """Collects the positions of one particle, and evaluates the newest ones on request.

    Parameters
    ----------
    interval_s, exposure_s
        Time between frames, and exposure time.
    medium
        Surrounding the particle.
    seconds
        Time span that is evaluated.
    """

    def __init__(self, interval_s: float, exposure_s: float, medium: Medium | None = None, seconds: float = 10) -> None:
        self.interval_s = interval_s
        self.exposure_s = min(exposure_s, interval_s)
        self.medium = medium or Medium()
        self._rows: deque[tuple[int, float, float, float, float]] = deque(maxlen=max(2, round(seconds / interval_s)))

    def add(self, frame: int, x_um: float, y_um: float, x_std_um: float, y_std_um: float) -> None:
        """Add a position; frame numbers increase, and those left out count as missing."""
        self._rows.append((frame, x_um, y_um, x_std_um, y_std_um))

    def reading(self) -> TrapReading:
        """Evaluate the positions."""
        rows = np.array(self._rows, np.float64).reshape(-1, 5)
        index = (rows[:, 0] - rows[0, 0]).astype(int) if len(rows) else np.zeros(0, int)
        count = int(index[-1]) + 1 if len(rows) else 0
        missing = 1 - len(rows) / count if count else 1.0
        positions = np.full((2, count), np.nan)
        positions[:, index] = rows[:, 1:3].T
        errors = [float(np.sqrt(np.mean(std**2))) if len(rows) else np.nan for std in rows[:, 3:5].T]
        (x, y), (x_error, y_error) = positions, errors
        complete = missing <= _MAX_MISSING
        return TrapReading(
            frames=len(rows),
            seconds=count * self.interval_s,
            missing=missing,
            equipartition=(self._variance(x, x_error), self._variance(y, y_error)),
            spectrum=(self._spectrum(x, x_error), self._spectrum(y, y_error)) if complete else (None, None),
            diffusion=(self._diffusion(x), self._diffusion(y)),
        )

    def _variance(self, x: Floats, error: float) -> Estimate | None:
        try:
            error = error if np.isfinite(error) else 0.0
            return stiffness_from_variance(x, self.interval_s, self.exposure_s, error, self.medium)
        except InputError:
            return None

    def _spectrum(self, x: Floats, error: float) -> SpectrumFit | None:
        known = np.flatnonzero(np.isfinite(x))
        try:
            interpolated = np.interp(np.arange(len(x)), known, x[known]) if len(known) else x
            known_error = error if np.isfinite(error) else None
            return stiffness_from_spectrum(interpolated, self.interval_s, self.exposure_s, known_error, self.medium)
        except InputError:
            return None

    def _diffusion(self, x: Floats) -> DiffusionFit | None:
        try:
            return diffusion_constant(x, self.interval_s, self.exposure_s)
        except InputError:
            return None
