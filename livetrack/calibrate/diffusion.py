"""The diffusion constant of a free particle."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.calibrate.estimate import Estimate, positions_1d
from livetrack.calibrate.trap_covariance import check_times
from livetrack.errors import InputError

__all__ = ["DiffusionFit", "diffusion_constant"]

_MIN_POSITIONS = 8


class DiffusionFit(Struct, frozen=True, kw_only=True):
    """Diffusion constant and localisation error of a free particle."""

    diffusion: Estimate
    """µm²/s."""
    error_um: float
    """Localisation error, estimated from the steps or as given; NaN if the estimate of its variance is negative."""


def diffusion_constant(
    positions_um: npt.ArrayLike, interval_s: float, exposure_s: float, error_um: float | None = None
) -> DiffusionFit:
    """Return a particle's diffusion constant along one axis, µm²/s, by the covariance estimator.

    A localisation error makes successive steps anticorrelated, which distinguishes it from diffusion: no fit, no choice
    of lags, and no bias (Vestergaard, Blainey and Flyvbjerg, Physical Review E 89, 022726 (2014)). It assumes free
    diffusion: a trap, a wall or a flow biases the result.

    Parameters
    ----------
    positions_um
        (N,) µm, one axis, one per frame; NaN if missing.
    interval_s, exposure_s
        Time between frames, and exposure time.
    error_um
        Localisation error, if known; it makes the result more precise.

    Raises
    ------
    InputError
        Too few positions, or invalid times.
    """
    check_times(interval_s, exposure_s, error_um)
    steps = np.diff(positions_1d(positions_um, _MIN_POSITIONS, gaps=True))
    squares, products = _known(steps**2), _known(steps[1:] * steps[:-1])
    if min(len(squares), len(products)) < _MIN_POSITIONS - 2:
        raise InputError(f"positions: too many gaps, only {len(products)} pairs of successive steps")
    count = len(squares)
    square, product = float(squares.mean()), float(products.mean())
    blur = exposure_s / (6 * interval_s)
    if error_um is None:
        value = square / (2 * interval_s) + product / interval_s
        noise = blur * square + (2 * blur - 1) * product
        epsilon = noise / (value * interval_s) - 2 * blur
        relative = (6 + 4 * epsilon + 2 * epsilon**2) / count + 4 * (1 + epsilon) ** 2 / count**2
    else:
        noise = error_um**2
        value = (square - 2 * noise) / (2 * (1 - 2 * blur) * interval_s)
        epsilon = noise / (value * interval_s) - 2 * blur
        relative = (2 + 4 * epsilon + 3 * epsilon**2) / (count * (1 - 2 * blur) ** 2)
    return DiffusionFit(
        diffusion=Estimate(value=value, std=abs(value) * sqrt(max(0.0, relative)), unit="µm²/s"),
        error_um=sqrt(noise) if noise >= 0 else float("nan"),
    )


def _known(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values[np.isfinite(values)]
