"""A region of interest for cameras that have none of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.camera import Geometry
from livetrack.errors import CameraError

__all__ = ["SoftwareRoi"]

_LEAST = 16  # px: what a localizer takes


class SoftwareRoi:
    """Cuts a part out of each whole picture; one thread may change it while another cuts.

    `geometry` is that of the pictures that `cut` returns from now on.
    """

    def __init__(self, whole: Geometry) -> None:
        self._whole = whole
        self._told = self.geometry = whole

    def set(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Take this part from now on, px; return the geometry. Raises `CameraError` where it is not within."""
        whole = self._whole
        if min(x, y) < 0 or min(width, height) < _LEAST or x + width > whole.width or y + height > whole.height:
            raise CameraError(
                f"roi cannot be x {x}, y {y}, width {width}, height {height}: the picture has {whole.width} x "
                f"{whole.height} px, and {_LEAST} x {_LEAST} is the least"
            )
        self.geometry = replace(whole, width=width, height=height, x_origin=x, y_origin=y)
        return self.geometry

    def clear(self) -> Geometry:
        """Take the whole picture from now on."""
        self.geometry = self._whole
        return self.geometry

    def cut(self, pixels: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Geometry | None]:
        """Return the part of `pixels`, and its geometry where that has changed since the last time."""
        geometry = self.geometry
        news, self._told = (None if geometry == self._told else geometry), geometry
        if geometry == self._whole:
            return pixels, news
        x, y = geometry.x_origin, geometry.y_origin
        return np.ascontiguousarray(pixels[y : y + geometry.height, x : x + geometry.width]), news

    def open(self) -> Geometry:
        """Return the geometry at the start of the pictures, which need not carry it again."""
        self._told = self.geometry
        return self._told
