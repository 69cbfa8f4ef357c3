"""Matched filters: how many standard deviations of the noise a Gaussian spot rises over its surroundings.

A matched filter is the best detector of a known shape in white noise (North, Proceedings of the IEEE 51, 1016 (1963)).
The evidence at a pixel is the largest output of some filters of different sizes, each divided by the standard deviation
that the noise gives it. The noise of photons is skewed, so that it reaches higher above zero than below: the outputs
are corrected for it (Cornish and Fisher, Revue de l'Institut International de Statistique 5, 307 (1938)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.parallel import parallel_for

__all__ = ["BAR", "BEYOND_NOISE", "WHITE", "MatchedFilters", "Noise", "measure", "read_patch"]

BAR = 3.0
"""Least evidence of a peak."""

BEYOND_NOISE = 8.0
"""Evidence that no noise has, and of which the shape is seen."""

_REACH = 2.7  # of a filter, in its sigmas
_FLATTEST = 8.0  # evidence from which the correction of the skewness grows no more
_SKEWNESS_STEP = 3  # rows
_TYPICAL = 3.5  # sums and differences of neighbours within this many standard deviations of the noise are its own
_SEEN_SKEWNESS = 0.65  # of the skewness, which is seen within these
_USUAL_TAIL = 20.0  # troughs of white noise, that the troughs of the image are averaged with
_MIN_ROWS = 64  # worth a thread of their own

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.int32]


class Noise(NamedTuple):
    """What the evidence of noise alone is like."""

    skewness: float
    """Of a pixel's noise; 0 if it is symmetric."""
    tail: float
    """How fast the number of troughs falls with their squared depth: 1 in white noise, more in structured images."""
    troughs: int
    """As deep as `BAR` or deeper: as many as there are such peaks of white noise."""


WHITE = Noise(0.0, 1.0, 0)
"""Symmetric, and of independent pixels."""


