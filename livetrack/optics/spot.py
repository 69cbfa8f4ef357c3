"""Fluorescent spots: two-dimensional Gaussians integrated over each pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.optics.drawing import Doubles, Photons, as_doubles, clip_to_image

__all__ = ["add_spots", "unit_spot_peak"]

_REACH = 6.0  # sigma; beyond it the spot is below 1e-8 of its peak


def add_spots(image: Photons, x: Doubles, y: Doubles, sigma: Doubles, amount: Doubles) -> None:
    """Add pixel-integrated Gaussian spots to `image` in place.

    Pixel k gets `amount * E(x) * E(y)` with `E(c) = (erf((k + 1/2 - c) / (sqrt(2) sigma)) - erf((k - 1/2 - c)
    / (sqrt(2) sigma))) / 2` (Smith et al., Nature Methods 7, 373 (2010), eq. 4).

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    x, y
        (N,) centres, px; they may lie outside the image.
    sigma
        (N,) standard deviation of the Gaussian before integration, px, > 0.
    amount
        (N,) sum over all pixels, photoelectrons; negative for dark spots.
    """
    _add_spots(image, *as_doubles(x, y, sigma, amount))


def unit_spot_peak(sigma: Doubles) -> Doubles:
    """Return (N,) brightest pixel of a spot of amount 1 centred on a pixel, for `sigma` (N,) in px."""
    peak = np.empty(len(sigma))
    _fill_peaks(np.ascontiguousarray(sigma, np.float64), peak)
    return peak


@njit
def _add_spots(image: Any, x: Any, y: Any, sigma: Any, amount: Any) -> None:
    height, width = image.shape
    for n in range(x.size):
        reach = _REACH * sigma[n] + 1.0
        left, right = clip_to_image(x[n], reach, width)
        top, bottom = clip_to_image(y[n], reach, height)
        if left >= right or top >= bottom:
            continue
        columns = np.empty(right - left)
        for j in range(left, right):
            columns[j - left] = _pixel_fraction(j - x[n], sigma[n])
        for i in range(top, bottom):
            row = amount[n] * _pixel_fraction(i - y[n], sigma[n])
            for j in range(left, right):
                image[i, j] += np.float32(row * columns[j - left])


@njit
def _pixel_fraction(distance: float, sigma: float) -> float:
    """Return the fraction of a one-dimensional Gaussian that falls on the pixel centred `distance` away."""
    scale = 1.0 / (math.sqrt(2.0) * sigma)
    return 0.5 * (math.erf((distance + 0.5) * scale) - math.erf((distance - 0.5) * scale))


@njit
def _fill_peaks(sigma: Any, peak: Any) -> None:
    for n in range(sigma.size):
        peak[n] = _pixel_fraction(0.0, sigma[n]) ** 2
