"""Images halved again and again: each pixel is the mean of 2x2 pixels of the image before."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError
from livetrack.jit import njit
from livetrack.localize.normalize import MIN_SIZE_PX, as_kernel_input

__all__ = ["HalvedImages"]

_QUARTER = np.float32(0.25)


class HalvedImages:
    """Halves images, in buffers that are kept from one to the next."""

    def __init__(self) -> None:
        self._buffers = [np.empty((0, 0), np.float32)]

    def of(self, image: npt.NDArray[Any], halvings: int) -> list[npt.NDArray[Any]]:
        """Return `image` (H, W) as a kernel input, and halved once, twice ... `halvings` times.

        The last one is float32 (H >> halvings, W >> halvings); rows and columns at the end that fill no whole pixel are
        left out. All are valid until the next call.

        Raises
        ------
        InputError
            The image cannot be used (see `as_kernel_input`), or is too small to be halved so often.
        """
        first = as_kernel_input(image, self._buffers[0])
        if first.dtype == np.float32:
            self._buffers[0] = first
        height, width = first.shape
        least = MIN_SIZE_PX << halvings
        if min(height, width) < least:
            raise InputError(
                f"image: {width}x{height} px is too small to be searched at scale 1/{1 << halvings}; "
                f"the minimum is {least}x{least} px"
            )
        images = [first]
        for n in range(1, halvings + 1):
            shape = (height >> n, width >> n)
            if n == len(self._buffers):
                self._buffers.append(np.empty(shape, np.float32))
            elif self._buffers[n].shape != shape:
                self._buffers[n] = np.empty(shape, np.float32)
            _halve(images[-1], self._buffers[n])
            images.append(self._buffers[n])
        return images


@njit
def _halve(image: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        above, below, into = image[2 * i], image[2 * i + 1], out[i]
        for j in range(into.size):
            upper = np.float32(above[2 * j]) + np.float32(above[2 * j + 1])
            lower = np.float32(below[2 * j]) + np.float32(below[2 * j + 1])
            into[j] = _QUARTER * (upper + lower)
