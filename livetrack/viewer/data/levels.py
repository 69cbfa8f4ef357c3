"""Which grey levels are shown black and white, and how often each level is there; no Qt."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from livetrack.wire import Preview

__all__ = ["Levels", "grey_histogram", "grey_sample"]

INTERVAL_S = 0.25
SAMPLE = 1 << 16
BINS = 128


class Levels:
    """Black and white, in grey levels: found from the picture four times a second while `auto`, else kept.

    `percentiles` are those of the pixels that become black and white.
    """

    def __init__(self) -> None:
        self.auto = True
        self.percentiles = 0.5, 99.95
        self._levels: tuple[float, float] | None = None
        self._looked_s = -math.inf

    def reset(self) -> None:
        """Take the next picture's levels at once, without passing over gently from the old ones."""
        if self.auto:
            self._levels = None

    def set(self, black: float, white: float) -> None:
        """Take these levels and keep them; white is always above black."""
        self.auto = False
        self._levels = black, _above(black, white)

    def of(self, preview: Preview, now_s: float) -> tuple[float, float]:
        """Return the levels for a picture that is seen at `now_s`."""
        if self._levels is None:
            self._levels = self._find(preview)
            self._looked_s = now_s
        elif self.auto and now_s - self._looked_s >= INTERVAL_S:
            black, white = self._find(preview)
            # half way, so that the brightness does not flicker with the sample
            self._levels = (self._levels[0] + black) / 2, (self._levels[1] + white) / 2
            self._looked_s = now_s
        return self._levels

    def _find(self, preview: Preview) -> tuple[float, float]:
        greys = grey_sample(preview)
        if not greys.size:
            return 0.0, 1.0
        black, white = np.percentile(greys, self.percentiles)
        return float(black), _above(float(black), float(white))


def grey_sample(preview: Preview) -> npt.NDArray[np.float64]:
    """Return the grey levels, (N,), of at most about `SAMPLE` pixels on a grid; those that are no number left out."""
    stride = math.ceil(math.sqrt(preview.pixels.size / SAMPLE))
    sample = preview.pixels[::stride, ::stride].astype(np.float64).ravel()
    greys: npt.NDArray[np.float64] = sample[np.isfinite(sample)] * preview.scale + preview.offset
    return greys


def grey_histogram(preview: Preview) -> tuple[npt.NDArray[np.int64], float, float]:
    """Return how many pixels of a sample lie in each of some even bins, and the lowest and highest edge."""
    greys = grey_sample(preview)
    if not greys.size:
        return np.zeros(BINS, np.int64), 0.0, 1.0
    low, high = float(greys.min()), float(greys.max())
    width = (high - low) / BINS or 1.0
    if preview.pixels.dtype.kind in "iu":  # whole levels in each bin, or bins would be empty and full in turn
        width = math.ceil(width / preview.scale) * preview.scale
        low -= preview.scale / 2
    bins = math.floor((high - low) / width) + 1
    counts, _ = np.histogram(greys, bins, (low, low + bins * width))
    return counts.astype(np.int64), low, low + bins * width


def _above(black: float, white: float) -> float:
    return max(white, black + 1e-6 * max(1.0, abs(black)))
