"""The template fit: refines particles that look like a given picture, moved, turned and resized onto each.

    z(p) = A T((p - c) turned by -angle, resized by 1 / scale) + b + s . (p - c)

The fit starts from the network's position, the best of a few angles, and the middle of the range of sizes. A few
Gauss-Newton steps lead to the least squares. It reaches the Cramér-Rao bound as far as the template is right: noise in
the template shifts all positions by the same fraction of a pixel, in the particle's own frame.
"""

from __future__ import annotations

import math
from base64 import b64decode
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.combine import fit_each
from livetrack.optics.template import FINE, Template, make_template
from livetrack.particles import Rows

__all__ = ["Pose", "TemplateRefiner", "fit_template"]

_ANGLES = 16  # tried as a start, if particles may have any orientation
_COARSE_PX = 2  # between the pixels by which that start is chosen
_STEPS = 4
_MAX_MOVE_PX, _MAX_TURN, _MAX_GROWTH = 0.5, 0.3, 0.1  # per step: px, rad, log scale
_MIN_SIGNAL, _MARGIN_PX = 0.03, 2.0  # the fit reads pixels above this fraction of the height, and a margin around
_MAX_SHIFT_PX = 2.0  # from the start; beyond, the fit is lost
_TERMS = 8  # x, y, angle, log scale, height, background, its slopes
_RIDGE = 1e-9


class Pose(NamedTuple):
    """How a template fits an image: its centre, px, rotation, rad from x towards y, and height in grey levels."""

    x: float
    y: float
    angle: float
    height: float


def fit_template(
    image: npt.NDArray[np.float32], template: Template, x: float, y: float, *, turns: bool, used: npt.NDArray[np.bool_]
) -> Pose:
    """Fit `template` to the one particle of `image` (H, W), from a centre (`x`, `y`) about a pixel off.

    `turns`: the particle may have any orientation; `used` (H, W): the pixels to compare.
    """
    pose, matrix, vector = np.array([x, y, 0.0, 0.0, 0.0]), np.empty((_TERMS, _TERMS)), np.empty(_TERMS)
    free = np.array([True, True, turns, False] + [True] * 4)
    _fit_pose(
        image, used, 1, template.fine, np.array([template.x, template.y]), FINE,
        _start_angles(turns), np.zeros(2), free, pose, matrix, vector,
    )  # fmt: skip
    return Pose(pose[0], pose[1], pose[2], pose[4])


class TemplateRefiner:
    """Refines particles that look like a template.

    Parameters
    ----------
    template
        See `make_template`.
    turns
        Whether particles may have any orientation.
    scale
        Smallest and largest size, over that in the template.
    """

    def __init__(self, template: Template, turns: bool, scale: tuple[float, float]) -> None:
        self._template = template
        self._angles = _start_angles(turns)
        self._free = np.array([True, True, turns, scale[1] > scale[0]] + [True] * 4)
        self._sizes = np.log(np.array(scale))
        row, column = np.nonzero(np.abs(template.fine) > _MIN_SIGNAL)
        radius = np.hypot(column - template.x, row - template.y).max() / FINE
        self._reach = math.ceil(scale[1] * radius + _MARGIN_PX)

    @classmethod
    def from_recipe(cls, particles: dict[str, Any]) -> TemplateRefiner:
        """Return the refiner for the `[particles]` of the recipe in a model's metadata."""
        picture, typical = particles["picture"], particles["typical_diameter_px"]
        grey = np.frombuffer(b64decode(picture["grey"]), "<f4").reshape(picture["height"], picture["width"])
        smallest, largest = particles["size_px"]
        template = make_template(grey, particles["centre"])
        return cls(template, particles["turns"], (smallest / typical, largest / typical))

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
        origin = np.array([self._template.x, self._template.y])

        def fit(first: int, last: int, grey: Any, positions: Any, fitted: Any, good: Any) -> None:
            _fit_particles(
                first, last, grey, noise, positions, self._template.fine, origin, FINE, self._angles, self._sizes,
                self._free, self._reach, fitted, good,
            )  # fmt: skip

        fit_each(fit, image, rows, buffer=buffer, threads=threads)

    def warmup(self) -> None:
        """Do nothing: a first call compiles everything."""


def _start_angles(turns: bool) -> npt.NDArray[np.float64]:
    count = _ANGLES if turns else 1
    return np.linspace(0.0, 2 * math.pi, count, endpoint=False)


