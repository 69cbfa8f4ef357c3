"""The yardsticks: centroid and radial symmetry, behind the network's call."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from livetrack.errors import ModelError
from livetrack.localize.centroid import centroids
from livetrack.localize.edge import flag_edges
from livetrack.localize.noise import noise_level
from livetrack.localize.normalize import subtract_background, to_float
from livetrack.localize.peaks import blur, heights, peaks
from livetrack.localize.radial_symmetry import radial_symmetry_centres
from livetrack.particles import Flag, Rows, empty_rows

__all__ = ["METHODS", "ClassicalLocalizer", "Contrast"]

Contrast = Literal["bright", "dark"]

METHODS = ("centroid", "radial_symmetry")

_OWN_THRESHOLD = 0.5
_SIGNIFICANT = 5.0  # standard deviations of the noise where the score is 0.5


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
        self, method: str, *, threshold: float = _OWN_THRESHOLD, diameter_px: float = 9.0, contrast: Contrast = "bright"
    ) -> None:
        if not 3 <= diameter_px <= 255:
            raise ModelError(f"{method}: diameter_px is {diameter_px}; expected 3 to 255")
        if contrast not in ("bright", "dark"):
            raise ModelError(f"{method}: contrast is {contrast!r}; expected 'bright' or 'dark'")
        self.name = method
        self.provider = "numba"
        self.threads = "1 thread"
        self.threshold = threshold
        self.own_threshold = _OWN_THRESHOLD
        self.radius = round((diameter_px - 1) / 2)
        self._sign = 1.0 if contrast == "bright" else -1.0
        self._grey = np.empty((0, 0), np.float32)
        self._flat = np.empty((0, 0), np.float32)
        self._band = np.empty((0, 0), np.float32)

    def find(self, image: npt.NDArray[Any]) -> Rows:
        """Search the whole image. See `Localizer.find`."""
        noise = self._filter(image)
        least = self.threshold * _SIGNIFICANT / max(1 - self.threshold, 1e-6)
        return self._measure(peaks(self._band, self._sign, self.radius, least), noise) if noise else empty_rows()

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
            blur(self._flat, self._band)
        return noise

    def _measure(self, places: npt.NDArray[np.int64], noise: float) -> Rows:
        """Measure the particles about whole pixels `places`, (N, 2) as (y, x)."""
        rows = empty_rows(len(places))
        x, y, height = np.empty((3, len(places)))
        if self.name == "centroid":
            centroids(self._band, self._sign, places, self.radius, x, y)
        else:
            radial_symmetry_centres(self._flat, places, self.radius, x, y)
        heights(self._flat, self._sign, x, y, height)
        significance = np.maximum(0, self._sign * self._band[places[:, 0], places[:, 1]])
        rows["x"], rows["y"] = x, y
        rows["intensity"] = noise * height
        rows["score"] = significance / (significance + _SIGNIFICANT)
        image_height, image_width = self._grey.shape
        flag_edges(rows, image_width, image_height, self.radius + 0.5)
        return rows
