"""Normalises images for the network: s asinh((grey - background) / (s noise)).

The background is the mean over a box of (2r+1) x (2r+1) pixels around each pixel, cut off at the image's edge. It
removes offset, gradients and vignetting, and moves with the particles, so that it shifts none of them. The noise is
one number per frame (`noise_level`). The result is linear up to about s standard deviations of the noise and
logarithmic beyond, in bright particles. s = 1 costs faint ones some of their evidence, s = 4 none.

The result is the same for `image` and `a * image + b`, a > 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError
from livetrack.jit import njit

__all__ = [
    "MIN_SIZE_PX",
    "as_float",
    "as_kernel_input",
    "extrapolate_background",
    "normalize_into",
    "subtract_background",
    "to_float",
]

MIN_SIZE_PX = 16
"""Minimum width and height of an image."""

_MAX_INTEGER_RADIUS = 90  # a box of that radius full of 65535 fits into 31 bits
_ORIGIN = np.zeros(1, np.int64)
_CHUNK = 1024  # pixels that fit into the fastest cache with what is computed from them
_BITS_OF_ROOT_HALF = 0x3F3504F3  # of the float32 nearest to it
_LN_2 = np.float32(math.log(2))
_ARTANH = (np.float32(2), np.float32(0.66666666), np.float32(0.4000097), np.float32(0.28498787))
_UNCONVERTED = (np.dtype(np.uint8), np.dtype(np.uint16))


def as_kernel_input(image: npt.NDArray[Any], out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[Any]:
    """Return `image` (H, W) in a form that kernels are compiled for: uint8, uint16 or float32, contiguous, writable.

    An image of 8 or 16 bits with that layout is returned itself, any other one is converted by `to_float`.

    Raises
    ------
    InputError
        See `to_float`.
    """
    if type(image) is np.ndarray and image.dtype in _UNCONVERTED and image.ndim == 2 and image.flags.carray:
        _check_size(image)
        return image
    return to_float(image, out)


def to_float(image: npt.NDArray[Any], out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
    """Return `image` as float32 (H, W), in `out` if its shape fits.

    The first pixel's value is subtracted from numbers of more than 16 bits, so that a large offset costs no precision.

    Raises
    ------
    InputError
        `image` is not two-dimensional, not numeric, smaller than 16x16 px, or has pixels that are not finite.
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
    input_scale: float = 1.0,
    flat: npt.NDArray[np.float32] | None = None,
) -> None:
    """Write the network's input for crops of `image` into `out`.

    Parameters
    ----------
    image
        (H, W) grey levels, see `as_kernel_input`.
    noise
        From `noise_level`, > 0.
    radius
        r of the background's box, px.
    out
        (N, h, w) float32, C-contiguous; beyond the image, the image is mirrored at its last row and column.
    left, top
        (N,) first pixel of each crop, px, inside the image.
    input_scale
        s, > 0.
    flat
        (N, h, w) float32 like `out`, into which (grey - background) / noise is written; None: nowhere.
    """
    linear = out if flat is None else flat
    _subtract_backgrounds(image, 1.0 / noise, radius, linear, left, top, _zero(image, radius))
    _compress(linear, np.float32(input_scale), out)


def extrapolate_background(image: npt.NDArray[Any], noise: float, radius: int, flat: npt.NDArray[np.float32]) -> None:
    """Correct `flat`, (H, W), of a whole image, within `radius` px of its edge, in place.

    There the box is cut off, and its mean is that of the background farther inside: a gradient shows in `flat`. The
    background is extrapolated instead, in a straight line along x and along y. No effect on images of less than four
    times `radius`.
    """
    if min(image.shape) > 4 * radius:
        _extrapolate(image, 1.0 / noise, radius, flat)


def subtract_background(image: npt.NDArray[np.float32], scale: float, radius: int, out: npt.NDArray[Any]) -> None:
    """Write `scale` times (grey - mean of the box around the pixel) into `out`, (H, W) like `image`."""
    _subtract_backgrounds(image, scale, radius, out[np.newaxis], _ORIGIN, _ORIGIN, _zero(image, radius))


def _zero(image: npt.NDArray[Any], radius: int) -> np.int32 | np.float64:
    """Return the number from which sums over boxes start: in integers, which are faster, where these suffice."""
    return np.int32(0) if image.dtype.kind == "u" and radius <= _MAX_INTEGER_RADIUS else np.float64(0)


def _check_size(image: npt.NDArray[Any]) -> None:
    height, width = image.shape
    if height < MIN_SIZE_PX or width < MIN_SIZE_PX:
        raise InputError(f"image: {width}x{height} px is too small; the minimum is {MIN_SIZE_PX}x{MIN_SIZE_PX}")


