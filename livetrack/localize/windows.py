"""Parts of an image that are looked at by themselves."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Windows"]


class Windows(NamedTuple):
    """Windows of one size: `left` and `top`, (N,), are the first pixel of each, inside the image."""

    width: int
    height: int
    left: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]

    @classmethod
    def about(
        cls, x: npt.NDArray[Any], y: npt.NDArray[Any], width: int, height: int, shape: tuple[int, ...]
    ) -> Windows:
        """Put windows about the places `x`, `y`, (N,) px, as far as an image of `shape` (H, W) lets them."""
        return cls(width, height, _first_pixel(x, width, shape[1]), _first_pixel(y, height, shape[0]))

    @property
    def pixels(self) -> int:
        """How many pixels they have together."""
        return len(self.left) * self.width * self.height


def _first_pixel(centre: npt.NDArray[Any], side: int, length: int) -> npt.NDArray[np.int64]:
    """Return where a window about each centre starts, inside the image."""
    start = np.rint(centre - (side - 1) / 2).astype(np.int64)
    return np.minimum(np.maximum(start, 0), max(0, length - side))
