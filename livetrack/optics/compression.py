"""Artefacts of JPEG and lossy video compression."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["compress"]

_SIDE = 8


def compress(image: npt.NDArray[np.float32], step: float) -> npt.NDArray[np.float32]:
    """Return `image` (H, W) after JPEG-like compression: the cosine transform of each 8x8 block is rounded.

    Coefficient (u, v) of the orthonormal transform is rounded to a multiple of `step * (1 + (u + v) / 2)` grey levels,
    so fine detail is lost first (Wallace, IEEE Trans. Consumer Electronics 38, xviii (1992)).
    """
    height, width = image.shape
    padded = np.pad(image, ((0, -height % _SIDE), (0, -width % _SIDE)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // _SIDE, _SIDE, padded.shape[1] // _SIDE, _SIDE).swapaxes(1, 2)
    order = np.arange(_SIDE)
    cosines = math.sqrt(2 / _SIDE) * np.cos(math.pi / _SIDE * (order + 0.5) * order[:, None])
    cosines[0] /= math.sqrt(2)
    steps = step * (1 + 0.5 * (order + order[:, None]))
    rounded = steps * np.rint(cosines @ blocks @ cosines.T / steps)
    back = (cosines.T @ rounded @ cosines).swapaxes(1, 2).reshape(padded.shape)
    return np.asarray(back[:height, :width], np.float32)
