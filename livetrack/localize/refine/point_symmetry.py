"""The point-symmetry fit: refines particles that look the same after half a turn, such as rods.

Mirrored at its own centre, such a particle coincides with itself. Mirrored at a point c that is off by a small d, it
leaves the difference

    z(p) - z(2c - p) = -2 d . grad f(p - c) + 2 s . (p - c),

with z the grey level, f half the sum of image and mirror image, which is the particle's even part, and s the slope of
the background. Nothing else is assumed of the particle. The noise of the difference and of the sum are independent,
and a shift is odd while the particle is even, so that to first order not knowing the particle costs no precision.

c is the multiple of half a pixel nearest to the particle: pixels are mirrored onto pixels, without interpolation. The
equations are weighted by a smoothed gradient, and the contribution of noise to the product of both gradients is
subtracted, or positions would be biased towards multiples of half a pixel (instrumental variables with a known error
variance).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.combine import fit_each
from livetrack.particles import Rows

__all__ = ["PointSymmetryRefiner"]

Floats = npt.NDArray[np.float64]

_MAX_STEPS = 4
_SMOOTH_PX = 1.2  # standard deviation of the Gaussian that smooths the weighting gradient
_REACH = 4  # of that Gaussian, px
_PAD = _REACH + 2  # around a window, for the smoothing and the derivative, px
_INFORMATIVE = 0.97  # fraction of the information on the position that the window holds
_MARGIN_PX = 3.0  # around that, for the background
_MIN_RADIUS_PX = 4.0  # of a window
_MIN_PIXELS = 30


class PointSymmetryRefiner:
    """Refines particles that look the same after half a turn.

    Parameters
    ----------
    radius_px
        Radius of the largest fit window, px: half a particle's length and some background.
    """

    def __init__(self, radius_px: float) -> None:
        self._radius_px = radius_px

    def refine(
        self, image: npt.NDArray[Any], noise: float, rows: Rows, *,
        buffer: npt.NDArray[Any] | None = None, threads: int = 1, misfit: npt.NDArray[np.float32] | None = None,
    ) -> None:  # fmt: skip
        """Refine x, y, x_std, y_std and xy_cov of `rows` in place. See `Refiner.refine`.

        Pixels nearer to another particle are left out. The fit and the network are averaged (`combine_estimates`).
        Particles at the image's edge and those that the fit moves too far stay as they are. `misfit` is not known.
        """
        if misfit is not None:
            misfit[:] = np.nan
        derivative, smooth = _kernels()
        steps = np.zeros(2 * _REACH + 1)
        steps[_REACH - 2 : _REACH + 3] = derivative
        # contribution of noise of variance 1 in f to the product of a pixel's gradient and its smoothed gradient
        product = float(steps @ np.convolve(smooth, derivative, "same") * smooth[_REACH])

        def fit(first: int, last: int, grey: Any, positions: Any, fitted: Any, good: Any) -> None:
            _fit_particles(
                first, last, grey, noise, positions, self._radius_px, derivative, smooth, product, fitted, good
            )

        fit_each(fit, image, rows, buffer=buffer, threads=threads)

    def warmup(self) -> None:
        """Do nothing: a first call compiles everything."""


def _kernels() -> tuple[Floats, Floats]:
    """Return the five-point derivative, exact up to the fourth power, and the smoothing Gaussian."""
    offset = np.arange(-_REACH, _REACH + 1)
    smooth = np.exp(-0.5 * (offset / _SMOOTH_PX) ** 2)
    return np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12, smooth / smooth.sum()


@njit
def _fit_particles(
    first: int, last: int, grey: Any, noise: float, positions: Any, radius: float, derivative: Any, smooth: Any,
    product: float, fitted: Any, good: Any,
) -> None:  # fmt: skip
    """Write x, y, x_std, y_std, xy_cov of `good` particles into `fitted`, (N, 5); clear `good` where the fit fails."""
    for n in range(first, last):
        fitted[n, :2] = positions[n]
        for _ in range(_MAX_STEPS):
            if not good[n]:
                break
            x, y = np.rint(2 * fitted[n, :2])
            good[n] = _step(grey, noise, positions, n, radius, derivative, smooth, product, fitted[n])
            if x == np.rint(2 * fitted[n, 0]) and y == np.rint(2 * fitted[n, 1]):
                break  # the next step would mirror at the same point


@njit
def _step(
    grey: Any, noise: float, positions: Any, n: int, radius: float, derivative: Any, smooth: Any, product: float,
    fitted: Any,
) -> bool:  # fmt: skip
    """Improve `fitted`, x and y, and write x_std, y_std, xy_cov behind them; return whether that was possible."""
    height, width = grey.shape
    mirror_x, mirror_y = 0.5 * np.rint(2 * fitted[0]), 0.5 * np.rint(2 * fitted[1])
    left, right = math.ceil(mirror_x - radius), math.floor(mirror_x + radius)
    top, bottom = math.ceil(mirror_y - radius), math.floor(mirror_y + radius)
    tall, wide = bottom - top + 1, right - left + 1
    even = np.empty((tall + 2 * _PAD, wide + 2 * _PAD))
    for i in range(even.shape[0]):
        y = min(max(top - _PAD + i, 0), height - 1)
        mirrored_y = min(max(bottom + _PAD - i, 0), height - 1)
        for j in range(even.shape[1]):
            x = min(max(left - _PAD + j, 0), width - 1)
            mirrored_x = min(max(right + _PAD - j, 0), width - 1)
            even[i, j] = 0.5 * (grey[y, x] + grey[mirrored_y, mirrored_x])
    inside = _usable_pixels(positions, n, mirror_x, mirror_y, left, top, tall, wide, height, width, radius)
    smoothed = _convolve(_convolve(even, smooth, 0), smooth, 1)
    slope_x, slope_y = _convolve(even, derivative, 1), _convolve(even, derivative, 0)
    weight_x, weight_y = _convolve(smoothed, derivative, 1), _convolve(smoothed, derivative, 0)

    bias = 0.5 * noise * noise * product
    reach = _informative_radius(
        slope_x, slope_y, weight_x, weight_y, inside, mirror_x - left, mirror_y - top, bias, radius
    )
    weights, terms, differences = np.empty((inside.size, 4)), np.empty((inside.size, 4)), np.empty(inside.size)
    count = 0
    for i in range(tall):
        dy = top + i - mirror_y
        for j in range(wide):
            dx = left + j - mirror_x
            if inside[i, j] and dx * dx + dy * dy <= reach * reach:
                k, m = i + _PAD, j + _PAD
                differences[count] = grey[top + i, left + j] - grey[bottom - i, right - j]
                weights[count] = weight_x[k, m], weight_y[k, m], dx, dy
                terms[count] = -2 * slope_x[k, m], -2 * slope_y[k, m], 2 * dx, 2 * dy
                count += 1
    if count < _MIN_PIXELS:
        return False
    weights, terms, differences = weights[:count], terms[:count], differences[:count]
    across = np.ascontiguousarray(weights.T)
    matrix = across @ terms
    matrix[0, 0] += 2 * bias * count
    matrix[1, 1] += 2 * bias * count
    information = matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
    if matrix[0, 0] >= 0 or information <= 0:
        return False
    inverse = np.linalg.inv(matrix)
    solution = inverse @ (across @ differences)
    residual = differences - terms @ solution
    fitted[0], fitted[1] = mirror_x + solution[0], mirror_y + solution[1]
    # the residuals give each pixel's noise, shot noise included (White, Econometrica 48, 817 (1980)); pairs occur twice
    residual_noise = (across * residual**2) @ weights
    covariance = 2 * (inverse @ residual_noise @ np.ascontiguousarray(inverse.T))
    fitted[2], fitted[3], fitted[4] = math.sqrt(covariance[0, 0]), math.sqrt(covariance[1, 1]), covariance[0, 1]
    return bool(solution[0] ** 2 + solution[1] ** 2 < radius * radius)


@njit
def _convolve(image: Any, kernel: Any, axis: int) -> Any:
    """Correlate `image` with `kernel` along one axis; 0 where the kernel does not fit in."""
    reach = kernel.size // 2
    rows, columns = image.shape
    sums = np.zeros_like(image)
    down, right = (1, 0) if axis == 0 else (0, 1)
    for i in range(reach * down, rows - reach * down):
        for j in range(reach * right, columns - reach * right):
            total = 0.0
            for k in range(-reach, reach + 1):
                total += kernel[k + reach] * image[i + k * down, j + k * right]
            sums[i, j] = total
    return sums


@njit
def _usable_pixels(
    positions: Any, n: int, mirror_x: float, mirror_y: float, left: int, top: int, tall: int, wide: int,
    height: int, width: int, radius: float,
) -> Any:  # fmt: skip
    """Return (tall, wide) bool: pixels that, like their mirror pixels, are in the image and nearest to particle n."""
    inside = np.ones((tall, wide), np.bool_)
    for i in range(tall):
        for j in range(wide):
            inside[i, j] = 0 <= top + i < height and 0 <= left + j < width
    for m in range(len(positions)):
        x, y = positions[m, 0] - mirror_x, positions[m, 1] - mirror_y
        square = x * x + y * y
        if m == n or square > 4 * radius * radius:
            continue
        for i in range(tall):
            dy = top + i - mirror_y
            for j in range(wide):
                if 2 * (x * (left + j - mirror_x) + y * dy) > square:
                    inside[i, j] = False
    for i in range(tall):
        for j in range(wide):
            if not inside[i, j]:
                inside[tall - 1 - i, wide - 1 - j] = False
    return inside


@njit
def _informative_radius(
    slope_x: Any, slope_y: Any, weight_x: Any, weight_y: Any, inside: Any, x: float, y: float, bias: float,
    radius: float,
) -> float:  # fmt: skip
    """Return the radius, px, that holds `_INFORMATIVE` of the information on the position, plus a margin."""
    rings = np.zeros(math.ceil(radius) + 1)
    for i in range(inside.shape[0]):
        for j in range(inside.shape[1]):
            ring = int(math.sqrt((j - x) ** 2 + (i - y) ** 2))
            if inside[i, j] and ring < rings.size:
                k, m = i + _PAD, j + _PAD
                rings[ring] += slope_x[k, m] * weight_x[k, m] + slope_y[k, m] * weight_y[k, m] - 2 * bias
    total = rings.sum()
    within = 0.0
    for ring in range(rings.size):
        within += rings[ring]
        if within >= _INFORMATIVE * total:
            return max(_MIN_RADIUS_PX, ring + 1 + _MARGIN_PX)
    return radius
