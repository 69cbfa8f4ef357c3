"""Candidates of the classical methods: local maxima of the blurred image, Crocker and Grier's way."""

from __future__ import annotations

from typing import Any

import numpy as np

from livetrack.jit import njit

__all__ = ["blur", "heights", "peaks"]

_KERNEL = np.array([0.0545, 0.2442, 0.4026, 0.2442, 0.0545])  # Gaussian of 1 px
_BAND_NOISE = float((_KERNEL**2).sum())  # standard deviation that the blur leaves of white noise of 1


@njit
def blur(image: Any, out: Any) -> None:
    """Blur by a Gaussian of 1 px, mirrored at the edge, into `out`, in units of the noise that is left."""
    height, width = image.shape
    rows = np.empty_like(image)
    for i in range(height):
        for j in range(width):
            total = 0.0
            for k in range(-2, 3):
                total += _KERNEL[k + 2] * image[i, _mirror(j + k, width)]
            rows[i, j] = total
    for i in range(height):
        for j in range(width):
            total = 0.0
            for k in range(-2, 3):
                total += _KERNEL[k + 2] * rows[_mirror(i + k, height), j]
            out[i, j] = total / _BAND_NOISE


@njit
def _mirror(index: int, length: int) -> int:
    if index < 0:
        return -index
    return 2 * length - 2 - index if index >= length else index


@njit
def peaks(band: Any, sign: float, radius: int, least: float) -> Any:
    """Return (y, x) of the pixels that are the highest of the disc about them and at least `least`."""
    height, width = band.shape
    found = np.empty((256, 2), np.int64)
    count = 0
    for i in range(height):
        for j in range(width):
            here = sign * band[i, j]
            if here < least or not _highest(band, sign, i, j, here, radius):
                continue
            if count == found.shape[0]:
                found = np.concatenate((found, np.empty_like(found)))
            found[count] = i, j
            count += 1
    return found[:count]


@njit
def _highest(band: Any, sign: float, row: int, column: int, here: float, radius: int) -> bool:
    for i in range(max(0, row - radius), min(band.shape[0], row + radius + 1)):
        for j in range(max(0, column - radius), min(band.shape[1], column + radius + 1)):
            if (i - row) ** 2 + (j - column) ** 2 <= radius * radius:
                other = sign * band[i, j]
                if other > here or (other == here and (i < row or (i == row and j < column))):
                    return False
    return True


@njit
def heights(flat: Any, sign: float, x: Any, y: Any, out: Any) -> None:
    """Write the extreme of the 3x3 pixels about each centre into `out`; `sign` is +1 for bright, -1 for dark."""
    for n in range(x.size):
        row = min(max(round(y[n]), 0), flat.shape[0] - 1)
        column = min(max(round(x[n]), 0), flat.shape[1] - 1)
        best = flat[row, column]
        for i in range(max(0, row - 1), min(flat.shape[0], row + 2)):
            for j in range(max(0, column - 1), min(flat.shape[1], column + 2)):
                if sign * flat[i, j] > sign * best:
                    best = flat[i, j]
        out[n] = best
