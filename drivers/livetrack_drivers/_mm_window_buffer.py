"""The images in the buffer of a window's core: taken out, or read along without taking them from others."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack_drivers._mm_properties import CORE_ERRORS

__all__ = ["Pixels", "Read", "WindowBuffer"]

_MAX_BEHIND = 8  # images that wait; beyond, those before the newest are skipped: reading each takes too long

Pixels = npt.NDArray[Any]


class Read(NamedTuple):
    """An image as it comes."""

    pixels: Pixels
    """1-D."""
    step: int
    """By how much its number is larger than that of the last one read."""
    waited: bool
    """It waited among others."""
    anew: bool = False
    """Another sequence may have begun, with another ROI."""


class WindowBuffer:
    """Reads from the buffer of a `BridgeCore`; used by one thread at a time. Raises what the core raises."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._seen = 0  # images in the buffer when the last one was read along
        self._last: Pixels | None = None  # that one
        self._passed = 0  # images after the last one taken that were discarded with the buffer

    def begin(self) -> None:
        """Begin with a sequence: what is in the buffer is old."""
        self._seen, self._last, self._passed = self._core.get_remaining_image_count(), None, 0

    def take(self) -> Read | None:
        """Take the oldest image; if too many wait, the newest, and empty the buffer. None if there is none."""
        core = self._core
        waiting = core.get_remaining_image_count()
        if waiting == 0:
            return None
        passed, self._passed = self._passed, 0
        if waiting <= _MAX_BEHIND:
            return Read(core.pop_next_image(), 1 + passed, waiting > 1)
        pixels = core.get_last_image()
        self._passed = core.get_remaining_image_count() - waiting
        core.clear_circular_buffer()
        return Read(pixels, waiting + passed, waited=True)

    def read_along(self) -> Read | None:
        """Return the newest image, which stays in the buffer; None if there is no new one.

        A smaller number of images than before means that the core has emptied its full buffer, that another sequence
        has begun, or that somebody else takes images.
        """
        core = self._core
        waiting, before = core.get_remaining_image_count(), self._seen
        self._seen = waiting
        if waiting in (0, before):
            return None
        pixels = core.get_last_image()
        if waiting < before and self._last is not None and np.array_equal(pixels, self._last):
            return None
        self._last = pixels
        return Read(pixels, max(1, waiting - before), waited=False, anew=waiting < before)

    def is_empty(self) -> bool:
        """Whether it has become empty between two questions, which is no error of the core."""
        try:
            return bool(self._core.get_remaining_image_count() == 0)
        except CORE_ERRORS:
            return False
