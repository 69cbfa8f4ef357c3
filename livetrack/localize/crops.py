"""Parts of an image that are looked at by themselves."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.particles import Rows

__all__ = ["Crops"]


class Crops(NamedTuple):
    """Crops of one size: `left` and `top`, (N,), are the first pixel of each, inside the image."""

    width: int
    height: int
    left: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]

    @classmethod
    def around(cls, rows: Rows, width: int, height: int, shape: tuple[int, ...]) -> Crops:
        """Put a window about the place of each of `rows`, as far as an image of `shape` (H, W) lets it."""
        return cls(width, height, *_first_pixels(rows, width, height, shape[1], shape[0]))

    def select(self, which: npt.NDArray[np.bool_]) -> Crops:
        """Return those where `which`, (N,), is True."""
        return Crops(self.width, self.height, self.left[which], self.top[which])

    def concatenate(self, others: Crops) -> Crops:
        """Return these and then `others`, which are of the same size, or none."""
        left, top = np.append(self.left, others.left), np.append(self.top, others.top)
        return Crops(self.width, self.height, left, top)

    @property
    def pixels(self) -> int:
        """How many pixels they have together."""
        return len(self.left) * self.width * self.height


@njit
def _first_pixels(rows: Any, width: int, height: int, image_width: int, image_height: int) -> Any:
    """Return where a window about each of `rows` starts, inside the image."""
    left, top = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    for n in range(len(rows)):
        left[n] = min(max(round(rows[n]["x"] - (width - 1) / 2), 0), max(0, image_width - width))
        top[n] = min(max(round(rows[n]["y"] - (height - 1) / 2), 0), max(0, image_height - height))
    return left, top
