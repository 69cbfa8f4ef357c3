"""What lies under the particles: light that is not even, and structure that is no particle."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["add_texture", "add_tilt"]


def add_tilt(image: npt.NDArray[np.float32], change: float, angle: float) -> None:
    """Add a plane to `image` in place: zero in the middle, `change` from one side to the other.

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    change
        Photoelectrons over the longer side.
    angle
        rad, the direction of the rise, from x towards y.
    """
    height, width = image.shape
    per_px = change / max(height, width)
    image += np.float32(per_px * math.cos(angle)) * (np.arange(width, dtype=np.float32) - (width - 1) / 2)
    image += np.float32(per_px * math.sin(angle)) * (np.arange(height, dtype=np.float32) - (height - 1) / 2)[:, None]


def add_texture(image: npt.NDArray[np.float32], std: float, size_px: float, rng: np.random.Generator) -> None:
    """Add a smooth random structure to `image` in place: Gaussian noise blurred by a Gaussian.

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    std
        Standard deviation of the structure, photoelectrons.
    size_px
        Full width at half maximum of its bumps.
    rng
        Where the noise comes from.
    """
    blur = size_px / 2.355
    noise = rng.standard_normal((_nodes(image.shape[0], blur), _nodes(image.shape[1], blur)))
    structure = _weights(image.shape[0], blur) @ noise @ _weights(image.shape[1], blur).T
    image += (std * structure).astype(np.float32)


def _nodes(length: int, blur: float) -> int:
    """Return how many random nodes, one per `blur`, a side needs, four beyond each end."""
    return math.ceil(length / blur) + 9


def _weights(length: int, blur: float) -> npt.NDArray[np.float64]:
    """Return (length, nodes): how much each node adds to each pixel, with unit variance in sum."""
    place = np.arange(length)[:, None] / blur - (np.arange(_nodes(length, blur)) - 4)
    weights: npt.NDArray[np.float64] = np.exp(-0.5 * place**2)
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    return weights
