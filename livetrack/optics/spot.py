"""Fluorescent spots: two-dimensional Gaussians integrated over each pixel's area."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["add_spots", "unit_spot_peak"]

_REACH = 6.0  # in sigma; what lies beyond is below 1e-8 of the peak


def add_spots(
    image: npt.NDArray[np.float32],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    sigma: npt.NDArray[np.float64],
    amount: npt.NDArray[np.float64],
) -> None:
    """Add pixel-integrated Gaussian spots to `image` in place.

    Each pixel gets `amount * E(x) * E(y)` with `E(c) = (erf((k + 1/2 - c) / (sqrt(2) sigma)) - erf((k - 1/2 - c)
    / (sqrt(2) sigma))) / 2` at pixel k (Smith et al., Nature Methods 7, 373 (2010), eq. 4).

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    x, y
        (N,) centres, px; they may lie outside the image.
    sigma
        (N,) standard deviation of the Gaussian before integration, px, > 0.
    amount
        (N,) integral over all pixels, photoelectrons; negative for dark spots.
    """
    x, y, sigma, amount = (np.ascontiguousarray(part, np.float64) for part in (x, y, sigma, amount))
    _add_spots(image, x, y, sigma, amount)


def unit_spot_peak(sigma: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the brightest pixel of a spot of amount 1 that is centred on a pixel, for each `sigma` in px."""
    height = np.empty(len(sigma))
    _fill_heights(np.ascontiguousarray(sigma, np.float64), height)
    return height


@njit
def _add_spots(image: Any, x: Any, y: Any, sigma: Any, amount: Any) -> None:
    height, width = image.shape
    for n in range(x.size):
        reach = _REACH * sigma[n] + 1.0
        left = max(0, math.floor(x[n] - reach))
        right = min(width, math.ceil(x[n] + reach) + 1)
        top = max(0, math.floor(y[n] - reach))
        bottom = min(height, math.ceil(y[n] + reach) + 1)
        if left >= right or top >= bottom:
            continue
        columns = np.empty(right - left)
        for j in range(left, right):
            columns[j - left] = _share(j - x[n], sigma[n])
        for i in range(top, bottom):
            row = amount[n] * _share(i - y[n], sigma[n])
            for j in range(left, right):
                image[i, j] += np.float32(row * columns[j - left])


@njit
def _share(distance: float, sigma: float) -> float:
    """Return the part of a one-dimensional Gaussian that falls on the pixel whose centre is `distance` away."""
    scale = 1.0 / (math.sqrt(2.0) * sigma)
    return 0.5 * (math.erf((distance + 0.5) * scale) - math.erf((distance - 0.5) * scale))


@njit
def _fill_heights(sigma: Any, height: Any) -> None:
    for n in range(sigma.size):
        height[n] = _share(0.0, sigma[n]) ** 2
