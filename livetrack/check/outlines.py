"""Measures the outlines of objects that stand apart, without a model: how many there are, how long and how wide.

The outline of an object is where its intensity over the background falls to half of its peak. Length and width are
those of the ellipse with the same second moments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["Outlined", "Outlines", "measure_outlines", "outline"]

Array = npt.NDArray[np.float64]

_SIGNS: tuple[tuple[Literal["bright", "dark"], int], ...] = (("bright", 1), ("dark", -1))
_BLUR = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
_NOISE_AFTER_BLUR = 0.27
_SIGNIFICANT = 6.0  # standard deviations of the blurred noise
_MIN_AREA_PX = 9
_SOLID = 0.87  # area over that of the ellipse with the same moments: less is a cluster, a ring or a branched object
_MOST_SOLID = 0.6  # fraction of the objects, without which outlines describe none of them
_MAX_AREA = 0.25  # of the image
_FAINT = 0.25  # of the typical peak: weaker objects are noise, dust or compression


class Outlines(NamedTuple):
    """N objects that stand apart, each (N,): centre, length, width in px, peak over the background in grey levels."""

    x: Array
    y: Array
    length: Array
    width: Array
    peak: Array


@dataclass(frozen=True)
class Outlined:
    """The objects of a few images that stand apart."""

    each: list[Outlines | None]
    """Those of each image; None if it shows none."""
    contrast: Literal["bright", "dark"]

    @property
    def count(self) -> int:
        """Number in all images."""
        return sum(outlines.x.size for outlines in self.each if outlines is not None)

    @property
    def length_px(self) -> float:
        """Median length; 0 without any."""
        return self._median(lambda outlines: outlines.length)

    @property
    def width_px(self) -> float:
        """Median width; 0 without any."""
        return self._median(lambda outlines: outlines.width)

    @property
    def elongation(self) -> float:
        """Median length over width; 0 without any."""
        return self._median(lambda outlines: outlines.length / outlines.width)

    def _median(self, of: Callable[[Outlines], Array]) -> float:
        values = [of(outlines) for outlines in self.each if outlines is not None]
        return float(np.median(np.concatenate(values))) if values else 0.0


def outline(images: Sequence[npt.NDArray[Any]], noise: Sequence[float]) -> Outlined:
    """Measure the objects of `images`, (H, W) each: the bright or the dark ones, whichever stand out more."""
    both = [
        Outlined([measure_outlines(image, std, sign) for image, std in zip(images, noise, strict=True)], contrast)
        for contrast, sign in _SIGNS
    ]
    return max(both, key=_weight)


def _weight(outlined: Outlined) -> float:
    return sum(float((each.length * each.width * each.peak).sum()) for each in outlined.each if each is not None)


def measure_outlines(image: npt.NDArray[Any], noise: float, sign: int) -> Outlines | None:
    """Measure the objects of `image` (H, W) that are brighter (`sign` 1) or darker (-1) than the background.

    Returns None unless most of them are solid: a crowd, texture and uneven light show no outlines of single objects.
    """
    blurred = _blur(np.asarray(image, np.float64), _BLUR)
    over = sign * (blurred - np.median(blurred))
    label, peaks = _components(over, np.full(over.shape, _SIGNIFICANT * _NOISE_AFTER_BLUR * noise))
    if not peaks.size:
        return None
    half = np.append(peaks / 2, np.inf)[label]  # the last one: no object
    label, peaks = _components(over, half)
    if not peaks.size:
        return None
    area, x, y, length, width, cut = _moments(label, peaks.size)
    counted = (area >= _MIN_AREA_PX) & ~cut & (area < _MAX_AREA * over.size)
    if counted.any():
        counted &= peaks > _FAINT * _weighted_median(peaks[counted], (peaks * area)[counted])
    solid = counted & (area > _SOLID * math.pi / 4 * length * width)
    if not solid.any() or solid.sum() < _MOST_SOLID * counted.sum():
        return None
    return Outlines(x[solid], y[solid], length[solid], width[solid], peaks[solid])


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _moments(
    label: npt.NDArray[np.int32], count: int
) -> tuple[Array, Array, Array, Array, Array, npt.NDArray[np.bool_]]:
    """Return area, centre, length, width of each object, and whether the image's edge cuts it."""
    i, j = np.nonzero(label >= 0)
    owner = label[i, j]
    area = np.bincount(owner, minlength=count).astype(np.float64)
    pixels = np.maximum(area, 1)
    x, y = (np.bincount(owner, place, count) / pixels for place in (j, i))
    dx, dy = j - x[owner], i - y[owner]
    xx, xy, yy = (np.bincount(owner, product, count) / pixels for product in (dx * dx, dx * dy, dy * dy))
    xx, yy = xx + 1 / 12, yy + 1 / 12  # of the pixels themselves
    middle, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    cut = np.zeros(count, bool)
    edge = np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]])
    cut[edge[edge >= 0]] = True
    return area, x, y, 4 * np.sqrt(middle + spread), 4 * np.sqrt(np.maximum(middle - spread, 1 / 12)), cut


@njit
def _blur(image: Any, kernel: Any) -> Any:
    height, width = image.shape
    rows, out = np.empty((height, width)), np.empty((height, width))
    for i in range(height):
        for j in range(width):
            total = 0.0
            for k in range(-2, 3):
                total += kernel[k + 2] * image[i, min(max(j + k, 0), width - 1)]
            rows[i, j] = total
    for i in range(height):
        for j in range(width):
            total = 0.0
            for k in range(-2, 3):
                total += kernel[k + 2] * rows[min(max(i + k, 0), height - 1), j]
            out[i, j] = total
    return out


@njit
def _components(image: Any, least: Any) -> Any:
    """Return the connected pixels above `least`, (H, W), by number, -1 elsewhere; and the peak of each, (N,)."""
    height, width = image.shape
    label = np.full((height, width), -1, np.int32)
    stack = np.empty((height * width, 2), np.int32)
    peaks = np.empty(height * width)
    count = 0
    for row in range(height):
        for column in range(width):
            if label[row, column] >= 0 or image[row, column] <= least[row, column]:
                continue
            label[row, column], peaks[count] = count, image[row, column]
            stack[0, 0], stack[0, 1] = row, column
            top = 1
            while top:
                top -= 1
                i, j = stack[top, 0], stack[top, 1]
                peaks[count] = max(peaks[count], image[i, j])
                for k in range(4):
                    m, n = i + (k == 0) - (k == 1), j + (k == 2) - (k == 3)
                    if 0 <= m < height and 0 <= n < width and label[m, n] < 0 and image[m, n] > least[m, n]:
                        label[m, n] = count
                        stack[top, 0], stack[top, 1] = m, n
                        top += 1
            count += 1
    return label, peaks[:count].copy()