class MatchedFilters:
    """Filters for Gaussian spots of some sizes. Keeps its buffers from image to image.

    Parameters
    ----------
    sigmas_px
        Of the spots, px, rising.
    """

    def __init__(self, sigmas_px: Sequence[float]) -> None:
        self.sigmas_px = np.array(sigmas_px)
        self._radii = np.ceil(_REACH * self.sigmas_px).astype(np.int64)
        self.reach_px = int(self._radii.max())
        offsets = np.arange(self.reach_px + 1)
        taps = np.exp(-0.5 * (offsets / self.sigmas_px[:, None]) ** 2)
        taps[offsets > self._radii[:, None]] = 0
        taps /= np.sqrt(2 * (taps**2).sum(axis=1) - taps[:, 0] ** 2)[:, None]
        self._taps = taps.astype(np.float32)
        self._skewness_passed = (2 * (taps**3).sum(axis=1) - taps[:, 0] ** 3) ** 2  # of the noise's skewness
        self._padded = self._highest = self._lowest = np.empty((0, 0), np.float32)
        self._pixels = np.empty((0, 2), np.int32)

    def find_peaks(self, flat: Floats, threads: int) -> tuple[Pixels, Floats, Noise]:
        """Return the peaks of the evidence, and what the image's noise is like.

        Parameters
        ----------
        flat
            (H, W), C-contiguous: grey levels over the background, in units of the noise.
        threads
            Number of threads.

        Returns
        -------
        pixels
            (P, 2): x and y of pixels with more evidence than those within 2 px, at least `BAR`; top to bottom.
        """
        (height, width), reach = flat.shape, self.reach_px
        if self._highest.shape != flat.shape:
            self._padded = np.zeros((height + 2 * reach, width), np.float32)
            self._highest, self._lowest = np.empty_like(flat), np.empty_like(flat)
            self._pixels = np.empty((flat.size // 4, 2), np.int32)
        skewness = max(_skewness(flat), 0.0)
        skew = self._skew(skewness)
        self._padded[reach : reach + height] = flat

        def filter_rows(first: int, last: int) -> None:
            _filter(self._padded, width, self._taps, self._radii, skew, first, last, self._highest, self._lowest)

        parallel_for(filter_rows, height, threads, _MIN_ROWS)
        pixels = self._pixels
        peaks = _find_peaks(self._highest, np.float32(1), pixels)
        return pixels[:peaks].copy(), self._highest, Noise(skewness, *_tail(self._lowest, pixels[peaks:]))

    def kernels(self, noise: Noise) -> tuple[npt.NDArray[np.float64], Floats, npt.NDArray[np.int64], Floats]:
        """Return the K filters as `measure` takes them: sigmas, taps (K, R), radii, and the correction for skewness."""
        return self.sigmas_px, self._taps, self._radii, self._skew(noise.skewness)

    def _skew(self, skewness: float) -> Floats:
        skew: Floats = (skewness * self._skewness_passed / 6).astype(np.float32)
        return skew


@njit(fastmath={"contract"})
def _filter(
    padded: Any, width: int, taps: Any, radii: Any, skew: Any, first: int, last: int, highest: Any, lowest: Any
) -> None:
    """Write the largest and the smallest output at each pixel of rows `first` to `last` into `highest` and `lowest`.

    `padded` is the image, (H, `width`), between as many rows of zeros as the widest filter reaches, on either side.
    """
    height, reach = len(highest), np.uintp(taps.shape[1] - 1)
    pixels, stride = padded.ravel(), np.uintp(width)
    line, output = np.zeros(width + 2 * taps.shape[1], np.float32), np.empty(width, np.float32)
    across = np.empty((len(taps), width), np.float32)
    for k in range(len(taps)):
        for j in range(width):
            across[k, j] = _rescaled(taps[k], j, width)
    for i in range(first, last):
        high, low = highest[i], lowest[i]
        high[:], low[:] = -np.inf, np.inf
        for k in range(len(taps)):
            radius = np.uintp(radii[k])
            _convolve(pixels, (np.uintp(i) + reach) * stride, stride, taps[k], radius, stride, line, reach)
            _convolve(line, reach, np.uintp(1), taps[k], radius, stride, output, np.uintp(0))
            down, scale, bend = _rescaled(taps[k], i, height), across[k], skew[k]
            for j in range(width):
                value = _corrected(down * scale[j] * output[j], bend)
                high[j], low[j] = max(high[j], value), min(low[j], value)


@njit(fastmath={"contract"})
def _convolve(source: Any, start: Any, step: Any, taps: Any, radius: Any, count: Any, into: Any, begin: Any) -> None:
    """Write `count` sums over `source`, from `start` on, weighted by the `taps` to both sides, into `into`.

    Neighbours of a tap are `step` apart. Indices are unsigned: they need no check for numbers below 0.
    """
    one, two = np.uintp(1), np.uintp(2)
    middle = taps[0]
    for j in range(count):
        into[begin + j] = middle * source[start + j]
    t = one
    while t < radius:  # two taps at once: half of the reads and writes of the sums
        near, far, before, after = taps[t], taps[t + one], start - t * step, start + t * step
        for j in range(count):
            into[begin + j] += near * (source[before + j] + source[after + j]) + far * (
                source[before - step + j] + source[after + step + j]
            )
        t += two
    if t == radius:
        near, before, after = taps[t], start - t * step, start + t * step
        for j in range(count):
            into[begin + j] += near * (source[before + j] + source[after + j])


@njit
def _rescaled(taps: Any, i: int, length: int) -> Any:
    """Return the factor that a filter cut off at an end of `length` px needs, with its middle at pixel `i`."""
    total = np.float32(0)
    for t in range(taps.size):
        weight = taps[t] * taps[t]
        total += weight if i - t >= 0 else np.float32(0)
        total += weight if t > 0 and i + t < length else np.float32(0)
    return np.float32(1 / math.sqrt(total))


@njit
def _corrected(value: Any, bend: Any) -> Any:
    return value - bend * (min(value * value, np.float32(_FLATTEST * _FLATTEST)) - np.float32(1))


@njit
def _find_peaks(values: Any, sign: Any, pixels: Any) -> Any:
    """Write x and y of the peaks of `sign` times `values`, see `find_peaks`; return their number."""
    height, width = values.shape
    columns = np.empty(width, np.int32)
    peaks = 0
    for i in range(1, height - 1):
        line = values[i]
        count = 0
        for j in range(1, width - 1):
            columns[count] = j
            count += sign * line[j] >= BAR
        for j in columns[:count]:
            if peaks < len(pixels) and _is_peak(values, sign, i, j):
                pixels[peaks, 0], pixels[peaks, 1] = j, i
                peaks += 1
    return peaks


@njit
def _is_peak(values: Any, sign: Any, row: int, column: int) -> bool:
    here = sign * values[row, column]
    for i in range(max(row - 2, 0), min(row + 3, values.shape[0])):
        for j in range(max(column - 2, 0), min(column + 3, values.shape[1])):
            other = sign * values[i, j]
            if other > here or (other == here and (i < row or (i == row and j < column))):
                return False
    return True


@njit
def _tail(lowest: Any, pixels: Any) -> Any:
    """Return the mean by which half the square of a trough's depth exceeds that of `BAR`, and the number of troughs.

    Peaks of white Gaussian noise are the rarer the higher, as exp(-z²/2): so this is 1 in white noise.
    """
    troughs = _find_peaks(lowest, np.float32(-1), pixels)
    excess = 0.0
    for n in range(troughs):
        depth = lowest[pixels[n, 1], pixels[n, 0]]
        excess += 0.5 * (depth * depth - BAR * BAR)
    return (excess + _USUAL_TAIL) / (troughs + _USUAL_TAIL), troughs


@njit
def _skewness(flat: Any) -> Any:
    """Return the skewness of the noise, from neighbouring pixels a, b: E[(a - b)² (a + b)] is twice the third cumulant.

    Particles, where both sums and differences are large, are left out by their size.
    """
    height, width = flat.shape
    first, second, third, pairs = 0.0, 0.0, 0.0, 0
    for i in range(0, height, _SKEWNESS_STEP):
        line = flat[i]
        for j in range(0, width - 1, 2):
            difference, total = line[j] - line[j + 1], line[j] + line[j + 1]
            if abs(difference) < _TYPICAL and abs(total) < _TYPICAL:
                first += total
                second += difference * difference
                third += difference * difference * total
                pairs += 1
    pairs = max(pairs, 1)
    return (third - second * first / pairs) / (2 * _SEEN_SKEWNESS * pairs)


@njit
def measure(flat: Any, taps: Any, radii: Any, skew: Any, x: int, y: int, outputs: Any) -> None:
    """Write the output of each of the K filters at one pixel of `flat` (H, W) into `outputs`, (K,)."""
    height, width = flat.shape
    for k in range(len(taps)):
        radius = radii[k]
        left, right = max(x - radius, 0), min(x + radius + 1, width)
        output = 0.0
        for i in range(max(y - radius, 0), min(y + radius + 1, height)):
            line = 0.0
            for j in range(left, right):
                line += taps[k, abs(j - x)] * flat[i, j]
            output += taps[k, abs(i - y)] * line
        outputs[k] = _corrected(output * _rescaled(taps[k], y, height) * _rescaled(taps[k], x, width), skew[k])


@njit
def read_patch(row: Any, image: Any, scale: float, radius: int, patch: Any) -> tuple[Any, int, int, int, int]:
    """Return the part of an image around a row, in units of the noise, the pixel of the row in it, and its first pixel.

    The background, which is subtracted, is the mean of the box of `radius` around that pixel. `patch` is overwritten.
    """
    (height, width), reach = image.shape, len(patch) // 2
    y, x = min(max(round(row["y"]), 0), height - 1), min(max(round(row["x"]), 0), width - 1)
    total, count = 0.0, 0
    for i in range(max(y - radius, 0), min(y + radius + 1, height)):
        for j in range(max(x - radius, 0), min(x + radius + 1, width)):
            total += image[i, j]
            count += 1
    top, bottom = max(y - reach, 0), min(y + reach + 1, height)
    left, right = max(x - reach, 0), min(x + reach + 1, width)
    for i in range(top, bottom):
        for j in range(left, right):
            patch[i - top, j - left] = scale * (image[i, j] - total / count)
    return patch[: bottom - top, : right - left], x - left, y - top, left, top
