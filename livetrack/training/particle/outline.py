"""Outline of a particle in a crop: the pixels around its tracked position that stand out from the noise."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Outline", "find_outline"]

_BLUR = np.array([1, 4, 6, 4, 1]) / 16  # along each axis
_MIN_SIGNAL = 4.0  # standard deviations of the blurred noise
_MIN_PART = 0.15  # of the largest pixel near the position
_NEAR_PX = 4.0


class Outline(NamedTuple):
    """Centre of light, px, number of pixels, and distance of the farthest from the centre; `area` 0: none found."""

    x: float
    y: float
    area: int
    radius: float


def find_outline(crop: npt.NDArray[np.float32], noise: float, x: float, y: float) -> Outline:
    """Return the outline of the particle at (`x`, `y`) px in `crop` (H, W), grey levels, NaN beyond the image's edge.

    It grows from the pixels near the position to all that stand out, bright or dark, and touch it or are one pixel
    away: bright and dark rings belong to the same particle.
    """
    background = float(np.nanmedian(crop))
    signal = np.abs(_blur(np.nan_to_num(crop - background).astype(np.float64)))
    rows, columns = np.indices(crop.shape)
    near = np.hypot(columns - x, rows - y) < _NEAR_PX
    noise_left = noise * float(np.square(_BLUR).sum())
    bright = signal > max(_MIN_SIGNAL * noise_left, _MIN_PART * float(signal[near].max(initial=0.0)))
    mask, before = near & bright, -1
    while (area := int(mask.sum())) != before:
        before = area
        mask = _grow(_grow(mask)) & bright
    if not area:
        return Outline(x, y, 0, 0.0)
    weight = signal * mask
    centre_x, centre_y = float((weight * columns).sum() / weight.sum()), float((weight * rows).sum() / weight.sum())
    radius = math.sqrt(float((mask * ((columns - centre_x) ** 2 + (rows - centre_y) ** 2)).max()))
    return Outline(centre_x, centre_y, area, radius)


def _blur(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    height, width = image.shape
    padded = np.pad(image, 2, mode="edge")
    tall = np.einsum("k,kij->ij", _BLUR, [padded[k : k + height] for k in range(len(_BLUR))])
    blurred: npt.NDArray[np.float64] = np.einsum(
        "k,kij->ij", _BLUR, [tall[:, k : k + width] for k in range(len(_BLUR))]
    )
    return blurred


def _grow(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return `mask` (H, W) with the eight neighbours of each of its pixels."""
    padded = np.pad(mask, 1)
    tall = padded[:-2] | padded[1:-1] | padded[2:]
    return tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]
