"""Parts of an image that are searched by themselves, and the rows that come of them, each particle once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.particles import Rows

__all__ = ["Windows", "each_once"]


class Windows(NamedTuple):
    """Windows of one size: `left` and `top`, (N,), are the first pixel of each, inside the image."""

    width: int
    height: int
    left: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]

    @classmethod
    def about(
        cls, x: npt.NDArray[Any], y: npt.NDArray[Any], width: int, height: int, shape: tuple[int, int]
    ) -> Windows:
        """Put windows about the places `x`, `y`, (N,) px, as far as an image of `shape` (H, W) lets them."""
        return cls(width, height, _first_pixel(x, width, shape[1]), _first_pixel(y, height, shape[0]))

    @property
    def pixels(self) -> int:
        """How many pixels they have together."""
        return len(self.left) * self.width * self.height


def each_once(rows: Rows, apart_px: float) -> Rows:
    """Return `rows`, (N,), from top to bottom; of two that are nearer than `apart_px` the one of higher score."""
    rows = rows[np.lexsort((rows["x"], rows["y"]))]
    keep = np.ones(len(rows), np.bool_)
    _drop_twins(rows["x"], rows["y"], rows["score"], apart_px, keep)
    return rows if keep.all() else rows[keep]


def _first_pixel(centre: npt.NDArray[Any], side: int, length: int) -> npt.NDArray[np.int64]:
    """Return where a window about each centre starts, inside the image."""
    start: npt.NDArray[np.float64] = np.rint(centre - (side - 1) / 2)
    return start.clip(0, max(0, length - side)).astype(np.int64)


@njit
def _drop_twins(x: Any, y: Any, score: Any, apart: float, keep: Any) -> None:
    for n in range(x.size):
        for m in range(n - 1, -1, -1):
            if y[n] - y[m] >= apart or not keep[n]:
                break
            if keep[m] and (x[n] - x[m]) ** 2 + (y[n] - y[m]) ** 2 < apart * apart:
                keep[n if score[n] <= score[m] else m] = False
