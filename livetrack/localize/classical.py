"""The classical methods, as baselines: centroid and radial symmetry at the local maxima of a band-passed image."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from livetrack.errors import ModelError
from livetrack.jit import njit
from livetrack.localize.edge import flag_edges
from livetrack.localize.localizer import Localizer
from livetrack.localize.noise import noise_level
from livetrack.localize.normalize import subtract_background, to_float
from livetrack.particles import Flag, Rows, empty_rows

__all__ = [
    "METHODS", "ClassicalLocalizer", "Contrast", "blur",
    "centroids", "peak_heights", "peaks", "radial_symmetry_centres",
]  # fmt: skip

Contrast = Literal["bright", "dark"]

METHODS = ("centroid", "radial_symmetry")

_DEFAULT_THRESHOLD = 0.5
_SIGNIFICANT = 5.0  # standard deviations of the noise at which the score is 0.5
_MAX_STEPS = 10  # of the centroid's disc towards its particle
_GAUSSIAN = np.array([0.0545, 0.2442, 0.4026, 0.2442, 0.0545])  # of 1 px
_NOISE_AFTER_BLUR = float((_GAUSSIAN**2).sum())  # standard deviation of blurred white noise of 1


class ClassicalLocalizer(Localizer):
    """Local maxima of the band-passed image, each with one of two classical estimates of its centre.

    "centroid" is Crocker and Grier's: the centroid of the intensity in a disc that is moved until it is centred
    (J. Colloid Interface Sci. 179, 298 (1996)). "radial_symmetry" is Parthasarathy's: the point nearest to all lines
    along the gradient (Nature Methods 9, 724 (2012)). Neither estimates its uncertainty: x_std and y_std are NaN. The
    score is h / (h + 5), with h the band-passed peak over its noise: it rises with h, but is no probability.

    Parameters
    ----------
    method
        "centroid" or "radial_symmetry".
    threshold
        Minimum score of a row, 0..1.
    diameter_px
        Of the particles with their rims, px, 3 to 255: the window of both estimates.
    contrast
        "bright" or "dark".

    Raises
    ------
    ModelError
        An option is out of range.
    """

    def __init__(
        self,
        method: str,
        *,
        threshold: float = _DEFAULT_THRESHOLD,
        diameter_px: float = 9.0,
        contrast: Contrast = "bright",
    ) -> None:
        if not 3 <= diameter_px <= 255:
            raise ModelError(f"{method}: diameter_px is {diameter_px}; expected 3 to 255")
        if contrast not in ("bright", "dark"):
            raise ModelError(f"{method}: contrast is {contrast!r}; expected 'bright' or 'dark'")
        self.name = method
        self.provider = "numba"
        self.threshold = threshold
        self.default_threshold = _DEFAULT_THRESHOLD
        self.radius = round((diameter_px - 1) / 2)
        self._sign = 1.0 if contrast == "bright" else -1.0
        self._grey = np.empty((0, 0), np.float32)
        self._flat = np.empty((0, 0), np.float32)
        self._band = np.empty((0, 0), np.float32)

    def find(self, image: npt.NDArray[Any]) -> Rows:
        """Search the full image. See `Localizer.find`."""
        noise = self._filter(image)
        least = self.threshold * _SIGNIFICANT / max(1 - self.threshold, 1e-6)
        return self._measure(peaks(self._band, self._sign, self.radius, least), noise) if noise else empty_rows()

    def refine(self, image: npt.NDArray[Any], rows: Rows) -> Rows:
        """Measure again near `rows`. See `Localizer.refine`."""
        noise = self._filter(image)
        if not noise:
            rows = rows.copy()
            rows["score"] = 0
            return rows
        height, width = self._grey.shape
        pixels = np.stack([np.rint(rows["y"]).clip(0, height - 1), np.rint(rows["x"]).clip(0, width - 1)], axis=1)
        measured = self._measure(pixels.astype(np.int64), noise)
        for name in ("id", "vx", "vy"):
            measured[name] = rows[name]
        measured["flags"] |= rows["flags"] & ~np.uint32(Flag.EDGE)
        return measured

    def warmup(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        """Compile and allocate everything for images of this shape (H, W) and dtype."""
        image = np.zeros(shape, dtype)
        image[::4, ::4] = 100
        self.refine(image, self.find(image))

    def _filter(self, image: npt.NDArray[Any]) -> float:
        """Compute the flat and the band-passed image, in units of the noise; return the noise in grey levels."""
        self._grey = to_float(image, self._grey)
        if self._flat.shape != self._grey.shape:
            self._flat = np.empty_like(self._grey)
            self._band = np.empty_like(self._grey)
        noise = noise_level(self._grey)
        if noise:
            subtract_background(self._grey, 1 / noise, 2 * self.radius + 1, self._flat)
            blur(self._flat, self._band)
        return noise

    def _measure(self, pixels: npt.NDArray[np.int64], noise: float) -> Rows:
        """Measure the particles around `pixels`, (N, 2) as (y, x)."""
        rows = empty_rows(len(pixels))
        x, y, height = np.empty((3, len(pixels)))
        if self.name == "centroid":
            centroids(self._band, self._sign, pixels, self.radius, x, y)
        else:
            radial_symmetry_centres(self._flat, pixels, self.radius, x, y)
        peak_heights(self._flat, self._sign, x, y, height)
        significance = np.maximum(0, self._sign * self._band[pixels[:, 0], pixels[:, 1]])
        rows["x"], rows["y"] = x, y
        rows["intensity"] = noise * height
        rows["score"] = significance / (significance + _SIGNIFICANT)
        image_height, image_width = self._grey.shape
        flag_edges(rows, image_width, image_height, self.radius + 0.5)
        return rows


@njit
def blur(image: Any, out: Any) -> None:
    """Blur by a Gaussian of 1 px, mirrored at the edge, into `out`, in units of the remaining noise."""
    height, width = image.shape
    rows = np.empty_like(image)
    for i in range(height):
        for j in range(width):
            total = 0.0
            for k in range(-2, 3):
                total += _GAUSSIAN[k + 2] * image[i, _mirror(j + k, width)]
            rows[i, j] = total
    for i in range(height):
        for j in range(width):
            total = 0.0
            for k in range(-2, 3):
                total += _GAUSSIAN[k + 2] * rows[_mirror(i + k, height), j]
            out[i, j] = total / _NOISE_AFTER_BLUR


@njit
def _mirror(index: int, length: int) -> int:
    if index < 0:
        return -index
    return 2 * length - 2 - index if index >= length else index


@njit
def peaks(band: Any, sign: float, radius: int, least: float) -> Any:
    """Return (y, x) of the pixels that are the highest within `radius` and at least `least` high.

    `sign` is +1 for bright particles, -1 for dark ones.
    """
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
def peak_heights(flat: Any, sign: float, x: Any, y: Any, out: Any) -> None:
    """Write the extreme of the 3x3 pixels around each centre into `out`; `sign` as for `peaks`."""
    for n in range(x.size):
        row = min(max(round(y[n]), 0), flat.shape[0] - 1)
        column = min(max(round(x[n]), 0), flat.shape[1] - 1)
        best = flat[row, column]
        for i in range(max(0, row - 1), min(flat.shape[0], row + 2)):
            for j in range(max(0, column - 1), min(flat.shape[1], column + 2)):
                if sign * flat[i, j] > sign * best:
                    best = flat[i, j]
        out[n] = best


@njit
def centroids(band: Any, sign: float, pixels: Any, radius: int, x: Any, y: Any) -> None:
    """Write the centroid around each of `pixels`, (N, 2) as (y, x), into `x` and `y`, (N,).

    `band` is the band-passed image in units of its noise; only what exceeds the background by more than that counts.
    `sign` as for `peaks`.
    """
    for n in range(pixels.shape[0]):
        x[n], y[n] = _centroid(band, sign, pixels[n, 0], pixels[n, 1], radius)


@njit
def _centroid(band: Any, sign: float, row: int, column: int, radius: int) -> tuple[float, float]:
    x, y = float(column), float(row)
    for _ in range(_MAX_STEPS):
        total, sum_x, sum_y = 0.0, 0.0, 0.0
        for i in range(max(0, row - radius), min(band.shape[0], row + radius + 1)):
            for j in range(max(0, column - radius), min(band.shape[1], column + radius + 1)):
                weight = sign * band[i, j] - 1.0
                if weight > 0 and (i - row) ** 2 + (j - column) ** 2 <= radius * radius:
                    total += weight
                    sum_x += weight * j
                    sum_y += weight * i
        if total == 0:
            break
        x, y = sum_x / total, sum_y / total
        if abs(x - column) <= 0.6 and abs(y - row) <= 0.6:
            break
        column, row = round(x), round(y)
    return x, y


@njit
def radial_symmetry_centres(image: Any, pixels: Any, radius: int, x: Any, y: Any) -> None:
    """Write the centre of symmetry around each of `pixels`, (N, 2) as (y, x), into `x` and `y`, (N,).

    It is the point nearest to all lines along the gradient. The gradient is taken at the corners between pixels, along
    both diagonals, and averaged over 3x3 corners; each line is weighted by its squared gradient over its distance from
    the gradient's centroid. The window, 2 `radius` + 1 px wide, is cut off at the image's edge. Without a gradient, or
    with parallel lines only, the centre is the pixel itself.
    """
    for n in range(pixels.shape[0]):
        x[n], y[n] = _symmetry_centre(image, pixels[n, 0], pixels[n, 1], radius)


@njit
def _symmetry_centre(image: Any, row: int, column: int, radius: int) -> tuple[float, float]:
    top, bottom = max(0, row - radius), min(image.shape[0], row + radius + 1) - 1
    left, right = max(0, column - radius), min(image.shape[1], column + radius + 1) - 1
    rows, columns = bottom - top, right - left
    falling = np.zeros((rows, columns))  # gradient from upper left to lower right
    rising = np.zeros((rows, columns))  # from upper right to lower left
    for i in range(rows):
        for j in range(columns):
            falling[i, j] = image[top + i + 1, left + j + 1] - image[top + i, left + j]
            rising[i, j] = image[top + i + 1, left + j] - image[top + i, left + j + 1]
    falling, rising = _average(falling), _average(rising)
    slope_x, slope_y = falling - rising, falling + rising
    strength = slope_x**2 + slope_y**2
    total = strength.sum()
    if total == 0:
        return float(column), float(row)
    centroid_x = (strength.sum(axis=0) * np.arange(columns)).sum() / total
    centroid_y = (strength.sum(axis=1) * np.arange(rows)).sum() / total

    # least squares over the distances from the lines: with n the normal of each, sum of w n n^T c = sum of w n (n . p)
    xx, xy, yy, bx, by = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(rows):
        for j in range(columns):
            if strength[i, j] == 0:
                continue
            distance = math.sqrt((j - centroid_x) ** 2 + (i - centroid_y) ** 2)
            weight = 1 / max(distance, 1e-3)  # the strength is in n, which is not normalised
            nx, ny = -slope_y[i, j], slope_x[i, j]
            offset = nx * j + ny * i
            xx += weight * nx * nx
            xy += weight * nx * ny
            yy += weight * ny * ny
            bx += weight * nx * offset
            by += weight * ny * offset
    determinant = xx * yy - xy * xy
    if determinant <= 1e-12 * (xx + yy) ** 2:
        return float(column), float(row)
    x = (yy * bx - xy * by) / determinant
    y = (xx * by - xy * bx) / determinant
    return left + 0.5 + min(max(x, 0.0), columns - 1.0), top + 0.5 + min(max(y, 0.0), rows - 1.0)


@njit
def _average(values: Any) -> Any:
    """Return the mean over 3x3, cut off at the edge."""
    out = np.empty_like(values)
    rows, columns = values.shape
    for i in range(rows):
        for j in range(columns):
            window = values[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
            out[i, j] = window.sum() / window.size
    return out
