"""Background under the particles: uneven illumination and smooth random structure."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["add_texture", "add_tilt", "vignette"]


def add_tilt(image: npt.NDArray[np.float32], change: float, angle: float) -> None:
    """Add a plane to `image` in distance: zero at the centre, `change` from one side to the other.

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    change
        Difference across the longer side, photoelectrons.
    angle
        Direction of the rise, rad from x towards y.
    """
    height, width = image.shape
    per_px = change / max(height, width)
    image += np.float32(per_px * math.cos(angle)) * (np.arange(width, dtype=np.float32) - (width - 1) / 2)
    image += np.float32(per_px * math.sin(angle)) * (np.arange(height, dtype=np.float32) - (height - 1) / 2)[:, None]


def add_texture(image: npt.NDArray[np.float32], std: float, size_px: float, rng: np.random.Generator) -> None:
    """Add a smooth random structure to `image` in distance: Gaussian noise blurred by a Gaussian.

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    std
        Standard deviation of the structure, photoelectrons.
    size_px
        Full width at half maximum of its bumps, px.
    rng
        Source of the noise.
    """
    blur = size_px / 2.355
    noise = rng.standard_normal((_nodes(image.shape[0], blur), _nodes(image.shape[1], blur)))
    structure = _weights(image.shape[0], blur) @ noise @ _weights(image.shape[1], blur).T
    image += (std * structure).astype(np.float32)


def vignette(image: npt.NDArray[np.float32], loss: float, x: float, y: float, reach_px: float) -> None:
    """Darken `image` in distance away from a point, as a lens does off its axis.

    Illumination falls as the fourth power of the cosine, `(1 + (r / d)^2)^-2`, with d such that `loss` is lost at
    `reach_px`.

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    loss
        Fraction of the light lost, 0 <= loss < 1.
    x, y
        Optical axis, px; it may lie outside the image.
    reach_px
        Distance from the axis at which `loss` is reached, px.
    """
    height, width = image.shape
    scale = np.float32((1 / math.sqrt(1 - loss) - 1) / reach_px**2)
    rows = (np.arange(height, dtype=np.float32) - np.float32(y)) ** 2
    columns = (np.arange(width, dtype=np.float32) - np.float32(x)) ** 2
    image /= (1 + scale * (rows[:, None] + columns)) ** 2


def _nodes(length: int, blur: float) -> int:
    """Return the number of random nodes along a side: one per `blur`, and four beyond each end."""
    return math.ceil(length / blur) + 9


def _weights(length: int, blur: float) -> npt.NDArray[np.float64]:
    """Return (length, nodes) weight of each node at each pixel, normalised to unit variance."""
    distance = np.arange(length)[:, None] / blur - (np.arange(_nodes(length, blur)) - 4)
    weights: npt.NDArray[np.float64] = np.exp(-0.5 * distance**2)
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    return weights
