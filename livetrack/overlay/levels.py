"""Which grey levels are shown black and white; no Qt."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["AutoContrast"]

PERCENTILES = 0.5, 99.95
INTERVAL_S = 0.25
SAMPLE = 1 << 16


class AutoContrast:
    """Black and white levels from the picture's percentiles, looked at four times a second.

    Switch `on` off and the levels stay as they are.
    """

    def __init__(self) -> None:
        self.on = True
        self._levels: tuple[float, float] | None = None
        self._looked_s = -math.inf

    def reset(self) -> None:
        """Take the next picture's levels at once, without passing over gently from the old ones."""
        self._levels = None

    def levels(self, pixels: npt.NDArray[Any], now_s: float) -> tuple[float, float]:
        """Return the levels for `pixels` (H, W), seen at `now_s`."""
        if self._levels is None:
            self._levels = _percentiles(pixels)
            self._looked_s = now_s
        elif self.on and now_s - self._looked_s >= INTERVAL_S:
            low, high = _percentiles(pixels)
            # half way, so that the brightness does not flicker with the sample
            self._levels = (self._levels[0] + low) / 2, (self._levels[1] + high) / 2
            self._looked_s = now_s
        return self._levels


def _percentiles(pixels: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the levels of at most about `SAMPLE` pixels on a grid; white is always above black."""
    stride = math.ceil(math.sqrt(pixels.size / SAMPLE))
    sample = pixels[::stride, ::stride]
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 1.0
    low, high = np.percentile(sample, PERCENTILES)
    return float(low), float(max(high, low + 1e-6 * max(1.0, abs(low))))
