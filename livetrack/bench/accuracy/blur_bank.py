"""The bank of four blurs: the simplest detector without any settings, below which no model may fall."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter

from livetrack.bench.accuracy.scene import Scene
from livetrack.particles import Rows, empty_rows

__all__ = ["blur_bank", "levelled"]

Image: TypeAlias = npt.NDArray[Any]

_SIGMAS_PX = (0.9, 1.25, 1.75, 2.5)
_MAXIMUM_PX = 7
_THRESHOLD = 4.4  # standard deviations


def blur_bank(scene: Scene) -> Rows:
    """Return the maxima of the largest of four blurs, each over its own robust noise; the score is that ratio."""
    image = levelled(scene.image.astype(np.float32))
    significance = np.maximum.reduce([_standardize(gaussian_filter(image, sigma)) for sigma in _SIGMAS_PX])
    is_maximum = significance == maximum_filter(significance, _MAXIMUM_PX)
    y, x = np.nonzero(is_maximum & (significance > _THRESHOLD))
    rows = empty_rows(x.size)
    rows["x"], rows["y"], rows["score"] = x, y, significance[y, x]
    return rows


def levelled(image: Image) -> Image:
    """Return the image less the plane fitted to it."""
    row, column = (np.linspace(-1, 1, side, dtype=image.dtype) for side in image.shape)
    tilt_x = (image.mean(axis=0) @ column) / (column @ column)
    tilt_y = (image.mean(axis=1) @ row) / (row @ row)
    difference: Image = image - image.mean() - tilt_x * column - tilt_y * row[:, None]
    return difference


def _standardize(blurred: Image) -> Image:
    sample = blurred[::2, ::2]
    middle = np.median(sample)
    over_noise: Image = (blurred - middle) / (1.4826 * np.median(np.abs(sample - middle)))
    return over_noise
