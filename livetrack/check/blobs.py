"""Finds blobs of unknown size and sign without a model: extrema of the scale-normalised Laplacian of Gaussian.

`sigma² ∇²(G_sigma * image)` is extremal, over position and sigma, at the centre of a blob and where sigma matches its
size: sigma = s for a Gaussian of standard deviation s, sigma = R / sqrt(2) for a disc of radius R (Lindeberg, Feature
detection with automatic scale selection, Int. J. Comput. Vis. 30, 79 (1998)).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Blobs", "find_blobs", "find_blobs_of_size", "join", "laplacians", "pixel_noise"]

Array = npt.NDArray[np.float64]
Image = npt.NDArray[Any]

_STEP = math.sqrt(2.0)  # ratio of successive scales
_MIN_SIGMA = 0.8  # px; a smaller kernel would be narrower than a pixel
_SCALES = (5, 4)  # calculated in the image, and in each halved one
_MIN_HALVED_SIGMA = 1.6  # px of a halved image; the mean of its pixels then changes the response by a few per cent
_MIN_SNR = 6.0  # of the response: practically no false detection in an image


class Blobs(NamedTuple):
    """N blobs: centre, best-fitting sigma, and response (positive for bright blobs), each (N,)."""

    x: Array
    y: Array
    sigma: Array
    response: Array

    def select(self, index: Any) -> Blobs:
        """Return a subset of the blobs, by an array of indices or a mask."""
        return Blobs(*(column[index] for column in self))


def pixel_noise(image: Image) -> float:
    """Return the standard deviation of the noise between neighbouring pixels, grey levels.

    It is the median of second differences along both axes, which are zero in a smooth image (Immerkær, Comput. Vis.
    Image Underst. 64, 300 (1996)); the median is insensitive to particles.
    """
    image = image.astype(np.float32)
    rows = image[:-2] - 2 * image[1:-1] + image[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(both)) / (0.6745 * 6))


def find_blobs(image: Image, noise: float) -> Blobs:
    """Return the significant blobs, bright and dark, of diameters from about 2 px to 0.6 of the image.

    Large blobs are found in halved images, where they cost little.
    """
    count = 1 + max(2, round(math.log(min(image.shape) / 3.5 / _MIN_SIGMA) / math.log(_STEP)))
    found, level, first = [], 0, 0
    while first < count - 2:
        sigmas = _MIN_SIGMA * _STEP ** np.arange(first, min(first + _SCALES[level > 0], count), dtype=np.float64)
        blobs = _extrema(_halved(image, level), sigmas / 2**level, noise / 2**level)
        found.append(_enlarged(blobs, level))
        first += sigmas.size - 2  # each scale but the first and the last has a neighbour on either side
        level += 1
    return _drop_at_edge(join(found), image.shape)


def find_blobs_of_size(image: Image, noise: float, sigma: float, min_response: float) -> Blobs:
    """Return the blobs of size `sigma` that have the sign of `min_response` and are at least as strong."""
    sign = math.copysign(1.0, min_response)
    level = max(0, math.floor(math.log2(sigma / _MIN_HALVED_SIGMA)))
    scale = sigma / 2**level
    response = sign * next(laplacians(_halved(image, level), np.array([scale])))
    threshold = max(abs(min_response), float(_noise_threshold(np.array([scale]), noise / 2**level)[0]))
    y, x = peaks = np.nonzero((response >= _local_max(response)) & (response > threshold))
    blobs = Blobs(
        x + _vertex(response[y, np.maximum(x - 1, 0)], response[peaks], response[y, _next(x, response.shape[1])]),
        y + _vertex(response[np.maximum(y - 1, 0), x], response[peaks], response[_next(y, response.shape[0]), x]),
        np.full(x.size, scale),
        sign * response[peaks].astype(np.float64),
    )
    return _drop_at_edge(_enlarged(blobs, level), image.shape)


def join(parts: Sequence[Blobs]) -> Blobs:
    """Return the blobs of all parts, of which there is at least one."""
    return Blobs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _extrema(image: Image, sigmas: Array, noise: float) -> Blobs:
    """Return the significant extrema over position and scale, but for the first and the last of `sigmas`."""
    thresholds = _noise_threshold(sigmas, noise)
    maps: list[Image] = []
    largest: list[Image] = []
    parts = []
    for level, response in enumerate(laplacians(image, sigmas)):
        maps, largest = [*maps[-2:], response], [*largest[-2:], _local_max(np.abs(response))]
        if len(maps) < 3:
            continue
        size = np.abs(maps[1])
        peak = (size >= np.maximum.reduce(largest)) & (size > thresholds[level - 1])
        y, x = np.nonzero(peak)
        here = maps[1][y, x]
        scale = _vertex(maps[0][y, x], here, maps[2][y, x])
        across = _vertex(maps[1][y, np.maximum(x - 1, 0)], here, maps[1][y, _next(x, image.shape[1])])
        down = _vertex(maps[1][np.maximum(y - 1, 0), x], here, maps[1][_next(y, image.shape[0]), x])
        parts.append(Blobs(x + across, y + down, sigmas[level - 1] * _STEP**scale, here.astype(np.float64)))
    return join(parts)


def laplacians(image: Image, sigmas: Array) -> Iterator[Image]:
    """Yield -sigma² ∇²(G * image), (H, W), for each sigma: positive at bright blobs."""
    height, width = image.shape
    pad = min(math.ceil(4 * sigmas.max()), min(image.shape) - 1)
    shape = _quick_length(height + 2 * pad), _quick_length(width + 2 * pad)
    sides = [(pad, length - side - pad) for length, side in zip(shape, image.shape, strict=True)]
    padded = np.pad(image.astype(np.float32), sides, mode="symmetric")
    spectrum = np.fft.rfft2(padded - padded.mean())
    k_y = 2 * math.pi * np.fft.fftfreq(shape[0]).astype(np.float32)[:, None]
    k_x = 2 * math.pi * np.fft.rfftfreq(shape[1]).astype(np.float32)
    k_squared = k_y**2 + k_x**2
    for sigma in sigmas.astype(np.float32):
        k_sigma = sigma**2 * k_squared
        smooth = np.fft.irfft2(spectrum * (k_sigma * np.exp(-k_sigma / 2)), shape)
        yield smooth[pad : pad + height, pad : pad + width]


def _quick_length(length: int) -> int:
    """Return the next length that has only factors 2, 3 and 5, of which a Fourier transform is quick."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def _halved(image: Image, times: int) -> Image:
    """Return the means of 2x2 pixels, so often; rows and columns that fill no whole pixel are left out."""
    side = 2**times
    if side == 1:
        return image
    height, width = (length // side for length in image.shape)
    blocks = image[: height * side, : width * side].reshape(height, side, width, side)
    means: Image = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def _enlarged(blobs: Blobs, halvings: int) -> Blobs:
    """Return blobs that were found in a halved image in px of the image itself."""
    side = 2**halvings
    return Blobs((blobs.x + 0.5) * side - 0.5, (blobs.y + 0.5) * side - 0.5, blobs.sigma * side, blobs.response)


def _noise_threshold(sigma: Array, noise: float) -> Array:
    """Return a response that white noise does not reach; its standard deviation is `noise / (sigma sqrt(2 pi))`."""
    return _MIN_SNR * noise / (sigma * math.sqrt(2 * math.pi))


def _drop_at_edge(blobs: Blobs, shape: tuple[int, ...]) -> Blobs:
    """Drop blobs cut by the edge of the image, where mirrored noise counts twice."""
    to_edge = np.minimum.reduce([blobs.x, blobs.y, shape[1] - 1 - blobs.x, shape[0] - 1 - blobs.y])
    return blobs.select(to_edge > blobs.sigma)


def _local_max(image: Image) -> Image:
    """Return at each pixel the highest value within one step along each axis."""
    rows = image.copy()
    np.maximum(rows[1:], image[:-1], out=rows[1:])
    np.maximum(rows[:-1], image[1:], out=rows[:-1])
    highest = rows.copy()
    np.maximum(highest[:, 1:], rows[:, :-1], out=highest[:, 1:])
    np.maximum(highest[:, :-1], rows[:, 1:], out=highest[:, :-1])
    return highest


def _next(index: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.intp]:
    return np.minimum(index + 1, length - 1)


def _vertex(before: Image, here: Image, after: Image) -> Array:
    """Return the vertex of a parabola through three values at -1, 0 and 1, within half a step of 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = 0.5 * (before.astype(np.float64) - after) / (before.astype(np.float64) + after - 2 * here)
    inside: Array = np.where(np.isfinite(shift), np.clip(shift, -0.5, 0.5), 0.0)
    return inside
