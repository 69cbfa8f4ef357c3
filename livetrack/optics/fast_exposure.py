"""Sensor noise at the frame rate of a live camera: 40 times faster than drawing the photons of each pixel."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.optics.sensor import Sensor

__all__ = ["expose_fast"]

_BRIGHT = 20.0  # expected photoelectrons; dimmer pixels are drawn exactly
_LEVELS = 1 << 16  # quantiles of the normal distribution: 256 kB, which fits in a core's cache


def expose_fast(
    sensor: Sensor, photons: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Return one noisy exposure like `sensor.expose(photons, rng)`, approximated where photons are 20 or more.

    There, shot and read noise together are one deviate with the mean, variance and third moment of their sum, by the
    expansion of Cornish and Fisher (Revue de l'Institut International de Statistique 5, 307 (1938)):
    `mean + std z + (skewness / 6) std (z² - 1)`. The normal deviate z takes 65,536 values, so none exceeds 4.3
    standard deviations. Dimmer pixels are drawn exactly.

    At 512x512 px this takes 0.5 ms on one core; `sensor.expose` takes 20 ms.
    """
    photons = np.ascontiguousarray(photons, np.float32)
    words = rng.integers(0, 2**64, -(-photons.size // 4), np.uint64)
    draws = words.view(np.uint16)[: photons.size].reshape(photons.shape)
    grey = np.empty(photons.shape, np.uint8 if sensor.bit_depth <= 8 else np.uint16)
    constants = np.array([sensor.gain, sensor.offset, sensor.read_noise**2, 2**sensor.bit_depth - 1], np.float32)
    dim = _expose(photons, draws, _quantiles(), constants, np.float32(_BRIGHT), grey)
    if dim:
        where = photons < _BRIGHT
        grey[where] = sensor.expose(photons[where], rng)
    return grey


@njit
def _expose(photons: Any, draws: Any, quantiles: Any, constants: Any, bright: Any, grey: Any) -> int:
    """Fill `grey`; return the number of pixels that are too dim for the approximation."""
    gain, offset, read_variance, top = constants
    sixth, one, half, zero = np.float32(1 / 6), np.float32(1), np.float32(0.5), np.float32(0)
    height, width = photons.shape
    deviates = np.empty(width, np.float32)
    dim = 0
    for i in range(height):
        # a separate loop for the table lookup lets the compiler vectorise the arithmetic: 3 times faster
        for j in range(width):
            deviates[j] = quantiles[draws[i, j]]
        for j in range(width):
            mean = max(photons[i, j], zero)
            dim += mean < bright
            variance = mean + read_variance
            z = deviates[j]
            skew = sixth * mean / max(variance, one)
            electrons = mean + np.sqrt(variance) * z + skew * (z * z - one)
            grey[i, j] = np.int32(min(max(electrons * gain + offset + half, zero), top))
    return dim


@cache
def _quantiles() -> npt.NDArray[np.float32]:
    """Return the normal deviates at the centres of `_LEVELS` equally likely intervals."""
    inverse = NormalDist().inv_cdf
    lower = np.array([inverse((k + 0.5) / _LEVELS) for k in range(_LEVELS // 2)], np.float32)
    return np.concatenate([lower, -lower[::-1]])
