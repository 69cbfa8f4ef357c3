"""Finds blobs of unknown size and sign without a model: extrema of the scale-normalised Laplacian of Gaussian.

`sigma² ∇²(G_sigma * image)` is extremal, over position and sigma, at the centre of a blob and where sigma matches its
size: sigma = s for a Gaussian of standard deviation s, sigma = R / sqrt(2) for a disc of radius R (Lindeberg, Feature
detection with automatic scale selection, Int. J. Comput. Vis. 30, 79 (1998)).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Blobs", "find_blobs", "find_blobs_of_size", "pixel_noise"]

Array = npt.NDArray[np.float64]

_STEP = math.sqrt(2.0)  # ratio of successive scales
_MIN_SIGMA = 0.8  # px; a smaller kernel would be narrower than a pixel
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


def pixel_noise(image: Array) -> float:
    """Return the standard deviation of the noise between neighbouring pixels, grey levels.

    It is the median of second differences along both axes, which are zero in a smooth image (Immerkær, Comput. Vis.
    Image Underst. 64, 300 (1996)); the median is insensitive to particles.
    """
    rows = image[:-2] - 2 * image[1:-1] + image[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(both)) / (0.6745 * 6))


def find_blobs(image: Array, noise: float) -> Blobs:
    """Return the significant blobs, bright and dark, of diameters from about 2 px to a quarter of the image."""
    count = 1 + max(2, round(math.log(min(image.shape) / 10 / _MIN_SIGMA) / math.log(_STEP)))
    sigmas: Array = _MIN_SIGMA * _STEP ** np.arange(count, dtype=np.float64)
    maps = _laplacians(image, sigmas)
    size = np.abs(maps)
    peak = size >= _local_max(size)
    peak[[0, -1]] = False  # no maximum over scale without a neighbour on either side
    peak &= size > _noise_threshold(sigmas, noise)[:, None, None]
    peaks = np.nonzero(peak)
    scale, y, x = (_vertex(maps, peaks, axis) for axis in range(3))
    return _drop_at_edge(Blobs(x, y, _MIN_SIGMA * _STEP**scale, maps[peaks]), image.shape)


def find_blobs_of_size(image: Array, noise: float, sigma: float, min_response: float) -> Blobs:
    """Return the blobs of size `sigma` that have the sign of `min_response` and are at least as strong."""
    sign = math.copysign(1.0, min_response)
    scale = np.array([sigma])
    response = sign * _laplacians(image, scale)
    threshold = max(abs(min_response), float(_noise_threshold(scale, noise)[0]))
    peaks = np.nonzero((response >= _local_max(response)) & (response > threshold))
    x, y = _vertex(response, peaks, 2), _vertex(response, peaks, 1)
    return _drop_at_edge(Blobs(x, y, np.full(x.size, sigma), sign * response[peaks]), image.shape)


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


def _noise_threshold(sigma: Array, noise: float) -> Array:
    """Return a response that white noise does not reach; its standard deviation is `noise / (sigma sqrt(2 pi))`."""
    return _MIN_SNR * noise / (sigma * math.sqrt(2 * math.pi))


def _drop_at_edge(blobs: Blobs, shape: tuple[int, ...]) -> Blobs:
    """Drop blobs cut by the edge of the image, where mirrored noise counts twice."""
    to_edge = np.minimum.reduce([blobs.x, blobs.y, shape[1] - 1 - blobs.x, shape[0] - 1 - blobs.y])
    return blobs.select(to_edge > blobs.sigma)


def _local_max(maps: Array) -> Array:
    """Return at each point of (S, H, W) the highest value within one step along each axis."""
    for axis in range(maps.ndim):
        padded = np.pad(maps, [(1, 1) if n == axis else (0, 0) for n in range(maps.ndim)], mode="edge")
        along = [padded[(slice(None),) * axis + (slice(start, start + maps.shape[axis]),)] for start in range(3)]
        maps = np.maximum(np.maximum(along[0], along[1]), along[2])
    return maps


def _vertex(maps: Array, peaks: tuple[npt.NDArray[Any], ...], axis: int) -> Array:
    """Return the peaks' coordinate along `axis`, refined by a parabola through each peak and its neighbours."""
    last = maps.shape[axis] - 1
    index = list(peaks)
    index[axis] = np.clip(peaks[axis] - 1, 0, last)
    before = maps[tuple(index)]
    index[axis] = np.clip(peaks[axis] + 1, 0, last)
    after = maps[tuple(index)]
    curvature = before + after - 2 * maps[peaks]
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = 0.5 * (before - after) / curvature
    refined = peaks[axis] + np.where(np.isfinite(shift), np.clip(shift, -0.5, 0.5), 0.0)
    inside: Array = np.clip(refined, 0, last)
    return inside
