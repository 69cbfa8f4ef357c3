"""Blobs of unknown size and sign, found without a model: extrema of the scale-normalised Laplacian of Gaussian.

At a blob's centre `sigma² ∇²(G_sigma * image)` is largest, over place and over sigma, where sigma fits the blob:
sigma = s for a Gaussian of standard deviation s, sigma = R / sqrt(2) for a disc of radius R (Lindeberg, Feature
detection with automatic scale selection, Int. J. Comput. Vis. 30, 79 (1998)).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Blobs", "find_blobs", "find_blobs_of_size", "pixel_noise"]

Array = npt.NDArray[np.float64]

_STEP = math.sqrt(2.0)  # from one scale to the next
_FIRST = 0.8  # px, the finest scale: below it the kernel is narrower than a pixel
_LEAST_Z = 6.0  # response over its noise: no false alarm in any image


class Blobs(NamedTuple):
    """N blobs: centre, the sigma that fits, and the response there (positive for bright ones), each (N,)."""

    x: Array
    y: Array
    sigma: Array
    response: Array

    def select(self, which: Any) -> Blobs:
        """Return the blobs that an array of indices or a mask names."""
        return Blobs(*(column[which] for column in self))


def pixel_noise(image: Array) -> float:
    """Return the standard deviation of the noise between neighbouring pixels, grey levels.

    From second differences along both axes, which a smooth image does not have (Immerkær, Comput. Vis. Image
    Underst. 64, 300 (1996)), by their median, which particles do not move.
    """
    rows = image[:-2] - 2 * image[1:-1] + image[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(both)) / (0.6745 * 6))


def find_blobs(image: Array, noise: float) -> Blobs:
    """Return the significant blobs, bright and dark, from about 2 px across to a quarter of the image."""
    count = 1 + max(2, round(math.log(min(image.shape) / 10 / _FIRST) / math.log(_STEP)))
    sigmas: Array = _FIRST * _STEP ** np.arange(count, dtype=np.float64)
    maps = _laplacians(image, sigmas)
    size = np.abs(maps)
    peak = size >= _highest_neighbour(size)
    peak[[0, -1]] = False  # no scale on one side: not a maximum over scale
    peak &= size > _least_response(sigmas, noise)[:, None, None]
    peaks = np.nonzero(peak)
    scale, y, x = (_vertex(maps, peaks, axis) for axis in range(3))
    return _uncut(Blobs(x, y, _FIRST * _STEP**scale, maps[peaks]), image.shape)


def find_blobs_of_size(image: Array, noise: float, sigma: float, least_response: float) -> Blobs:
    """Return the blobs that fit `sigma`, of the sign of `least_response` and at least as strong."""
    sign = math.copysign(1.0, least_response)
    scale = np.array([sigma])
    response = sign * _laplacians(image, scale)
    least = max(abs(least_response), float(_least_response(scale, noise)[0]))
    peaks = np.nonzero((response >= _highest_neighbour(response)) & (response > least))
    x, y = _vertex(response, peaks, 2), _vertex(response, peaks, 1)
    return _uncut(Blobs(x, y, np.full(x.size, sigma), sign * response[peaks]), image.shape)


def _laplacians(image: Array, sigmas: Array) -> Array:
    """Return -sigma² ∇²(G * image) for each sigma, (S, H, W): positive at bright blobs."""
    pad = min(math.ceil(4 * sigmas.max()), min(image.shape) - 1)
    padded = np.pad(image, pad, mode="reflect")
    spectrum = np.fft.rfft2(padded - padded.mean())
    k_y = 2 * math.pi * np.fft.fftfreq(padded.shape[0])[:, None]
    k_x = 2 * math.pi * np.fft.rfftfreq(padded.shape[1])
    k_squared = k_y**2 + k_x**2
    maps = np.empty((sigmas.size, *image.shape))
    for level, sigma in enumerate(sigmas):
        k_sigma = sigma**2 * k_squared
        smooth = np.fft.irfft2(spectrum * (k_sigma * np.exp(-k_sigma / 2)), padded.shape)
        maps[level] = smooth[pad : pad + image.shape[0], pad : pad + image.shape[1]]
    return maps


def _least_response(sigma: Array, noise: float) -> Array:
    """Return what white noise of the pixels does not reach: its response spreads by `noise / (sigma sqrt(2 pi))`."""
    return _LEAST_Z * noise / (sigma * math.sqrt(2 * math.pi))


def _uncut(blobs: Blobs, shape: tuple[int, ...]) -> Blobs:
    """Leave out blobs that the image's edge cuts: there the mirrored noise counts twice."""
    room = np.minimum.reduce([blobs.x, blobs.y, shape[1] - 1 - blobs.x, shape[0] - 1 - blobs.y])
    return blobs.select(room > blobs.sigma)


def _highest_neighbour(maps: Array) -> Array:
    """Return at each point of (S, H, W) the highest value within one step along each axis."""
    for axis in range(maps.ndim):
        padded = np.pad(maps, [(1, 1) if n == axis else (0, 0) for n in range(maps.ndim)], mode="edge")
        along = [padded[(slice(None),) * axis + (slice(start, start + maps.shape[axis]),)] for start in range(3)]
        maps = np.maximum(np.maximum(along[0], along[1]), along[2])
    return maps


def _vertex(maps: Array, peaks: tuple[npt.NDArray[Any], ...], axis: int) -> Array:
    """Return the peaks' coordinate along `axis`, refined by the parabola through the point and its neighbours."""
    last = maps.shape[axis] - 1
    place = list(peaks)
    place[axis] = np.clip(peaks[axis] - 1, 0, last)
    before = maps[tuple(place)]
    place[axis] = np.clip(peaks[axis] + 1, 0, last)
    after = maps[tuple(place)]
    curvature = before + after - 2 * maps[peaks]
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = 0.5 * (before - after) / curvature
    refined = peaks[axis] + np.where(np.isfinite(shift), np.clip(shift, -0.5, 0.5), 0.0)
    inside: Array = np.clip(refined, 0, last)
    return inside
