"""Mean radial profile of particles without a model: the intensity of the core and of a ring around it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from livetrack.check.blobs import Blobs

__all__ = ["core_and_ring"]

Array = npt.NDArray[np.float64]

_MIN_BACKGROUND_PX = 5  # pixels
_MAX_PROFILES = 400  # averaged, approximately
_MIN_MEASURED = 0.75  # of the circles on which a ring may lie


def core_and_ring(
    images: Sequence[npt.NDArray[np.float32]], found: Sequence[Blobs], sigma: float, sign: float
) -> tuple[float, float | None]:
    """Return the intensity of the core, and that of the strongest ring of opposite sign relative to it, 0 to 1.

    The intensity is NaN if it could not be measured. The ring is None if the circles on which it may lie, from 1 to 4
    sigma, could not be measured: they are outside of the images, or the particles are too crowded.
    """
    reach = math.ceil(6 * sigma) + 1
    profiles: list[Array] = []
    each = math.ceil(_MAX_PROFILES / len(images))
    for image, blobs in zip(images, found, strict=True):
        profiles += _profiles(image, blobs, sigma, reach, each)
    if not profiles:
        return math.nan, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a circle outside all images
        intensity = sign * np.nanmedian(profiles, axis=0)
    core = float(np.nanmax(intensity[:2]))
    if core <= 0:
        return math.nan, None
    distance = np.arange(intensity.size)
    around = intensity[(distance >= sigma) & (distance <= 4 * sigma)]
    if np.isfinite(around).mean() < _MIN_MEASURED:
        return core, None
    return core, min(1.0, max(0.0, -float(np.nanmin(around)) / core))


def _profiles(image: npt.NDArray[np.float32], blobs: Blobs, sigma: float, reach: int, count: int) -> list[Array]:
    """Return for about `count` particles the mean grey level on circles of radius 0 to `reach`, over its background.

    The background is all pixels within reach and more than 4 sigma from every particle. Particles without one are left
    out: the gaps in a crowd would look like rings. Circles of which less than half is in the image are NaN.
    """
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    padded = np.pad(image, reach, constant_values=np.nan)
    rows, columns = blobs.y.round().astype(int), blobs.x.round().astype(int)
    free = np.isfinite(padded)
    near = np.hypot(x, y) <= 4 * sigma
    for i, j in zip(rows, columns, strict=True):
        free[i : i + 2 * reach + 1, j : j + 2 * reach + 1] &= ~near
    full = np.bincount(np.hypot(x, y).round().astype(int).ravel(), minlength=reach + 1)[: reach + 1]
    profiles = []
    for n in range(0, rows.size, max(1, math.ceil(rows.size / count))):
        i, j = rows[n], columns[n]
        window = slice(i, i + 2 * reach + 1), slice(j, j + 2 * reach + 1)
        crop, background = padded[window], padded[window][free[window]]
        if background.size >= _MIN_BACKGROUND_PX:
            circle = np.hypot(x - (blobs.x[n] - j), y - (blobs.y[n] - i)).round().astype(int)
            inside = np.isfinite(crop) & (circle <= reach)
            total = np.bincount(circle[inside], crop[inside], reach + 1)
            pixels = np.bincount(circle[inside], minlength=reach + 1)
            mean = np.where(pixels >= full / 2, total / np.maximum(pixels, 1), np.nan)
            profiles.append(mean - float(np.median(background)))
    return profiles
