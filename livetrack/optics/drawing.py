"""Array types and helpers shared by the functions that draw particles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["Doubles", "Photons", "as_doubles", "clip_to_image"]

Doubles: TypeAlias = npt.NDArray[np.float64]

Photons: TypeAlias = npt.NDArray[np.float32]
"""An image (H, W) of expected photoelectrons."""


def as_doubles(*arrays: npt.NDArray[np.float64]) -> Iterator[Doubles]:
    """Yield each array as contiguous float64, the form that the kernels are compiled for."""
    return (np.ascontiguousarray(array, np.float64) for array in arrays)


@njit
def clip_to_image(centre: float, reach: float, length: int) -> tuple[int, int]:
    """Return start and stop of the pixels within `reach` of `centre`, along an axis of `length` pixels.

    Outside the image the range is empty: start >= stop.
    """
    return max(0, math.floor(centre - reach)), min(length, math.ceil(centre + reach) + 1)
