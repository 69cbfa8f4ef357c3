"""Grey levels to network input: local background off, divided by the noise, compressed by asinh.

1. background: the mean of the (2r+1) x (2r+1) box about each pixel, cut at the image's edge; it takes offset,
   gradient and vignetting away and moves with the particles, so that it shifts none of them;
2. noise: once a frame, from the differences of neighbouring pixels (`noise_level`);
3. asinh((grey - background) / noise): linear in the noise, logarithmic in bright particles.

The answer is the same for `a * image + b` with a > 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError
from livetrack.jit import njit

__all__ = ["MIN_SIZE_PX", "fill_input", "fill_inputs", "noise_level", "subtract_background", "to_float"]

MIN_SIZE_PX = 16
"""Least width and height of an image."""

_SAMPLES = 1 << 13  # neighbouring pairs that the noise is estimated from
_TRIM = 0.75  # share of the smallest differences; the rest may belong to particles
_BINS, _BINS_REACH = 512, 4.0  # fewer than a quarter of numbers >= 0 can be more than 4 times their mean
_MEAN_OF_TRIMMED = 0.5149 * math.sqrt(2.0)  # their mean, for white Gaussian noise of standard deviation 1
_RANGE_TO_NOISE = 1000.0  # images cleaner than this are treated as if they had this much noise


def to_float(image: npt.NDArray[Any], out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
    """Return `image` as float32 (H, W), in `out` where its shape fits.

    Numbers of more than 16 bits are first shifted by the image's first pixel, so that a large offset costs no digits.

    Raises
    ------
    InputError
        Not two-dimensional, not numbers, smaller than 16x16, or with pixels that are not finite.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 2 or image.dtype.kind not in "buif":
        what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"image: expected a (height, width) array of integers or floats, not {what}")
    if min(image.shape) < MIN_SIZE_PX:
        height, width = image.shape
        raise InputError(f"image: {width}x{height} px is too small; the least is {MIN_SIZE_PX}x{MIN_SIZE_PX}")
    if out is None or out.shape != image.shape:
        out = np.empty(image.shape, np.float32)
    if image.dtype.itemsize <= 2:
        np.copyto(out, image, casting="unsafe")
    else:
        first = np.float64(image[0, 0])
        np.subtract(image, first if np.isfinite(first) else 0.0, out=out, casting="unsafe")
    if image.dtype.kind == "f" and not np.isfinite(out).all():
        i, j = np.argwhere(~np.isfinite(out))[0]
        raise InputError(f"image: pixel x={j}, y={i} is {image[i, j]}; every pixel must be a finite number")
    return out


def noise_level(image: npt.NDArray[np.float32]) -> float:
    """Return the standard deviation of the noise in grey levels, from a strided sample; 0 for a constant image.

    The mean of the smaller three quarters of the differences between neighbouring pixels, scaled to Gaussian noise:
    particles and gradients hardly touch it, and it stays smooth where whole grey levels are larger than the noise.
    It is at least the rounding error of the grey levels (Widrow's step / sqrt(12)), and a thousandth of the
    image's range, which a single hot pixel does not widen.
    """
    step = round(math.sqrt(image.size / _SAMPLES)) | 1  # odd, so as not to fall in step with colour filters or blocks
    trimmed, least, low, high = _differences(image, step)
    rounding = float(least) / math.sqrt(12.0) if least < np.inf else 0.0
    return max(float(trimmed) / _MEAN_OF_TRIMMED, rounding, float(high - low) / _RANGE_TO_NOISE)


def fill_input(
    image: npt.NDArray[np.float32],
    noise: float,
    radius: int,
    out: npt.NDArray[np.float32],
    left: int = 0,
    top: int = 0,
) -> None:
    """Write the network's input for a window of `image` into `out`.

    Parameters
    ----------
    image
        (H, W) grey levels.
    noise
        Of `noise_level`, > 0.
    radius
        r of the background's box, px.
    out
        (h, w) float32; where it reaches beyond the image, the image is mirrored about its last row and column.
    left, top
        The window's first pixel, px, inside the image.
    """
    subtract_background(image, 1.0 / noise, radius, out, left, top)
    np.arcsinh(out, out=out)