@njit
def _fit_particles(
    first: int, last: int, grey: Any, noise: float, positions: Any, fine: Any, origin: Any, per_px: int, angles: Any,
    sizes: Any, free: Any, reach: int, fitted: Any, good: Any,
) -> None:  # fmt: skip
    """Write x, y, x_std, y_std, xy_cov of `good` particles into `fitted`, (N, 5); clear `good` where the fit fails."""
    height, width = grey.shape
    matrix, vector = np.empty((_TERMS, _TERMS)), np.empty(_TERMS)
    pose = np.empty(5)  # x, y, angle, log scale, height
    for n in range(first, last):
        if not good[n]:
            continue
        x, y = positions[n]
        left, top = max(0, round(x) - reach), max(0, round(y) - reach)
        right, bottom = min(width, round(x) + reach + 1), min(height, round(y) + reach + 1)
        z = grey[top:bottom, left:right] / np.float32(noise)
        used = _nearest_pixels(positions, n, left, top, z.shape[0], z.shape[1])
        pose[0], pose[1] = x - left, y - top
        inverse = _fit_pose(z, used, _COARSE_PX, fine, origin, per_px, angles, sizes, free, pose, matrix, vector)
        fitted[n, 0], fitted[n, 1] = pose[0] + left, pose[1] + top
        shift = math.hypot(fitted[n, 0] - x, fitted[n, 1] - y)
        good[n] = inverse[0, 0] > 0 and inverse[1, 1] > 0 and shift < _MAX_SHIFT_PX
        if good[n]:
            fitted[n, 2], fitted[n, 3], fitted[n, 4] = math.sqrt(inverse[0, 0]), math.sqrt(inverse[1, 1]), inverse[0, 1]


@njit
def _fit_pose(
    z: Any, used: Any, step: int, fine: Any, origin: Any, per_px: int, angles: Any, sizes: Any, free: Any, pose: Any,
    matrix: Any, vector: Any,
) -> Any:  # fmt: skip
    """Fit the template to `z`, in units of the noise, from x and y of `pose`; return the covariance, (8, 8).

    The angle to start from is chosen by every `step`-th pixel along x and y.
    """
    least = np.inf
    best_angle = best_height = 0.0
    x, y = pose[0], pose[1]
    for angle in angles:
        pose[0], pose[1], pose[2], pose[3], pose[4] = x, y, angle, 0.5 * sizes.sum(), 0.0
        squares = _normal_equations(z, used, step, fine, origin, per_px, pose, free, matrix, vector)
        solution = np.linalg.inv(matrix) @ vector
        squares -= float(solution @ vector)
        if squares < least:
            least, best_angle, best_height = squares, angle, solution[4]
    pose[2], pose[4] = best_angle, best_height
    for _ in range(_STEPS):
        _normal_equations(z, used, 1, fine, origin, per_px, pose, free, matrix, vector)
        inverse = np.linalg.inv(matrix)
        solution = inverse @ vector
        for k in range(2):
            pose[k] += min(max(solution[k], -_MAX_MOVE_PX), _MAX_MOVE_PX)
        pose[2] += min(max(solution[2], -_MAX_TURN), _MAX_TURN)
        pose[3] += min(max(solution[3], -_MAX_GROWTH), _MAX_GROWTH)
        pose[3] = min(max(pose[3], sizes[0]), sizes[1])
        pose[4] = solution[4]
    return inverse


@njit
def _nearest_pixels(positions: Any, n: int, left: int, top: int, tall: int, wide: int) -> Any:
    """Return (tall, wide) bool: the pixels that are nearer to particle n than to any other."""
    used = np.ones((tall, wide), np.bool_)
    for m in range(len(positions)):
        x, y = positions[m, 0] - positions[n, 0], positions[m, 1] - positions[n, 1]
        if m == n or max(abs(x), abs(y)) > 2 * max(tall, wide):
            continue
        for i in range(tall):
            for j in range(wide):
                along = x * (left + j - positions[n, 0]) + y * (top + i - positions[n, 1])
                if 2 * along > x * x + y * y:
                    used[i, j] = False
    return used


@njit
def _normal_equations(
    z: Any, used: Any, step: int, fine: Any, origin: Any, per_px: int, pose: Any, free: Any, matrix: Any, vector: Any
) -> float:
    """Write the normal equations of every `step`-th pixel along x and y; return the sum of squares of z."""
    matrix[:] = 0
    vector[:] = 0
    terms, squares = np.zeros(_TERMS), 0.0
    scale = per_px * math.exp(-pose[3])
    along, across = scale * math.cos(pose[2]), scale * math.sin(pose[2])
    for i in range(0, z.shape[0], step):
        for j in range(0, z.shape[1], step):
            if not used[i, j]:
                continue
            dx, dy = j - pose[0], i - pose[1]
            u, v = dx * along + dy * across, dy * along - dx * across
            value, by_u, by_v = _interpolate(fine, origin[0] + u, origin[1] + v)
            by_u, by_v = pose[4] * by_u, pose[4] * by_v
            terms[0] = by_v * across - by_u * along
            terms[1] = -by_u * across - by_v * along
            terms[2] = by_u * v - by_v * u
            terms[3] = -by_u * u - by_v * v
            terms[4], terms[5], terms[6], terms[7] = value, 1.0, dx, dy
            squares += z[i, j] * z[i, j]
            # the unknowns are changes of position, angle and scale, but height and background themselves
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
def _interpolate(fine: Any, u: float, v: float) -> tuple[float, float, float]:
    """Return the template and its slopes at (u, v), samples, by cubic convolution; 0 outside."""
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
