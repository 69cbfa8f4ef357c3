"""Images without content: every pixel has the same value, such as 0 or the largest that the camera has."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["blank_value", "has_nan"]

_MAX_ODD_PX = 4  # hot or dead pixels in an image that is blank otherwise


def blank_value(pixels: npt.NDArray[Any]) -> float | None:
    """Return the value of all pixels of an image (H, W), but a few hot or dead ones; None if they differ, or are NaN.

    Takes a microsecond for an image with content: the whole is looked at only if one of two rows is uniform.
    """
    height, width = pixels.shape
    row = pixels[height // 2]
    if not _is_uniform(row.tobytes(), width):
        row = pixels[height // 3]
        if not _is_uniform(row.tobytes(), width):
            return None
    value = row[0]
    odd = np.count_nonzero(pixels != value)
    return float(value) if odd <= min(_MAX_ODD_PX, pixels.size // 4) else None


def has_nan(pixels: npt.NDArray[Any]) -> bool:
    """Return whether a pixel is NaN."""
    return pixels.dtype.kind == "f" and bool(np.isnan(pixels).any())


def _is_uniform(row: bytes, width: int) -> bool:
    size = len(row) // width
    return row[size:] == row[:-size]
