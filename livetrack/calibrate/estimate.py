"""A measured quantity with its uncertainty."""

from __future__ import annotations

from math import exp, isfinite

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.errors import InputError

__all__ = ["Estimate", "Floats", "positions_1d"]

Floats = npt.NDArray[np.float64]

_95 = 1.959964  # standard deviations


class Estimate(Struct, frozen=True, kw_only=True):
    """A value, its standard uncertainty, and the unit of both."""

    value: float
    std: float
    unit: str = ""

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of a positive quantity, whose logarithm is taken as normal."""
        if not (isfinite(self.std) and self.value > 0):
            return float("nan"), float("nan")
        factor = exp(_95 * self.std / self.value)
        return self.value / factor, self.value * factor

    def times(self, factor: float, unit: str) -> Estimate:
        """Return the estimate in another unit, or of a proportional quantity."""
        return Estimate(value=self.value * factor, std=self.std * abs(factor), unit=unit)

    def __str__(self) -> str:
        return f"{self.value:.4g} ± {self.std:.2g} {self.unit}".rstrip()


def positions_1d(positions: npt.ArrayLike, min_count: int, *, gaps: bool = False) -> Floats:
    """Return positions along one axis as (N,) float64.

    Raises
    ------
    InputError
        Not one axis, fewer than `min_count` finite positions, or some missing although `gaps` is False.
    """
    x = np.asarray(positions, np.float64)
    if x.ndim != 1:
        raise InputError(f"positions: one axis at a time, (N,), not {x.shape}")
    known = int(np.isfinite(x).sum())
    if known < min_count:
        raise InputError(f"positions: {known} are too few, at least {min_count} are needed")
    if known < len(x) and not gaps:
        raise InputError(
            f"positions: {len(x) - known} of {len(x)} are missing: interpolate them, or pass a part without gaps"
        )
    return x
