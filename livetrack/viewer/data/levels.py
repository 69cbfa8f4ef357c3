"""The grey levels displayed as black and white, and the grey-level histogram of a preview."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from livetrack.annotate.grey import PERCENTILES, grey_sample, levels_of
from livetrack.wire import Preview

__all__ = ["Levels", "grey_histogram", "preview_greys"]

INTERVAL_S = 0.25
BINS = 128


class Levels:
    """Black and white in grey levels, fitted to the image four times a second while `auto` is true.

    `percentiles` of the pixels become black and white.
    """

    def __init__(self) -> None:
        self.auto = True
        self.percentiles = PERCENTILES
        self._levels: tuple[float, float] | None = None
        self._updated_s = -math.inf

    def reset(self) -> None:
        """Fit to the next image at once instead of approaching it gradually; levels set by hand are kept."""
        if self.auto:
            self._levels = None

    def set(self, black: float, white: float) -> None:
        """Keep these levels from now on; white is raised above black if necessary."""
        self.auto = False
        self._levels = black, max(white, black + 1e-6 * max(1.0, abs(black)))

    def of(self, preview: Preview, now_s: float) -> tuple[float, float]:
        """Return the levels for a preview shown at `now_s`."""
        if self._levels is None:
            self._levels = self._fit(preview)
            self._updated_s = now_s
        elif self.auto and now_s - self._updated_s >= INTERVAL_S:
            black, white = self._fit(preview)
            # half way, so that the brightness does not flicker with the sample
            self._levels = (self._levels[0] + black) / 2, (self._levels[1] + white) / 2
            self._updated_s = now_s
        return self._levels

    def _fit(self, preview: Preview) -> tuple[float, float]:
        return levels_of(preview_greys(preview), self.percentiles)


def preview_greys(preview: Preview) -> npt.NDArray[np.float64]:
    """Return the finite grey levels, (N,), of a sample of the pixels."""
    return grey_sample(preview.pixels) * preview.scale + preview.offset


def grey_histogram(preview: Preview) -> tuple[npt.NDArray[np.int64], float, float]:
    """Return the pixel counts of a sample in bins of equal width, and the lowest and the highest edge."""
    greys = preview_greys(preview)
    if not greys.size:
        return np.zeros(BINS, np.int64), 0.0, 1.0
    low, high = float(greys.min()), float(greys.max())
    width = (high - low) / BINS or 1.0
    if preview.pixels.dtype.kind in "iu":  # the same number of levels in each bin, or some bins would stay empty
        width = math.ceil(width / preview.scale) * preview.scale
        low -= preview.scale / 2
    bins = math.floor((high - low) / width) + 1
    counts, _ = np.histogram(greys, bins, (low, low + bins * width))
    return counts.astype(np.int64), low, low + bins * width
