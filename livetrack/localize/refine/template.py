"""Precision for particles that look as in a picture: the picture itself, moved, turned and resized onto each.

    z(x, y) = A T((p - c) turned by -angle, resized by 1 / scale) + b + s . (p - c)

Position, angle and scale start from the network's position, the best of some angles, and the picture's own size; then
a few Gauss-Newton steps take all to the least squares. That is at the Cramér-Rao bound as far as the picture is right:
its own noise shifts all positions by the same part of a pixel, as seen from the particle.
"""

from __future__ import annotations

import math
from base64 import b64decode
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.normalize import as_float
from livetrack.localize.parallel import parallel_for
from livetrack.localize.refine.combine import combine_estimates
from livetrack.optics.template import FINE, Template, make_template
from livetrack.particles import Flag, Rows

__all__ = ["TemplateRefiner"]

_ANGLES = 16  # that are tried where the particle may be turned
_STEPS = 4
_MOST_PX, _MOST_TURN, _MOST_GROWTH = 0.5, 0.3, 0.1  # that a step may change
_FAINT, _MARGIN_PX = 0.03, 2.0  # what is fainter, of the height, is not needed; but some background is
_FAR_PX = 2.0  # from where it began: beyond, the fit is lost
_TERMS = 8  # x, y, angle, log scale, height, background, its slopes
_RIDGE = 1e-9
_FEW = 4  # particles for which a second thread is not worth its start


class TemplateRefiner:
    """The fit for one picture.

    Parameters
    ----------
    template
        The picture, see `make_template`.
    turns
        Whether particles may have any orientation.
    scale
        Least and most size over that in the picture.
    """

    def __init__(self, template: Template, turns: bool, scale: tuple[float, float]) -> None:
        self._template = template
        self._angles = np.arange(_ANGLES) * (2 * math.pi / _ANGLES) if turns else np.zeros(1)
        self._free = np.array([True, True, turns, scale[1] > scale[0]] + [True] * 4)
        self._sizes = np.log(np.array(scale))
        row, column = np.nonzero(np.abs(template.fine) > _FAINT)
        radius = np.hypot(column - template.x, row - template.y).max() / FINE
        self._reach = math.ceil(scale[1] * radius + _MARGIN_PX)

    @classmethod
    def from_recipe(cls, particles: dict[str, Any]) -> TemplateRefiner:
        """Return the fit for the `[particles]` of the recipe in a model's metadata."""
        picture, typical = particles["picture"], particles["typical_diameter_px"]
        grey = np.frombuffer(b64decode(picture["grey"]), "<f4").reshape(picture["height"], picture["width"])
        least, most = particles["size_px"]
        return cls(make_template(grey, particles["centre"]), particles["turns"], (least / typical, most / typical))

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
        fitted, good = np.full((len(rows), 5), np.nan), (rows["flags"] & Flag.EDGE) == 0
        middle = np.array([self._template.x, self._template.y])

        def fit(first: int, last: int) -> None:
            _fit_particles(
                first, last, grey, noise, positions, self._template.fine, middle, FINE, self._angles, self._sizes,
                self._free, self._reach, fitted, good,
            )  # fmt: skip

        parallel_for(fit, len(rows), threads, _FEW)
        combine_estimates(rows, fitted, good)

    def warmup(self) -> None:
        """Do nothing: a first call compiles everything."""


@njit
def _fit_particles(
    first: int, last: int, grey: Any, noise: float, places: Any, fine: Any, middle: Any, per_px: int, angles: Any,
    sizes: Any, free: Any, reach: int, fitted: Any, good: Any,
) -> None:  # fmt: skip
    """Fill `fitted` (N, 5): x, y, x_std, y_std, xy_cov, where it is `good`, and tell where it is not."""
    height, width = grey.shape
    matrix, vector = np.empty((_TERMS, _TERMS)), np.empty(_TERMS)
    shape = np.empty(5)  # x, y, angle, log scale, height
    for n in range(first, last):
        if not good[n]:
            continue
        x, y = places[n]
        left, top = max(0, round(x) - reach), max(0, round(y) - reach)
        right, bottom = min(width, round(x) + reach + 1), min(height, round(y) + reach + 1)
        z = grey[top:bottom, left:right] / np.float32(noise)
        used = _own_pixels(places, n, left, top, z.shape[0], z.shape[1])
        least = np.inf
        best = height_there = 0.0
        for angle in angles:
            shape[0], shape[1], shape[2], shape[3], shape[4] = x - left, y - top, angle, 0.5 * sizes.sum(), 0.0
            squares = _sum_up(z, used, 2, fine, middle, per_px, shape, free, matrix, vector)
            solution = np.linalg.inv(matrix) @ vector
            squares -= float(solution @ vector)
            if squares < least:
                least, best, height_there = squares, angle, solution[4]
        shape[2], shape[4] = best, height_there
        for _ in range(_STEPS):
            _sum_up(z, used, 1, fine, middle, per_px, shape, free, matrix, vector)
            inverse = np.linalg.inv(matrix)
            solution = inverse @ vector
            for k in range(2):
                shape[k] += min(max(solution[k], -_MOST_PX), _MOST_PX)
            shape[2] += min(max(solution[2], -_MOST_TURN), _MOST_TURN)
            shape[3] += min(max(solution[3], -_MOST_GROWTH), _MOST_GROWTH)
            shape[3] = min(max(shape[3], sizes[0]), sizes[1])
            shape[4] = solution[4]
        fitted[n, 0], fitted[n, 1] = shape[0] + left, shape[1] + top
        good[n] = inverse[0, 0] > 0 and inverse[1, 1] > 0 and math.hypot(fitted[n, 0] - x, fitted[n, 1] - y) < _FAR_PX
        if good[n]:
            fitted[n, 2], fitted[n, 3], fitted[n, 4] = math.sqrt(inverse[0, 0]), math.sqrt(inverse[1, 1]), inverse[0, 1]


