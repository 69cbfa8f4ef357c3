"""A region of interest for cameras that have none of their own.

A driver keeps one `SoftwareRoi`, opens it with the full frame, and crops every image:

    class MyCamera:
        def __init__(self, settings):
            self._roi = SoftwareRoi()
            self.set_roi, self.clear_roi = self._roi.set, self._roi.clear

        def open(self):
            return self._roi.open(Geometry(width=640, height=480))

        def pictures(self):
            for image in ...:
                pixels, geometry = self._roi.crop(image)
                yield Picture(pixels, geometry=geometry)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.camera import Geometry
from livetrack.errors import CameraError

__all__ = ["SoftwareRoi"]

_NOT_OPEN = "the camera is not open"
_MIN_SIDE_PX = 16  # smaller images are rejected by the localizers


class SoftwareRoi:
    """Crops full frames to a region of interest. One thread may change the ROI while another crops.

    The ROI remains when the camera is closed and opened again with the same full frame.
    """

    def __init__(self) -> None:
        self._full: Geometry | None = None
        self._current: Geometry | None = None
        self._delivered: Geometry | None = None  # of the last image; the same object as `_current` if unchanged

    def open(self, full: Geometry) -> Geometry:
        """Set the geometry of the full frame and return that of the first image; call it from `Camera.open`."""
        if self._current is None or full != self._full:
            self._full = self._current = full
        self._delivered = self._current
        return self._current

    def set(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Crop to this rectangle from the next image on, px of the full frame; return the new geometry.

        Raises
        ------
        CameraError
            The rectangle is smaller than 16 x 16 px or exceeds the full frame, or the camera is not open.
        """
        full = self._opened()
        if min(x, y) < 0 or min(width, height) < _MIN_SIDE_PX or x + width > full.width or y + height > full.height:
            raise CameraError(
                f"roi cannot be x {x}, y {y}, width {width}, height {height}: the full frame has {full.width} x "
                f"{full.height} px, and the minimum is {_MIN_SIDE_PX} x {_MIN_SIDE_PX} px"
            )
        x_origin, y_origin = full.x_origin + x * full.binning, full.y_origin + y * full.binning
        geometry = replace(full, width=width, height=height, x_origin=x_origin, y_origin=y_origin)
        if geometry != self._current:
            self._current = full if geometry == full else geometry
        return geometry

    def clear(self) -> Geometry:
        """Deliver full frames from the next image on; return their geometry."""
        self._current = self._opened()
        return self._current

    def crop(self, image: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Geometry | None]:
        """Return the ROI of the full frame `image` (H, W), and its geometry if that changed since the last call.

        The result is a contiguous copy, or `image` itself while no ROI is set.
        """
        full, current = self._full, self._current
        if full is None or current is None:
            raise CameraError(_NOT_OPEN)
        changed, self._delivered = (None if current is self._delivered else current), current
        if current is full:
            return image, changed
        x = (current.x_origin - full.x_origin) // full.binning
        y = (current.y_origin - full.y_origin) // full.binning
        return np.ascontiguousarray(image[y : y + current.height, x : x + current.width]), changed

    def _opened(self) -> Geometry:
        if self._full is None:
            raise CameraError(_NOT_OPEN)
        return self._full