@njit
def _subtract_backgrounds(image: Any, scale: float, radius: int, out: Any, left: Any, top: Any, zero: Any) -> None:
    """Write `scale` times (grey - background); sums are of `zero`'s type."""
    columns = out.shape[2]
    sums = np.full(1 + columns + 2 * radius, zero)  # over a box's rows, for each column of the boxes, after a zero
    boxes = np.full(columns, zero)
    weight = np.empty(columns)  # of one pixel in each box
    for n in range(len(out)):
        _subtract_background(image, scale, radius, out[n], left[n], top[n], sums, boxes, weight)


@njit
def _subtract_background(
    image: Any, scale: float, radius: int, out: Any, left: int, top: int, sums: Any, boxes: Any, weight: Any
) -> None:
    height, width = image.shape
    rows, columns = min(out.shape[0], height - top), min(out.shape[1], width - left)
    first, last = max(0, left - radius), min(width, left + columns + radius)
    sums[:] = 0
    inside = sums[1 + first - (left - radius) :][: last - first]
    entering = sums[2 * radius + 1 :]  # columns at the right end of each box; `sums` are those that have just left
    low = high = max(0, top - radius)
    tall = 0
    for i in range(rows):
        y = top + i
        while high < min(height, y + radius + 1):
            line = image[high, first:last]
            for k in range(inside.size):
                inside[k] += line[k]
            high += 1
        while low < y - radius:
            line = image[low, first:last]
            for k in range(inside.size):
                inside[k] -= line[k]
            low += 1
        if tall != high - low:
            tall = high - low
            for j in range(columns):
                x = left + j
                weight[j] = 1 / (tall * (min(x + radius + 1, width) - max(x - radius, 0)))
        for j in range(columns):
            boxes[j] = entering[j] - sums[j]
        total = sums[: 2 * radius + 1].sum()
        for j in range(columns):
            total += boxes[j]
            boxes[j] = total
        line, into = image[y, left : left + columns], out[i]
        for j in range(columns):
            into[j] = (line[j] - boxes[j] * weight[j]) * scale
        for j in range(columns, out.shape[1]):
            into[j] = into[2 * columns - 2 - j]
    for i in range(rows, out.shape[0]):
        out[i] = out[2 * rows - 2 - i]


@njit
def _extrapolate(image: Any, scale: float, radius: int, flat: Any) -> None:
    for i in range(len(flat)):
        _extrapolate_to_start(image[i], scale, radius, flat[i])
        _extrapolate_to_start(image[i, ::-1], scale, radius, flat[i, ::-1])
    for j in range(flat.shape[1]):
        _extrapolate_to_start(image[:, j], scale, radius, flat[:, j])
        _extrapolate_to_start(image[::-1, j], scale, radius, flat[::-1, j])


@njit
def _extrapolate_to_start(grey: Any, scale: float, radius: int, flat: Any) -> None:
    """Correct the first `radius` pixels of a line for the background's slope behind them."""
    near, far = scale * grey[radius] - flat[radius], scale * grey[2 * radius] - flat[2 * radius]
    slope = (far - near) / (2 * radius)
    for i in range(radius):
        flat[i] += slope * (radius - i)


@njit
def _compress(flat: Any, factor: Any, out: Any) -> None:
    """Write `factor` asinh(x / `factor`) of each pixel x of `flat` (N, h, w) into `out`, which may be the same."""
    exponents, bits = np.empty(_CHUNK, np.int32), np.empty(_CHUNK, np.int32)
    for n in range(len(out)):
        pixels, into = flat[n].ravel(), out[n].ravel()
        for first in range(0, pixels.size, _CHUNK):
            _asinh(
                pixels[first : first + _CHUNK], factor, into[first : first + _CHUNK], exponents, bits.view(np.float32),
                bits,
            )  # fmt: skip


@njit(error_model="numpy")  # a division that may raise an error would not be vectorised
def _asinh(values: Any, factor: Any, out: Any, exponents: Any, arguments: Any, bits: Any) -> None:
    """Write `factor` asinh(x / `factor`), with asinh ln(|x| + sqrt(x² + 1)), right to 3e-7 of 1 or of the value.

    NumPy's is as fast only on processors with AVX-512, and elsewhere 15 times slower. `bits` are those of `arguments`,
    of which the logarithm is taken: exponent ln 2 + 2 artanh((m - 1) / (m + 1)), with m within sqrt(2) of 1.
    """
    one = np.float32(1)
    scale = one / factor
    for j in range(values.size):
        x = values[j] * scale
        arguments[j] = abs(x) + np.sqrt(x * x + one)
    for j in range(values.size):
        exponents[j] = (bits[j] - _BITS_OF_ROOT_HALF) >> 23
    for j in range(values.size):
        bits[j] -= exponents[j] << 23
    for j in range(values.size):
        s = (arguments[j] - one) / (arguments[j] + one)
        z = s * s
        logarithm = factor * (
            np.float32(exponents[j]) * _LN_2 + s * (_ARTANH[0] + z * (_ARTANH[1] + z * (_ARTANH[2] + z * _ARTANH[3])))
        )
        out[j] = logarithm if values[j] > 0 else -logarithm
