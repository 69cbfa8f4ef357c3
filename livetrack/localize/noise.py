"""The noise of an image, from the differences between neighbouring pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["noise_level"]

_SAMPLES = 1 << 13  # pairs of neighbours
_TRIM = 0.75  # fraction of the differences, the smallest; the others may belong to particles
_BINS, _BINS_REACH = 512, 4.0  # in units of the mean: fewer than a quarter of positive numbers exceed 4 times theirs
_MEAN_OF_TRIMMED = 0.5149 * math.sqrt(2.0)  # for white Gaussian noise of standard deviation 1
_INF = np.float32(np.inf)
_MAX_RANGE_TO_NOISE = 1000.0  # cleaner images are treated as if they had this much noise


def noise_level(image: npt.NDArray[Any]) -> float:
    """Return the standard deviation of the noise, grey levels, of an `as_kernel_input` image; 0 for a constant one.

    It is the mean of the smaller three quarters of the differences between neighbouring pixels in a strided sample,
    scaled to Gaussian noise. Particles and gradients hardly change it, and it varies smoothly even if a grey level is
    larger than the noise. It is at least the rounding error of the grey levels (Widrow's step / sqrt(12)), and a
    thousandth of the image's range, which a single hot pixel does not widen.
    """
    return float(_noise_level(image))


@njit
def _noise_level(image: Any) -> Any:
    step = round(math.sqrt(image.size / _SAMPLES)) | 1  # odd: out of step with colour filters and compression blocks
    differences, total, least, low, high = _differences(image, step)
    if total == 0:
        return max(high - low, 0.0) / _MAX_RANGE_TO_NOISE
    trimmed = _mean_of_smallest(differences, max(1, int(_TRIM * differences.size)), total / differences.size)
    return max(trimmed / _MEAN_OF_TRIMMED, least / math.sqrt(12.0), (high - low) / _MAX_RANGE_TO_NOISE)


@njit(fastmath={"reassoc", "nnan", "nsz"})
def _differences(image: Any, step: int) -> Any:
    """Return the differences along x, their sum, the smallest above 0, and the range that pairs of neighbours reach."""
    height, width = image.shape
    rows, columns = (height + step - 1) // step, (width - 2) // step + 1
    differences = np.empty((rows, columns), np.float32)
    # apart from each other: parts of one array would not be known to be contiguous
    left, right = np.empty(columns, np.float32), np.empty(columns, np.float32)
    least, low = np.full(columns, _INF), np.full(columns, _INF)  # one per column, so that the loops vectorise
    high = np.full(columns, -_INF)
    total = 0.0
    for i in range(rows):
        line, into = image[i * step], differences[i]
        if step == 1:  # a constant stride, for the same reason
            for j in range(columns):
                left[j], right[j] = line[j], line[j + 1]
        else:
            for j in range(columns):
                left[j], right[j] = line[j * step], line[j * step + 1]
        for j in range(columns):
            difference = into[j] = abs(left[j] - right[j])
            total += difference
            least[j] = min(least[j], difference if difference > 0 else _INF)
            low[j] = min(low[j], max(left[j], right[j]))
            high[j] = max(high[j], min(left[j], right[j]))
    return differences.ravel(), total, least.min(), low.min(), high.max()


@njit
def _mean_of_smallest(values: Any, count: int, mean: float) -> Any:
    """Return the mean of the `count` smallest, all below `_BINS_REACH` times the mean, to the resolution of a bin."""
    width = mean * _BINS_REACH / _BINS
    low, high = 0, _BINS  # bin edges around the largest of the smallest
    below, upto = 0, values.size
    while high - low > 1:
        middle = (low + high) // 2
        smaller = _count_below(values, np.float32(middle * width))
        if smaller < count:
            low, below = middle, smaller
        else:
            high, upto = middle, smaller
    total = _sum_below(values, np.float32(low * width))
    of_bin = _sum_below(values, np.float32(high * width)) - total
    return (total + of_bin * ((count - below) / (upto - below))) / count


@njit(fastmath={"reassoc", "nnan", "nsz"})
def _count_below(values: Any, edge: Any) -> int:
    count = np.float32(0)  # exact, and added up in vectors of 32 bits
    for n in range(values.size):
        count += np.float32(1 if values[n] < edge else 0)
    return int(count)


@njit(fastmath={"reassoc", "nnan", "nsz"})
def _sum_below(values: Any, edge: Any) -> Any:
    total = np.float64(0)
    for n in range(values.size):
        total += values[n] if values[n] < edge else np.float32(0)
    return total
