"""Measures how much of an image's structure round particles at given positions explain, without a model of them.

Around a round particle the gradient points along the radius, and depends on the distance alone. The share of the
gradient's energy that its means over rings explain is 1 there, below 0.8 where a position is on a part of a larger
or of a longer object, and 0.5 or less in texture.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["Roundness", "measure_roundness", "structure_near"]

Array = npt.NDArray[np.float64]

_SMOOTH = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
_SLOPE = np.convolve(_SMOOTH, [0.5, 0.0, -0.5])  # of the blurred image
_SLOPE_VARIANCE = float(np.square(_SMOOTH).sum() * np.square(_SLOPE).sum())  # where the image's is 1
_CORRELATED_PX = 6.0  # pixels of the blurred image per independent one
_WORTH = 0.5  # of a ring's energy that must be explained for the ring to belong to the particles
_SIGNIFICANT = 4.0  # standard deviations of the noise; less energy than that says nothing of a position
_SHARP = 0.25  # of the particles' own energy per pixel: what else is as sharp as that counts as structure
_ABOVE_NOISE = 12.0  # times the noise, likewise
_ROUND_ENOUGH = 0.5  # rows that explain less cover nothing


class Roundness(NamedTuple):
    """What N positions explain in one image; `explained` is NaN where no structure rises over the noise."""

    explained: Array
    """(N,) fraction of the energy around each position."""
    energy: Array
    """(N,) squared gradient around each position, grey levels squared."""
    reach_px: float
    """Distance up to which positions explain most of the energy."""
    radius_px: float
    """Distance up to which positions explain half of that."""
    covered: float
    """Fraction of the image's pixels that are as sharp as the particles, and lie within reach of one of them."""


def measure_roundness(image: npt.NDArray[Any], noise: float, x: Array, y: Array, max_reach_px: int) -> Roundness:
    """Measure what particles at `x`, `y`, each (N,), explain of `image`, (H, W).

    Each pixel counts for the nearest position, up to `max_reach_px`. `noise` is the standard deviation between pixels.
    """
    slope_x, slope_y = _gradient(np.asarray(image, np.float64), _SMOOTH, _SLOPE)
    noise_energy = 2 * _SLOPE_VARIANCE * noise**2
    owner = _nearest(x, y, float(max_reach_px), image.shape[0], image.shape[1])
    count, radial, square, total = _ring_sums(slope_x, slope_y, x, y, owner, max_reach_px + 1)
    mean = radial / np.maximum(count, 1)
    scatter = np.maximum(square / np.maximum(count, 1) - mean**2, 0)
    independent = np.maximum(count / _CORRELATED_PX, 1)
    by_chance = scatter / np.maximum(independent - 1, 0.5)  # of the squared mean
    explained = count * (mean**2 - by_chance)
    energy = total - noise_energy * count
    worth = np.cumsum(explained.sum(0) - _WORTH * np.maximum(energy.sum(0), explained.sum(0)))
    rings = int(np.argmax(worth)) + 1
    own = energy[:, :rings].sum(1)
    pixels = count[:, :rings].sum(1)
    significant = own > _SIGNIFICANT * noise_energy * np.sqrt(_CORRELATED_PX * pixels)
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = np.where(significant, explained[:, :rings].sum(1) / own, np.nan)
        brightest = np.max(np.where(count > 0, energy / count, 0)[:, :rings], axis=1)
    return Roundness(
        np.minimum(fraction, 1.0),
        np.maximum(own, 0),
        float(rings),
        _half(np.maximum(explained[:, :rings].sum(0), 0)),
        _covered(slope_x, slope_y, noise_energy, x, y, owner, rings, fraction, brightest),
    )


def structure_near(image: npt.NDArray[Any], noise: float, x: Array, y: Array, reach_px: float) -> tuple[float, float]:
    """Return the squared gradient of `image`, (H, W), that rises over the noise: within reach of `x`, `y`, and all."""
    slope_x, slope_y = _gradient(np.asarray(image, np.float64), _SMOOTH, _SLOPE)
    energy = slope_x**2 + slope_y**2
    energy[energy < _ABOVE_NOISE * 2 * _SLOPE_VARIANCE * noise**2] = 0
    owner = _nearest(x, y, reach_px, image.shape[0], image.shape[1])
    return float(energy[owner >= 0].sum()), float(energy.sum())


