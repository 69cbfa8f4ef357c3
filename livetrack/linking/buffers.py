"""Arrays that are kept from frame to frame and only ever grow."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["ensure_capacity"]

_Scalar = TypeVar("_Scalar", bound=np.generic)


def ensure_capacity(array: npt.NDArray[_Scalar], length: int) -> npt.NDArray[_Scalar]:
    """Return `array` if it holds `length` items, else a copy of it twice as long as needed."""
    if len(array) >= length:
        return array
    larger = np.zeros((2 * length, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
