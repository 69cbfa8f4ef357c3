"""Crops: rectangles of an image that are searched on their own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.particles import Rows

__all__ = ["Crops"]


class Crops(NamedTuple):
    """Crops of one size, px; `left` and `top`, (N,), are the first pixel of each, inside the image.

    Aligned crops may extend beyond the image's last row or column, by less than the alignment.
    """

    width: int
    height: int
    left: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]

    @classmethod
    def around(cls, rows: Rows, width: int, height: int, shape: tuple[int, ...], align: int = 1) -> Crops:
        """Return a crop centred on each of `rows`, (N,), or as near to that as an image of `shape` (H, W) allows.

        `left` and `top` are multiples of `align`, px.
        """
        return cls(width, height, *_first_pixels(rows, width, height, shape[1], shape[0], align))

    @property
    def pixels(self) -> int:
        """Number of pixels of all crops together."""
        return len(self.left) * self.width * self.height


@njit
def _first_pixels(rows: Any, width: int, height: int, image_width: int, image_height: int, align: int) -> Any:
    left, top = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    for n in range(len(rows)):
        left[n] = _first_pixel(rows[n]["x"], width, image_width, align)
        top[n] = _first_pixel(rows[n]["y"], height, image_height, align)
    return left, top


@njit
def _first_pixel(centre: float, length: int, image_length: int, align: int) -> int:
    last = max(0, -((length - image_length) // align))  # the crop then reaches the image's end
    return align * min(max(round((centre - (length - 1) / 2) / align), 0), last)
