"""Part of a large image that is measured in its place: the one in which most stands out from the noise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.check.blobs import Blobs, find_blobs_of_size, join, pixel_noise

__all__ = ["Part", "busiest_part"]

Image = npt.NDArray[Any]

_CELL_PX = 64
_SIGMAS = (1.4, 4.0)  # px, of the blobs that are counted
_CLEARLY = 1.25  # more blobs than in the middle


class Part(NamedTuple):
    """Rectangle of an image, px."""

    x: int
    y: int
    width: int
    height: int
    fraction: float
    """Of the area of the whole image."""

    def of(self, image: Image) -> Image:
        """Return the pixels of the part, without a copy."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]

    def placed(self, blobs: Blobs) -> Blobs:
        """Return blobs that were found in the part at their positions in the whole image."""
        return blobs._replace(x=blobs.x + self.x, y=blobs.y + self.y)


def busiest_part(image: Image, side: int) -> Part:
    """Return the part of `image` (H, W), at most `side` px wide and high, with the most blobs of any sign.

    It is the middle of the image unless another part has clearly more, and all of a small image.
    """
    height, width = (min(side, length) for length in image.shape)
    fraction = height * width / image.size
    middle = Part((image.shape[1] - width) // 2, (image.shape[0] - height) // 2, width, height, fraction)
    if fraction == 1:
        return middle
    noise = pixel_noise(image)
    blobs = join([find_blobs_of_size(image, noise, sigma, sign * 0.0) for sigma in _SIGMAS for sign in (1, -1)])
    lefts, tops = (
        np.append(np.arange(0, length - part, _CELL_PX), length - part)
        for length, part in zip(image.shape[::-1], (width, height), strict=True)
    )
    counted = [
        (int(((blobs.x >= x) & (blobs.x < x + width) & (blobs.y >= y) & (blobs.y < y + height)).sum()), int(x), int(y))
        for y in tops
        for x in lefts
    ]
    most, x, y = max(counted)
    centred = (
        (blobs.x >= middle.x) & (blobs.x < middle.x + width) & (blobs.y >= middle.y) & (blobs.y < middle.y + height)
    )
    return middle if most <= _CLEARLY * centred.sum() else Part(x, y, width, height, fraction)
