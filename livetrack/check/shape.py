"""Shape of particles without a model: length over width, and directions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.check.blobs import Blobs, join

__all__ = ["Shape", "measure_shape", "merge_parts"]

Array = npt.NDArray[np.float64]

_MAX_MEASURED = 150  # particles
_MIN_MEASURED = 4
_REACH = 6.0  # sigma: half the side of the window around a blob
_MIN_AREA_PX = 6
_LEVEL = 0.5  # of the peak: the outline
_MIN_CONTRAST = 5.0  # of the peak, standard deviations of the noise in the smoothed window


class Shape(NamedTuple):
    """Shape of the particles, medians."""

    elongation: float
    """Length / width at half of the peak: about 1 for round particles, at most 1.3 by noise."""
    length_px: float
    width_px: float
    angle_spread_deg: float
    """Circular standard deviation of the directions: small if all particles point the same way."""


def measure_shape(
    images: Sequence[npt.NDArray[Any]], found: Sequence[Blobs], sigma: float, sign: float, noise: float
) -> Shape | None:
    """Return the shape of the particles that stand alone; None if too few do.

    Parameters
    ----------
    images
        Each (H, W), grey levels.
    found
        Blobs of each image; several in one particle count once.
    sigma
        Typical size of a blob, px.
    sign
        1 for bright particles, -1 for dark ones.
    noise
        Standard deviation of a pixel, grey levels.
    """
    outlines: list[tuple[float, float, float]] = []
    each = math.ceil(_MAX_MEASURED / len(images))
    for image, blobs in zip(images, found, strict=True):
        some = islice(_outlines(sign * image, blobs, sigma, noise), each)
        outlines += [outline.ellipse() for outline in some]
    if len(outlines) < _MIN_MEASURED:
        return None
    length, width, angle = np.array(outlines).T
    together = abs(np.exp(2j * angle).mean())
    return Shape(
        elongation=float(np.median(length / width)),
        length_px=float(np.median(length)),
        width_px=float(np.median(width)),
        angle_spread_deg=math.degrees(math.sqrt(-2 * math.log(max(together, 1e-3))) / 2),
    )


def merge_parts(image: npt.NDArray[Any], blobs: Blobs, sigma: float, sign: float, noise: float) -> Blobs:
    """Return one blob for each particle of which several blobs are parts, in its middle."""
    outlines = list(_outlines(sign * image, blobs, sigma, noise))
    parts = {index for outline in outlines for index in outline.blobs}
    others = blobs.select(np.array([index for index in range(blobs.x.size) if index not in parts], int))
    whole = blobs.select(np.array([outline.blobs[0] for outline in outlines], int))
    places = np.array([(outline.x, outline.y) for outline in outlines]).reshape(-1, 2)
    return join([whole._replace(x=places[:, 0], y=places[:, 1]), others])


class _Outline:
    """Pixels of one particle above half of its peak."""

    def __init__(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> None:
        self.x, self.y = float(columns.mean()), float(rows.mean())
        self.blobs: list[int] = []
        self._pixels = rows, columns

    def ellipse(self) -> tuple[float, float, float]:
        """Return the axes, px, and the direction (rad) of the ellipse with the same second moments."""
        rows, columns = self._pixels
        covariance = np.cov(np.stack((columns, rows)), bias=True) + np.eye(2) / 12
        (small, large), vectors = np.linalg.eigh(covariance)
        return 4 * math.sqrt(large), 4 * math.sqrt(small), math.atan2(vectors[1, 1], vectors[0, 1])


def _outlines(image: Array, blobs: Blobs, sigma: float, noise: float) -> Iterator[_Outline]:
    """Yield the particles that lie inside of their windows, each once; `blobs` is complete after the last."""
    reach = math.ceil(_REACH * sigma) + 1
    side = max(1, 2 * round(sigma / 4) + 1)  # of the mean that reduces the noise: less than half of the width
    seen: list[_Outline] = []
    for index, (x, y) in enumerate(zip(blobs.x.round().astype(int), blobs.y.round().astype(int), strict=True)):
        top, left = y - reach, x - reach
        inside = top >= 0 and left >= 0 and y + reach < image.shape[0] and x + reach < image.shape[1]
        if not inside:
            continue
        window = _smooth(image[top : y + reach + 1, left : x + reach + 1].astype(np.float64), side)
        middle = reach - side // 2
        base, peak = float(np.median(window)), float(window[middle - 1 : middle + 2, middle - 1 : middle + 2].max())
        if peak - base < _MIN_CONTRAST * noise / side:
            continue
        region = _connected(window > base + _LEVEL * (peak - base), middle)
        touches = region[[0, -1]].any() or region[:, [0, -1]].any()
        if touches or region.sum() < _MIN_AREA_PX:
            continue
        rows, columns = np.nonzero(region)
        outline = _Outline(top + rows + side // 2, left + columns + side // 2)
        same = [other for other in seen if math.hypot(other.x - outline.x, other.y - outline.y) < sigma]
        if same:
            same[0].blobs.append(index)
            continue
        outline.blobs.append(index)
        seen.append(outline)
        yield outline


def _smooth(window: Array, side: int) -> Array:
    """Return means of `side` x `side` pixels, without the edge."""
    if side == 1:
        return window
    total = np.pad(window, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    means: Array = sums / side**2
    return means


def _connected(above: npt.NDArray[np.bool_], middle: int) -> npt.NDArray[np.bool_]:
    """Return the pixels of `above` that are connected with those around the middle, by sides."""
    region = np.zeros_like(above)
    region[middle - 1 : middle + 2, middle - 1 : middle + 2] = True
    region &= above
    while True:
        grown = region.copy()
        grown[1:] |= region[:-1]
        grown[:-1] |= region[1:]
        grown[:, 1:] |= region[:, :-1]
        grown[:, :-1] |= region[:, 1:]
        grown &= above
        if grown.sum() == region.sum():
            return region
        region = grown
