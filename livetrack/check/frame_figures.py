"""Figures of a frame that cost little: how bright it is, how much stands out in it, how it differs from the last."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.check.blobs import laplacians
from livetrack.movies.movie import Image

__all__ = ["FrameFigures", "figures"]

_MAX_CELLS = 256  # along an axis: larger images are reduced to means of up to 4x4 pixels
_MAX_BIN_PX = 4
_SIGMAS = np.array([1.2, 3.6])  # cells, of the blobs that count
_ROUNDING = 0.3  # grey levels


class FrameFigures(NamedTuple):
    """Figures of a frame."""

    level: float
    """Mean of the middle half of all pixels, grey levels: particles do not change it."""
    strength: tuple[float, ...]
    """Largest response to small and to large blobs of any sign, grey levels."""
    noise: tuple[float, ...]
    """Standard deviation of these responses at most places, grey levels."""
    copy: bool
    """Whether the frame is an exact copy of the one before."""
    change: float | None
    """Mean absolute difference from the frame before, grey levels; None for the first frame of a series."""


def figures(image: Image, before: Image | None) -> FrameFigures:
    """Return the figures of `image` (H, W), of which `before` is the preceding frame, if it is there."""
    copy = before is not None and np.array_equal(image, before)
    change = None
    if before is not None:
        change = 0.0 if copy else float(np.abs(image[::2].astype(np.float32) - before[::2].astype(np.float32)).mean())
    size = min(_MAX_BIN_PX, max(1, round(max(image.shape) / _MAX_CELLS)))
    rounding = _ROUNDING / size if image.dtype.kind in "ui" else 1e-12
    responses = [np.abs(response).ravel() for response in laplacians(_means(image, size), _SIGMAS)]
    return FrameFigures(
        _level(image),
        tuple(float(response.max()) for response in responses),
        tuple(
            max(1.4826 * float(np.median(response)), rounding / sigma)
            for response, sigma in zip(responses, _SIGMAS, strict=True)
        ),
        copy,
        change,
    )


def _means(image: Image, size: int) -> npt.NDArray[np.float32]:
    """Return the means of squares of `size` pixels."""
    height, width = (side // size for side in image.shape)
    blocks = image[: height * size, : width * size].reshape(height, size, width, size)
    means: npt.NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def _level(image: Image) -> float:
    some = image.ravel()[:: max(1, image.size // 20_000) | 1]  # an odd step does not follow the columns
    values = np.sort(some).astype(np.float64)
    quarter = values.size // 4
    return float(values[quarter : values.size - quarter].mean())
