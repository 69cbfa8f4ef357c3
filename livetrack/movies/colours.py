"""Notes on images of colours of which only one holds something."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from livetrack.movies.movie import Image

__all__ = ["colour_notes"]

_NOTHING = 0.05  # of the standard deviation of a colour, in the other two
_NEARLY_NOTHING = 0.25  # which is what compression by colour differences leaves in them
_MAX_SIDE = 256  # px: larger images are looked at in steps


def colour_notes(images: Iterable[Image]) -> list[str]:
    """Return that all of the signal is in one channel, for (H, W, colours) images that are converted to grey."""
    deviations = np.zeros(3)
    for image in images:
        if image.ndim != 3 or image.shape[2] < 3:
            return []
        step = max(1, max(image.shape[:2]) // _MAX_SIDE)
        pixels = image[::step, ::step, :3].reshape(-1, 3).astype(np.float64)
        deviations = np.maximum(deviations, pixels.std(axis=0))
    first, second = np.argsort(deviations)[::-1][:2]
    if not deviations[first] or deviations[second] > _NEARLY_NOTHING * deviations[first]:
        return []
    share = "all" if deviations[second] <= _NOTHING * deviations[first] else "nearly all"
    return [f"{share} of the signal is in channel {first}: --channel {first} reads it in full depth"]
