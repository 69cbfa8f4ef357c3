"""Grey levels to network input: local background off, divided by the noise, compressed by asinh.

1. background: the mean of the (2r+1) x (2r+1) box about each pixel, cut at the image's edge; it takes offset,
   gradient and vignetting away and moves with the particles, so that it shifts none of them;
2. noise: once a frame, from the differences of neighbouring pixels (`noise.py`);
3. asinh((grey - background) / noise): linear in the noise, logarithmic in bright particles.

The answer is the same for `a * image + b` with a > 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError
from livetrack.jit import njit

__all__ = ["MIN_SIZE_PX", "as_float", "as_kernel_input", "normalize_into", "subtract_background", "to_float"]

MIN_SIZE_PX = 16
"""Least width and height of an image."""

_AS_THEY_ARE = (np.dtype(np.uint8), np.dtype(np.uint16))


def as_kernel_input(image: npt.NDArray[Any], out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[Any]:
    """Return `image` (H, W) as `noise_level` and `normalize_into` read it: itself where it is of 8 or 16 bits.

    Else `to_float(image, out)`, and so where it is not in one piece or may not be written: kernels are compiled for
    the usual layout only.

    Raises
    ------
    InputError
        As `to_float`.
    """
    if type(image) is np.ndarray and image.dtype in _AS_THEY_ARE and image.ndim == 2 and image.flags.carray:
        _check_size(image)
        return image
    return to_float(image, out)


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
    _check_size(image)
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


def as_float(image: npt.NDArray[Any], buffer: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
    """Return a kernel input as float32 (H, W): itself if it is, else a copy, in `buffer` if that fits."""
    return image if image.dtype == np.float32 else to_float(image, buffer)


def normalize_into(
    image: npt.NDArray[Any],
    noise: float,
    radius: int,
    out: npt.NDArray[np.float32],
    left: npt.NDArray[np.int64],
    top: npt.NDArray[np.int64],
) -> None:
    """Write the network's input for windows of `image` into `out`.

    Parameters
    ----------
    image
        (H, W) grey levels, `as_kernel_input`.
    noise
        Of `noise_level`, > 0.
    radius
        r of the background's box, px.
    out
        (N, h, w) float32; where it reaches beyond the image, the image is mirrored about its last row and column.
    left, top
        (N,) each window's first pixel, px, inside the image.
    """
    _subtract_backgrounds(image, 1.0 / noise, radius, out, left, top)
    np.arcsinh(out, out=out)


def subtract_background(image: npt.NDArray[np.float32], scale: float, radius: int, out: npt.NDArray[Any]) -> None:
    """Write `scale` times (grey - the mean of the box about the pixel) into `out`, (H, W) as `image`."""
    _subtract_background(image, scale, radius, out, 0, 0)


def _check_size(image: npt.NDArray[Any]) -> None:
    height, width = image.shape
    if height < MIN_SIZE_PX or width < MIN_SIZE_PX:
        raise InputError(f"image: {width}x{height} px is too small; the least is {MIN_SIZE_PX}x{MIN_SIZE_PX}")


@njit
def _subtract_backgrounds(image: Any, scale: float, radius: int, out: Any, left: Any, top: Any) -> None:
    for n in range(len(out)):
        _subtract_background(image, scale, radius, out[n], left[n], top[n])


@njit
def _subtract_background(image: Any, scale: float, radius: int, out: Any, left: int, top: int) -> None:
    height, width = image.shape
    rows, columns = min(out.shape[0], height - top), min(out.shape[1], width - left)
    side = 2 * radius + 1
    outside = max(0, radius - left)  # columns of the boxes beyond the image's left edge
    first = left - radius + outside
    inside = min(width, left + columns + radius) - first
    sums = np.zeros(inside)  # of the boxes' rows, for each column of the image
    running = np.zeros(columns + side)  # their sum from the left, for each column of the boxes
    share = np.empty(columns)  # of one pixel in each box
    low = high = max(0, top - radius)
    tall = 0
    for i in range(rows):
        y = top + i
        while high < min(height, y + radius + 1):
            line = image[high, first : first + inside]
            for k in range(inside):
                sums[k] += line[k]
            high += 1
        while low < y - radius:
            line = image[low, first : first + inside]
            for k in range(inside):
                sums[k] -= line[k]
            low += 1
        if tall != high - low:
            tall = high - low
            for j in range(columns):
                share[j] = 1 / (tall * (min(j + side, outside + inside) - max(j, outside)))
        running[outside + inside + 1 :] = _add_up(sums, running[outside + 1 :])
        ends, line, into = running[side:], image[y, left : left + columns], out[i]
        for j in range(columns):
            into[j] = (line[j] - (ends[j] - running[j]) * share[j]) * scale
        for j in range(columns, out.shape[1]):
            into[j] = into[2 * columns - 2 - j]
    for i in range(rows, out.shape[0]):
        out[i] = out[2 * rows - 2 - i]


@njit
def _add_up(values: Any, running: Any) -> float:
    """Write the sums of the first one, two, ... values into `running`; return that of all.

    In four pieces at once: each addition waits for the one before, but not for those of other pieces.
    """
    piece = values.size // 4
    a = b = c = d = 0.0
    for k in range(piece):
        a += values[k]
        b += values[piece + k]
        c += values[2 * piece + k]
        d += values[3 * piece + k]
        running[k], running[piece + k], running[2 * piece + k], running[3 * piece + k] = a, b, c, d
    b += a
    c += b
    d += c
    for k in range(piece):
        running[piece + k] += a
        running[2 * piece + k] += b
        running[3 * piece + k] += c
    for k in range(4 * piece, values.size):
        d += values[k]
        running[k] = d
    return d
