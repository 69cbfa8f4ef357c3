"""The yardsticks: centroid and radial symmetry, behind the network's call."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from livetrack.errors import ModelError
from livetrack.localize.edge import flag_edges
from livetrack.localize.normalize import noise_level, subtract_background, to_float
from livetrack.localize.radial_symmetry import radial_symmetry_centre
from livetrack.particles import Flag, Rows, empty_rows

__all__ = ["METHODS", "ClassicalLocalizer", "Contrast"]

Contrast = Literal["bright", "dark"]

METHODS = ("centroid", "radial_symmetry")

_SIGNIFICANT = 5.0  # standard deviations of the noise where the score is 0.5
_STEPS = 10  # of the centroid's window towards its particle
_FIELDS = 4


class ClassicalLocalizer:
    """Local maxima of the band-passed image, then one of two classical estimates of the centre.

    "centroid" is Crocker and Grier's: the intensity's centroid in a disc that is moved until it is centred
    (J. Colloid Interface Sci. 179, 298 (1996)). "radial_symmetry" is Parthasarathy's: the point nearest to all lines
    along the gradient (Nature Methods 9, 724 (2012)). Neither knows its uncertainty: x_std and y_std are NaN. The
    score is h / (h + 5), where h is the band-passed height over its noise: monotonic, but no probability.

    Parameters
    ----------
    method
        "centroid" or "radial_symmetry".
    threshold
        Least score of a row, 0..1.
    diameter_px
        Of the particles with their rims, px, at least 3: the window of both estimates.
    contrast
        "bright" or "dark".
    """

    def __init__(
        self, method: str, *, threshold: float = 0.5, diameter_px: float = 9.0, contrast: Contrast = "bright"
    ) -> None:
        if not 3 <= diameter_px <= 255:
            raise ModelError(f"{method}: diameter_px is {diameter_px}; expected 3 to 255")
        if contrast not in ("bright", "dark"):
            raise ModelError(f"{method}: contrast is {contrast!r}; expected 'bright' or 'dark'")
        self.name = method
        self.provider = "numba"
        self.threshold = threshold
        self.radius = round((diameter_px - 1) / 2)
        self._sign = 1.0 if contrast == "bright" else -1.0
        self._grey = np.empty((0, 0), np.float32)
        self._flat = np.empty((0, 0), np.float32)
        self._band = np.empty((0, 0), np.float32)

    def find(self, image: npt.NDArray[Any]) -> Rows:
        """Search the whole image. See `Localizer.find`."""
        noise = self._filter(image)
        least = self.threshold * _SIGNIFICANT / max(1 - self.threshold, 1e-6)
        return self._measure(_peaks(self._band, self._sign, self.radius, least), noise) if noise else empty_rows()

    def refine(self, image: npt.NDArray[Any], rows: Rows) -> Rows:
        """Measure again about `rows`. See `Localizer.refine`."""
        noise = self._filter(image)
        if not noise:
            rows = rows.copy()
            rows["score"] = 0
            return rows
        height, width = self._grey.shape
        places = np.stack([np.rint(rows["y"]).clip(0, height - 1), np.rint(rows["x"]).clip(0, width - 1)], axis=1)
        measured = self._measure(places.astype(np.int64), noise)
        for name in ("id", "vx", "vy"):
            measured[name] = rows[name]
        measured["flags"] |= rows["flags"] & ~np.uint32(Flag.EDGE)
        return measured

    def localize(self, image: npt.NDArray[Any]) -> Rows:
        """Find: each particle is measured as it is found."""
        return self.find(image)

    def warmup(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        """Compile and allocate everything for images of `shape` and `dtype`."""
        image = np.zeros(shape, dtype)
        image[::4, ::4] = 100
        self.refine(image, self.find(image))

    def _filter(self, image: npt.NDArray[Any]) -> float:
        """Fill the three images; return the noise in grey levels."""
        self._grey = to_float(image, self._grey)
        if self._flat.shape != self._grey.shape:
            self._flat = np.empty_like(self._grey)
            self._band = np.empty_like(self._grey)
        noise = noise_level(self._grey)
        if noise:
            subtract_background(self._grey, 1 / noise, 2 * self.radius + 1, self._flat)
            _blur(self._flat, self._band)
        return noise

    def _measure(self, places: npt.NDArray[np.int64], noise: float) -> Rows:
        """Measure the particles about whole pixels `places`, (N, 2) as (y, x)."""
        rows = empty_rows(len(places))
        found = np.empty((len(places), _FIELDS))
        radial = self.name == "radial_symmetry"
        _measure(self._flat, self._band, self._sign, places, self.radius, radial, found)
        height, width = self._grey.shape
        rows["x"], rows["y"] = found[:, 0], found[:, 1]
        rows["intensity"] = noise * found[:, 2]
        rows["score"] = found[:, 3] / (found[:, 3] + _SIGNIFICANT)
        flag_edges(rows, width, height, self.radius + 0.5)
        return rows


_KERNEL = np.array([0.0545, 0.2442, 0.4026, 0.2442, 0.0545])  # Gaussian of 1 px
_BAND_NOISE = float((_KERNEL**2).sum())  # standard deviation that the blur leaves of white noise of 1


@njit(nogil=True, cache=True)
def _blur(image: Any, out: Any) -> None:
    """Blur by a Gaussian of 1 px, mirrored at the edge, into `out`, in units of the noise that is left."""
    height, width = image.shape
    rows = np.empty_like(image)
    for i in range(height):
        for j in range(width):
            total = 0.0
            for k in range(-2, 3):
                total += _KERNEL[k + 2] * image[i, _mirror(j + k, width)]
            rows[i, j] = total
    for i in range(height):
        for j in range(width):
            total = 0.0
            for k in range(-2, 3):
                total += _KERNEL[k + 2] * rows[_mirror(i + k, height), j]
            out[i, j] = total / _BAND_NOISE


@njit(nogil=True, cache=True)
def _mirror(index: int, length: int) -> int:
    if index < 0:
        return -index
    return 2 * length - 2 - index if index >= length else index


@njit(nogil=True, cache=True)
def _peaks(band: Any, sign: float, radius: int, least: float) -> Any:
    """Return (y, x) of the pixels that are the highest of the disc about them and at least `least`."""
    height, width = band.shape
    peaks = np.empty((256, 2), np.int64)
    count = 0
    for i in range(height):
        for j in range(width):
            here = sign * band[i, j]
            if here < least or not _highest(band, sign, i, j, here, radius):
                continue
            if count == peaks.shape[0]:
                peaks = np.concatenate((peaks, np.empty_like(peaks)))
            peaks[count] = i, j
            count += 1
    return peaks[:count]


@njit(nogil=True, cache=True)
def _highest(band: Any, sign: float, row: int, column: int, here: float, radius: int) -> bool:
    for i in range(max(0, row - radius), min(band.shape[0], row + radius + 1)):
        for j in range(max(0, column - radius), min(band.shape[1], column + radius + 1)):
            if (i - row) ** 2 + (j - column) ** 2 <= radius * radius:
                other = sign * band[i, j]
                if other > here or (other == here and (i < row or (i == row and j < column))):
                    return False
    return True


@njit(nogil=True, cache=True)
def _measure(flat: Any, band: Any, sign: float, places: Any, radius: int, radial: bool, found: Any) -> None:
    """Write (x, y, height / noise, significance) of each place into `found`."""
    for n in range(places.shape[0]):
        row, column = places[n]
        x, y = _centroid(band, sign, row, column, radius)
        if radial:
            x, y = radial_symmetry_centre(flat, row, column, radius)
        at_row = min(max(round(y), 0), flat.shape[0] - 1)
        at_column = min(max(round(x), 0), flat.shape[1] - 1)
        found[n, 0] = x
        found[n, 1] = y
        found[n, 2] = _highest_near(flat, sign, at_row, at_column)
        found[n, 3] = max(0.0, sign * band[row, column])


@njit(nogil=True, cache=True)
def _centroid(band: Any, sign: float, row: int, column: int, radius: int) -> tuple[float, float]:
    """Return the centroid of what rises above the noise in a disc that follows it."""
    x, y = float(column), float(row)
    for _ in range(_STEPS):
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


@njit(nogil=True, cache=True)
def _highest_near(flat: Any, sign: float, row: int, column: int) -> Any:
    """Return the extreme of the 3x3 pixels about a place."""
    best = flat[row, column]
    for i in range(max(0, row - 1), min(flat.shape[0], row + 2)):
        for j in range(max(0, column - 1), min(flat.shape[1], column + 2)):
            if sign * flat[i, j] > sign * best:
                best = flat[i, j]
    return best
