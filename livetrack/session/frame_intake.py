"""Turns each picture of a driver into a frame whose number, times, size and type hold; counts what does not."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from livetrack.camera import Camera, Frame, Picture
from livetrack.errors import CameraError
from livetrack.session.frame_content import blank_value, has_nan
from livetrack.session.frame_numbers import FrameNumbers
from livetrack.session.frame_times import FrameTimes
from livetrack.session.geometry_record import GeometryRecord
from livetrack.session.series import Series

__all__ = ["FrameIntake"]

_log = logging.getLogger(__name__)


class FrameIntake:
    """Checks the pictures of one camera, in the order in which they come.

    An image of another size or type than before makes a new geometry, also if the driver has not announced one; what
    is unknown of it, the pixel size, is left out. An image of another type that is blank or has a NaN makes none: it
    is a fault of this image only.

    Parameters
    ----------
    geometries
        Numbers the geometries; changed here as the images require.

    Attributes
    ----------
    received
        Frames so far.
    """

    def __init__(self, geometries: GeometryRecord) -> None:
        self._geometries = geometries
        self._numbers = FrameNumbers()
        self._times = FrameTimes()
        self._shape: tuple[int, ...] = ()
        self._dtype: np.dtype[Any] | None = None
        self._wrong = self._restarts = 0  # as logged
        self._waits = Series()
        self.received = 0
        self.empty = 0
        """Images without any pixel, which make no frame."""

    @property
    def lost(self) -> int:
        """Frames missing between sensor and livetrack."""
        return self._numbers.lost + self.empty

    @property
    def repeated(self) -> int:
        """Frames delivered again, and dropped."""
        return self._numbers.repeated

    @property
    def wrong(self) -> int:
        """Numbers and times that cannot be true."""
        return self._numbers.wrong + self._times.wrong

    def begin(self, camera: Camera) -> None:
        """Begin with a camera that was opened: it may count from 0 again, and deliver any type of pixels."""
        self._shape, self._dtype = (), None
        self._numbers.restart()
        self._times.restart(in_step=camera.waits)

    def frame(self, picture: Picture, asked_ns: int, now_ns: int) -> Frame | None:
        """Return the frame of a picture that was asked for and came at these times; None if it makes none.

        Raises
        ------
        CameraError
            The image has a shape or a type that cannot be tracked.
        """
        number = self._numbers.check(picture.number)
        steps = 1 if number is None else self._numbers.count(number)
        if steps == 0 or not self._follow_image(picture):
            return None
        received_ns, exposed_ns, t_s, untimed = self._times.stamp(picture, asked_ns, now_ns, steps)
        if self._times.restarts != self._restarts:
            self._restarts = self._times.restarts
            self._geometries.renew()
            _log.warning("the camera's clock stepped back: tracks begin anew (frame %d)", self.received)
        if self._numbers.wrong + self._times.wrong != self._wrong:
            self._report_wrong(picture)
        if untimed and self._waits.begins():
            _log.warning("frame %d waited unread, and the camera gives no times: times are estimated", self.received)
        geometry, geometry_number, _ = self._geometries.of_frames
        frame = Frame(
            pixels=picture.pixels,
            index=self.received,
            number=number,
            t_received_ns=received_ns,
            t_exposed_ns=exposed_ns,
            t_s=t_s,
            geometry=geometry,
            geometry_number=geometry_number,
            untimed=untimed,
        )
        self.received += 1
        return frame

    def _follow_image(self, picture: Picture) -> bool:
        """Bring the geometry in line with the image; False if the image is empty."""
        pixels, announced = picture.pixels, picture.geometry
        if announced is None and pixels.shape == self._shape and pixels.dtype == self._dtype:
            return True
        _require_grey(pixels)
        if not pixels.size:
            self._report_empty(pixels.shape)
            return False
        if announced is not None:
            self._geometries.arrive(announced)
        (height, width), before = pixels.shape, self._geometries.of_frames.geometry
        if (before.width, before.height) != (width, height):
            self._geometries.renew((width, height))
            _log.warning(
                "the camera delivers %d x %d px instead of %d x %d px: tracks begin anew (frame %d)",
                width, height, before.width, before.height, self.received,
            )  # fmt: skip
        elif self._dtype not in (None, pixels.dtype):
            if has_nan(pixels) or blank_value(pixels) is not None:
                return True
            self._geometries.renew()
            _log.warning(
                "the camera delivers %s instead of %s: tracks begin anew (frame %d)",
                pixels.dtype, self._dtype, self.received,
            )  # fmt: skip
        self._shape, self._dtype = pixels.shape, pixels.dtype
        return True

    def _report_wrong(self, picture: Picture) -> None:
        if not self._wrong:
            _log.warning(
                "frame %d has a number or a time that cannot be true (%s): it is left out or estimated; further ones"
                " are only counted",
                self.received,
                ", ".join(
                    f"{name} {value!r}"
                    for name, value in picture._asdict().items()
                    if name in ("number", "t_exposed_ns", "t_s", "t_received_ns") and value is not None
                ),
            )
        self._wrong = self.wrong

    def _report_empty(self, shape: tuple[int, ...]) -> None:
        if not self.empty:
            _log.warning("the camera delivered an image without pixels, %s: it counts as lost", shape)
        self.empty += 1


def _require_grey(pixels: Any) -> None:
    if pixels.ndim != 2:
        raise CameraError(f"an image has the shape {pixels.shape}, expected (H, W): set the camera to grey levels")
    if pixels.dtype.kind not in "uif":
        raise CameraError(f"an image has pixels of type {pixels.dtype}, expected integers or floats")
