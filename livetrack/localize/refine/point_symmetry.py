"""Precision for particles that are not round but look the same after half a turn, as rods do.

Mirrored at a point c, such a particle lies on itself where c is its centre. Where it is off by a small d, grey level
minus mirrored grey level is

    z(p) - z(2c - p) = -2 d . grad f(p - c) + 2 s . (p - c),

with f half the sum of both, which is the particle's own even part, and s the slope of the background. Nothing else is
assumed of the particle. The noise of the difference and that of the sum are independent, and a shift is odd where the
particle is even, so that not knowing the particle costs the position nothing at first order.

c is the multiple of half a pixel next to the particle: its mirrored pixels are pixels, and nothing is interpolated. The
equations are weighed with a smoothed gradient, and what noise adds to the product of both gradients is taken off, or
positions would be drawn to the multiples of half a pixel (instrumental variables, with a known error variance).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.normalize import as_float
from livetrack.localize.parallel import parallel_for
from livetrack.localize.refine.combine import combine_estimates
from livetrack.particles import Flag, Rows

__all__ = ["PointSymmetryRefiner"]

Floats = npt.NDArray[np.float64]

_STEPS = 4  # at most
_SMOOTH_PX = 1.2  # standard deviation of the smoothing of the gradient that weighs
_REACH = 4  # px, of the smoothing
_PAD = _REACH + 2  # px about a window, for the smoothing and the derivative
_USEFUL = 0.97  # share of the information on the position that lies within the window
_MARGIN_PX = 3.0  # about that, for the background
_LEAST_PX = 4.0  # radius of a window
_LEAST_PIXELS = 30
_FEW = 4  # particles for which a second thread is not worth its start


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
        buffer: npt.NDArray[Any] | None = None, threads: int = 1,
    ) -> None:  # fmt: skip
        """Refine x, y, x_std, y_std and xy_cov of `rows` in place. See `Refiner.refine`.

        Pixels nearer to another particle are left out. The fit and the network are averaged (`combine_estimates`).
        Particles at the image's edge and those that the fit moves too far stay as they are.
        """
        grey = as_float(image, buffer)
        positions = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float64)
        good = (rows["flags"] & Flag.EDGE) == 0
        fitted = np.full((len(rows), 5), np.nan)
        derivative, smooth = _kernels()
        steps = np.zeros(2 * _REACH + 1)
        steps[_REACH - 2 : _REACH + 3] = derivative
        # what noise of variance 1 in f adds to a pixel's product of its gradient and the smoothed one
        product = float(steps @ np.convolve(smooth, derivative, "same") * smooth[_REACH])

        def fit(first: int, last: int) -> None:
            _fit_particles(
                first, last, grey, noise, positions, self._radius_px, derivative, smooth, product, fitted, good
            )

        parallel_for(fit, len(rows), threads, _FEW)
        combine_estimates(rows, fitted, good)

    def warmup(self) -> None:
        """Do nothing: a first call compiles everything."""


def _kernels() -> tuple[Floats, Floats]:
    """Return the derivative at five points, exact up to the fourth power, and the smoothing Gaussian."""
    place = np.arange(-_REACH, _REACH + 1)
    smooth = np.exp(-0.5 * (place / _SMOOTH_PX) ** 2)
    return np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12, smooth / smooth.sum()


@njit
def _fit_particles(
    first: int, last: int, grey: Any, noise: float, places: Any, radius: float, derivative: Any, smooth: Any,
    product: float, fitted: Any, good: Any,
) -> None:  # fmt: skip
    """Fill `fitted` (N, 5): x, y, x_std, y_std, xy_cov, where it is `good`, and tell where it is not."""
    for n in range(first, last):
        fitted[n, :2] = places[n]
        for _ in range(_STEPS):
            if not good[n]:
                break
            x, y = np.rint(2 * fitted[n, :2])
            good[n] = _fit(grey, noise, places, n, radius, derivative, smooth, product, fitted[n])
            if x == np.rint(2 * fitted[n, 0]) and y == np.rint(2 * fitted[n, 1]):
                break  # it would be mirrored at the same point again


@njit
def _fit(
    grey: Any, noise: float, places: Any, n: int, radius: float, derivative: Any, smooth: Any, product: float, own: Any
) -> bool:
    """Improve `own`, x and y, and tell their covariance: x_std, y_std, xy_cov; return whether that was possible."""
    height, width = grey.shape
    middle_x, middle_y = 0.5 * np.rint(2 * own[0]), 0.5 * np.rint(2 * own[1])
    left, right = math.ceil(middle_x - radius), math.floor(middle_x + radius)
    top, bottom = math.ceil(middle_y - radius), math.floor(middle_y + radius)
    tall, wide = bottom - top + 1, right - left + 1
    even = np.empty((tall + 2 * _PAD, wide + 2 * _PAD))
    for i in range(even.shape[0]):
        y = min(max(top - _PAD + i, 0), height - 1)
        mirrored_y = min(max(bottom + _PAD - i, 0), height - 1)
        for j in range(even.shape[1]):
            x = min(max(left - _PAD + j, 0), width - 1)
            mirrored_x = min(max(right + _PAD - j, 0), width - 1)
            even[i, j] = 0.5 * (grey[y, x] + grey[mirrored_y, mirrored_x])
    inside = _inside(places, n, middle_x, middle_y, left, top, tall, wide, height, width, radius)
    smoothed = _along(_along(even, smooth, 0), smooth, 1)
    slope_x, slope_y = _along(even, derivative, 1), _along(even, derivative, 0)
    weight_x, weight_y = _along(smoothed, derivative, 1), _along(smoothed, derivative, 0)

    bias = 0.5 * noise * noise * product
    reach = _useful(slope_x, slope_y, weight_x, weight_y, inside, middle_x - left, middle_y - top, bias, radius)
    weights, terms, differences = np.empty((inside.size, 4)), np.empty((inside.size, 4)), np.empty(inside.size)
    count = 0
    for i in range(tall):
        dy = top + i - middle_y
        for j in range(wide):
            dx = left + j - middle_x
            if inside[i, j] and dx * dx + dy * dy <= reach * reach:
                k, m = i + _PAD, j + _PAD
                differences[count] = grey[top + i, left + j] - grey[bottom - i, right - j]
                weights[count] = weight_x[k, m], weight_y[k, m], dx, dy
                terms[count] = -2 * slope_x[k, m], -2 * slope_y[k, m], 2 * dx, 2 * dy
                count += 1
    if count < _LEAST_PIXELS:
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
    found = inverse @ (across @ differences)
    remains = differences - terms @ found
    own[0], own[1] = middle_x + found[0], middle_y + found[1]
    # what remains tells each pixel's noise, bright ones' too (White, Econometrica 48, 817 (1980)); pairs count twice
    spread = (across * remains**2) @ weights
    covariance = 2 * (inverse @ spread @ np.ascontiguousarray(inverse.T))
    own[2], own[3], own[4] = math.sqrt(covariance[0, 0]), math.sqrt(covariance[1, 1]), covariance[0, 1]
    return bool(found[0] ** 2 + found[1] ** 2 < radius * radius)


@njit
def _along(image: Any, kernel: Any, axis: int) -> Any:
    """Return the sums of `image`, weighed by `kernel` about each pixel along one axis; 0 where it does not fit in."""
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
def _inside(
    places: Any, n: int, middle_x: float, middle_y: float, left: int, top: int, tall: int, wide: int,
    height: int, width: int, radius: float,
) -> Any:  # fmt: skip
    """Return (tall, wide) bool: pixels of the image, nearer to particle n than to any other, as their mirrored ones."""
    inside = np.ones((tall, wide), np.bool_)
    for i in range(tall):
        for j in range(wide):
            inside[i, j] = 0 <= top + i < height and 0 <= left + j < width
    for m in range(len(places)):
        x, y = places[m, 0] - middle_x, places[m, 1] - middle_y
        square = x * x + y * y
        if m == n or square > 4 * radius * radius:
            continue
        for i in range(tall):
            dy = top + i - middle_y
            for j in range(wide):
                if 2 * (x * (left + j - middle_x) + y * dy) > square:
                    inside[i, j] = False
    for i in range(tall):
        for j in range(wide):
            if not inside[i, j]:
                inside[tall - 1 - i, wide - 1 - j] = False
    return inside


@njit
def _useful(
    slope_x: Any, slope_y: Any, weight_x: Any, weight_y: Any, inside: Any, x: float, y: float, bias: float,
    radius: float,
) -> float:  # fmt: skip
    """Return the radius, px, that holds `_USEFUL` of the information on the position, and a margin."""
    rings = np.zeros(math.ceil(radius) + 1)
    for i in range(inside.shape[0]):
        for j in range(inside.shape[1]):
            ring = int(math.sqrt((j - x) ** 2 + (i - y) ** 2))
            if inside[i, j] and ring < rings.size:
                k, m = i + _PAD, j + _PAD
                rings[ring] += slope_x[k, m] * weight_x[k, m] + slope_y[k, m] * weight_y[k, m] - 2 * bias
    whole = rings.sum()
    held = 0.0
    for ring in range(rings.size):
        held += rings[ring]
        if held >= _USEFUL * whole:
            return max(_LEAST_PX, ring + 1 + _MARGIN_PX)
    return radius