@njit
def _own_pixels(places: Any, n: int, left: int, top: int, tall: int, wide: int) -> Any:
    """Return which pixels of a window are nearer to particle n than to any other."""
    used = np.ones((tall, wide), np.bool_)
    for m in range(len(places)):
        x, y = places[m, 0] - places[n, 0], places[m, 1] - places[n, 1]
        if m == n or max(abs(x), abs(y)) > 2 * max(tall, wide):
            continue
        for i in range(tall):
            for j in range(wide):
                along = x * (left + j - places[n, 0]) + y * (top + i - places[n, 1])
                if 2 * along > x * x + y * y:
                    used[i, j] = False
    return used


@njit
def _sum_up(
    z: Any, used: Any, step: int, fine: Any, middle: Any, per_px: int, shape: Any, free: Any, matrix: Any, vector: Any
) -> float:
    """Write the normal equations of every `step`-th pixel; return the sum of squares of z."""
    matrix[:] = 0
    vector[:] = 0
    terms, squares = np.zeros(_TERMS), 0.0
    scale = per_px * math.exp(-shape[3])
    along, across = scale * math.cos(shape[2]), scale * math.sin(shape[2])
    for i in range(0, z.shape[0], step):
        for j in range(0, z.shape[1], step):
            if not used[i, j]:
                continue
            dx, dy = j - shape[0], i - shape[1]
            u, v = dx * along + dy * across, dy * along - dx * across
            value, by_u, by_v = _look_up(fine, middle[0] + u, middle[1] + v)
            by_u, by_v = shape[4] * by_u, shape[4] * by_v
            terms[0] = by_v * across - by_u * along
            terms[1] = -by_u * across - by_v * along
            terms[2] = by_u * v - by_v * u
            terms[3] = -by_u * u - by_v * v
            terms[4], terms[5], terms[6], terms[7] = value, 1.0, dx, dy
            squares += z[i, j] * z[i, j]
            # what the picture does not explain yet moves it; height and background are found anew
            for a in range(_TERMS):
                if free[a]:
                    vector[a] += terms[a] * z[i, j]
                    for b in range(a + 1):
                        if free[b]:
                            matrix[a, b] += terms[a] * terms[b]
    for a in range(_TERMS):
        for b in range(a):
            matrix[b, a] = matrix[a, b]
        matrix[a, a] = matrix[a, a] * (1 + _RIDGE) + _RIDGE
    return squares


@njit
def _look_up(fine: Any, u: float, v: float) -> tuple[float, float, float]:
    """Return the picture and its slopes at sample (u, v), by cubic convolution; 0 outside."""
    column, row = math.floor(u), math.floor(v)
    if not (1 <= column < fine.shape[1] - 2 and 1 <= row < fine.shape[0] - 2):
        return 0.0, 0.0, 0.0
    value = by_u = by_v = 0.0
    for k in range(-1, 3):
        line = line_by_u = 0.0
        for m in range(-1, 3):
            line += _weight(u - column - m) * fine[row + k, column + m]
            line_by_u += _slope(u - column - m) * fine[row + k, column + m]
        value += _weight(v - row - k) * line
        by_u += _weight(v - row - k) * line_by_u
        by_v += _slope(v - row - k) * line
    return value, by_u, by_v


@njit
def _weight(distance: float) -> float:
    """Return the cubic kernel of Keys (IEEE Trans. Acoustics 29, 1153 (1981)) at a distance of at most 2 samples."""
    d = abs(distance)
    if d < 1:
        return (1.5 * d - 2.5) * d * d + 1
    return ((-0.5 * d + 2.5) * d - 4) * d + 2


@njit
def _slope(distance: float) -> float:
    """Return the derivative of `_weight`."""
    d = abs(distance)
    slope = (4.5 * d - 5) * d if d < 1 else (-1.5 * d + 5) * d - 4
    return slope if distance >= 0 else -slope