def _half(explained: Array) -> float:
    """Return the distance up to which the rings, 1 px wide each, hold half of what all explain."""
    total = np.append(0.0, np.cumsum(explained))
    return float(np.interp(total[-1] / 2, total, np.arange(total.size))) if total[-1] > 0 else 0.0


def _covered(
    slope_x: Array, slope_y: Array, noise_energy: float, x: Array, y: Array, owner: npt.NDArray[np.int32], rings: int,
    fraction: Array, brightest: Array,
) -> float:  # fmt: skip
    round_ones = np.nan_to_num(fraction) > _ROUND_ENOUGH
    if not round_ones.any():
        return 0.0
    least = max(_SHARP * float(np.median(brightest[round_ones])), _ABOVE_NOISE * noise_energy)
    sharp = slope_x**2 + slope_y**2 > least
    i, j = np.nonzero(sharp)
    nearest = owner[i, j]
    close = np.hypot(j - x[nearest], i - y[nearest]) < rings + 1
    return float((close & round_ones[nearest] & (nearest >= 0)).mean()) if i.size else 1.0


@njit
def _gradient(image: Any, smooth: Any, slope: Any) -> Any:
    """Return the derivatives along x and y of the blurred image; 0 at its edge."""
    height, width = image.shape
    along_x, along_y = np.zeros((height, width)), np.zeros((height, width))
    rows_smooth, rows_slope = np.zeros((height, width)), np.zeros((height, width))
    for i in range(height):
        for j in range(3, width - 3):
            a, b = 0.0, 0.0
            for k in range(-3, 4):
                b -= slope[k + 3] * image[i, j + k]
            for k in range(-2, 3):
                a += smooth[k + 2] * image[i, j + k]
            rows_smooth[i, j], rows_slope[i, j] = a, b
    for i in range(3, height - 3):
        for j in range(3, width - 3):
            a, b = 0.0, 0.0
            for k in range(-3, 4):
                b -= slope[k + 3] * rows_smooth[i + k, j]
            for k in range(-2, 3):
                a += smooth[k + 2] * rows_slope[i + k, j]
            along_x[i, j], along_y[i, j] = a, b
    return along_x, along_y


@njit
def _nearest(x: Any, y: Any, reach: float, height: int, width: int) -> Any:
    """Return the index of the nearest position within `reach` of each pixel, (H, W); -1 where there is none."""
    owner = np.full((height, width), -1, np.int32)
    least = np.full((height, width), reach * reach)
    for n in range(x.size):
        for i in range(max(0, int(y[n] - reach)), min(height, int(y[n] + reach) + 2)):
            for j in range(max(0, int(x[n] - reach)), min(width, int(x[n] + reach) + 2)):
                distance = (i - y[n]) ** 2 + (j - x[n]) ** 2
                if distance < least[i, j]:
                    least[i, j], owner[i, j] = distance, n
    return owner


@njit
def _ring_sums(slope_x: Any, slope_y: Any, x: Any, y: Any, owner: Any, rings: int) -> Any:
    """Return pixels, sums of the radial slope, of its square, and of the squared gradient, each (N, `rings`)."""
    count, radial = np.zeros((x.size, rings)), np.zeros((x.size, rings))
    square, total = np.zeros((x.size, rings)), np.zeros((x.size, rings))
    height, width = owner.shape
    for i in range(3, height - 3):
        for j in range(3, width - 3):
            n = owner[i, j]
            if n >= 0:
                dx, dy = j - x[n], i - y[n]
                distance = np.sqrt(dx * dx + dy * dy)
                ring = min(int(distance), rings - 1)
                along = (slope_x[i, j] * dx + slope_y[i, j] * dy) / max(distance, 0.3)
                count[n, ring] += 1
                radial[n, ring] += along
                square[n, ring] += along * along
                total[n, ring] += slope_x[i, j] ** 2 + slope_y[i, j] ** 2
    return count, radial, square, total
