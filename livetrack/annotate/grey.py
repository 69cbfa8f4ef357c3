"""Grey levels shown black and white, and images in 8 bits between them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["PERCENTILES", "grey_sample", "levels_of", "to_bytes"]

PERCENTILES = 0.5, 99.95
"""Of the pixels, shown black and white."""
_SAMPLE_PIXELS = 1 << 16


def grey_sample(image: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the finite values, (N,), of about 65,000 pixels of an (H, W) image on a grid."""
    stride = max(1, math.ceil(math.sqrt(image.size / _SAMPLE_PIXELS)))
    sample = image[::stride, ::stride].astype(np.float64).ravel()
    return sample[np.isfinite(sample)]


def levels_of(
    greys: npt.NDArray[np.float64], percentiles: tuple[float, float] = PERCENTILES
) -> tuple[float, float]:  # fmt: skip
    """Return the grey levels at two percentiles of (N,) values, the second above the first; 0, 1 of no values."""
    if not greys.size:
        return 0.0, 1.0
    black, white = (float(level) for level in np.percentile(greys, percentiles))
    return black, max(white, black + 1e-6 * max(1.0, abs(black)))


def to_bytes(image: npt.NDArray[Any], levels: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Return an (H, W) image in 8 bits, from black to white at `levels`; NaN is black."""
    black, white = levels
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (image.astype(np.float32) - np.float32(black)) * np.float32(255 / (white - black))
    grey: npt.NDArray[np.uint8] = np.clip(np.nan_to_num(scaled, copy=False), 0, 255).astype(np.uint8)
    return grey