def fill_inputs(
    image: npt.NDArray[np.float32],
    noise: float,
    radius: int,
    out: npt.NDArray[np.float32],
    left: npt.NDArray[np.int64],
    top: npt.NDArray[np.int64],
) -> None:
    """Write the input for windows at `left`, `top`, (N,), into `out`, (N, h, w); see `fill_input`."""
    _subtract_backgrounds(image, 1.0 / noise, radius, out, left, top)
    np.arcsinh(out, out=out)


@njit
def _subtract_backgrounds(image: Any, scale: float, radius: int, out: Any, left: Any, top: Any) -> None:
    for n in range(len(out)):
        subtract_background(image, scale, radius, out[n], left[n], top[n])


@njit
def subtract_background(image: Any, scale: float, radius: int, out: Any, left: int = 0, top: int = 0) -> None:
    """Write `scale` times (grey - the mean of the box about the pixel) into `out`; see `fill_input`."""
    height, width = image.shape
    rows = min(out.shape[0], height - top)
    columns = min(out.shape[1], width - left)
    first = max(0, left - radius)
    last = min(width, left + columns + radius)
    sums = np.zeros(last - first)  # of the box's rows, for each column
    running = np.zeros(last - first + 1)  # their sum from the left
    low, high = max(0, top - radius), max(0, top - radius)
    for i in range(rows):
        y = top + i
        while high < min(height, y + radius + 1):
            for k in range(sums.size):
                sums[k] += image[high, first + k]
            high += 1
        while low < y - radius:
            for k in range(sums.size):
                sums[k] -= image[low, first + k]
            low += 1
        for k in range(sums.size):
            running[k + 1] = running[k] + sums[k]
        for j in range(columns):
            x = left + j
            start = max(0, x - radius) - first
            stop = min(width, x + radius + 1) - first
            mean = (running[stop] - running[start]) / ((stop - start) * (high - low))
            out[i, j] = (image[y, x] - mean) * scale
        for j in range(columns, out.shape[1]):
            out[i, j] = out[i, 2 * columns - 2 - j]
    for i in range(rows, out.shape[0]):
        out[i] = out[2 * rows - 2 - i]


@njit
def _differences(image: Any, step: int) -> Any:
    """Return of neighbouring differences along x the mean of the smallest, `_TRIM` of all, and the least that is not 0.

    And the range that two neighbours share. The differences are counted in bins: of each bin only the mean is known.
    """
    height, width = image.shape
    rows = (height + step - 1) // step
    columns = (width - 2) // step + 1
    differences = np.empty(rows * columns, np.float32)
    least, low, high, total = np.inf, np.inf, -np.inf, 0.0
    for i in range(rows):
        for j in range(columns):
            a = image[i * step, j * step]
            b = image[i * step, j * step + 1]
            difference = abs(a - b)
            differences[i * columns + j] = difference
            total += difference
            if difference > 0:
                least = min(least, difference)
            low = min(low, max(a, b))
            high = max(high, min(a, b))
    kept = max(1, int(_TRIM * differences.size))
    trimmed = _mean_of_smallest(differences, kept, total / differences.size) if total > 0 else 0.0
    return trimmed, least, low, max(high, low)


@njit
def _mean_of_smallest(values: Any, count: int, mean: float) -> float:
    """Return the mean of the `count` smallest, which are so few that all lie below `_BINS_REACH` times the mean."""
    scale = _BINS / (_BINS_REACH * mean)
    # four of each: one that the last value has changed cannot be changed again at once
    parts, part_sums = np.zeros((4, _BINS + 1), np.int64), np.zeros((4, _BINS + 1))
    for n in range(values.size):
        k = int(min(values[n] * scale, _BINS))
        parts[n & 3, k] += 1
        part_sums[n & 3, k] += values[n]
    counts, sums = parts.sum(axis=0), part_sums.sum(axis=0)
    total, left = 0.0, count
    for k in range(_BINS + 1):
        if counts[k] >= left:
            return (total + sums[k] * (left / counts[k])) / count if counts[k] else total / count
        total += sums[k]
        left -= counts[k]
    return total / count
