"""Which geometry is in force, which one the frames have, and the numbers that clients refer to."""

from __future__ import annotations

import dataclasses
import logging
import threading
from typing import NamedTuple

from livetrack.camera import Geometry

__all__ = ["GeometryRecord", "NumberedGeometry"]

_log = logging.getLogger(__name__)


class NumberedGeometry(NamedTuple):
    """A geometry and its number, which increases by at least one with each change."""

    geometry: Geometry
    number: int
    optics_since: int
    """Number of the first geometry since which camera, objective, pixel size, binning and orientation are the same."""


class GeometryRecord:
    """Numbers the geometries of a session. Any thread may call its methods.

    A change is announced as soon as it is known, after a command or because the devices were asked; from then on it
    is in force. The frames follow with the first picture that carries it.

    Parameters
    ----------
    pixel_size_um
        Overrides the pixel size that the camera reports first; None for that of the camera. Later changes of binning
        or objective scale it, or make it unknown.
    """

    def __init__(self, pixel_size_um: float | None = None) -> None:
        self._pixel_size_um = pixel_size_um
        self._first: Geometry | None = None
        self._lock = threading.Lock()
        self.now = NumberedGeometry(Geometry(0, 0), -1, 0)
        """The geometry in force."""
        self.of_frames = self.now
        """The geometry of the frames that arrive."""

    def begin(self, reported: Geometry) -> Geometry:
        """Begin with the geometry of a camera that was opened.

        Its number is new even if the geometry is the same: the sample may have moved.
        """
        with self._lock:
            self._first = self._first or reported
            self.now = self.of_frames = self._next(self._with_pixel_size(reported))
            return self.now.geometry

    def announce(self, reported: Geometry, read_at: int | None = None) -> None:
        """Put a geometry in force that the next pictures will have; nothing happens if it is in force already.

        Nor if another geometry has come into force since the devices were asked, when `read_at` was the number of the
        one in force: the pictures have carried that one, and will not carry this one.
        """
        with self._lock:
            if read_at in (None, self.now.number):
                self._put_in_force(reported)

    def arrive(self, reported: Geometry) -> None:
        """Take note of a picture that carries a geometry: it and all later frames have it."""
        with self._lock:
            self._put_in_force(reported)
            self.of_frames = self.now

    def renew(self, size: tuple[int, int] | None = None) -> None:
        """Give all frames from now on a new number, because earlier positions do not hold for them.

        `size` is their width and height, px, if it is another than reported; then the pixel size is unknown, unless
        this is the size of the geometry in force, and the frames have that.
        """
        with self._lock:
            geometry = self.of_frames.geometry
            if size is not None and size == (self.now.geometry.width, self.now.geometry.height):
                self.of_frames = self.now
                return
            if size is not None:
                geometry = dataclasses.replace(geometry, width=size[0], height=size[1], pixel_size_um=None)
            self.now = self.of_frames = self._next(geometry)

    def _put_in_force(self, reported: Geometry) -> None:
        before, after = self.now.geometry, self._with_pixel_size(reported)
        if after.same_as(before):
            return
        self.now = self._next(after)
        level = logging.INFO if _optics(after) == _optics(before) else logging.WARNING
        _log.log(level, "%s; trajectories begin anew", _describe_change(before, after))

    def _next(self, geometry: Geometry) -> NumberedGeometry:
        number = self.now.number + 1
        same = _optics(geometry) == _optics(self.now.geometry)
        return NumberedGeometry(geometry, number, self.now.optics_since if same else number)

    def _with_pixel_size(self, reported: Geometry) -> Geometry:
        first = self._first
        if self._pixel_size_um is None or first is None:
            return reported
        if first.pixel_size_um and reported.pixel_size_um:
            scale = reported.pixel_size_um / first.pixel_size_um
        elif (first.camera, first.objective) == (reported.camera, reported.objective):
            scale = reported.binning / first.binning
        else:
            return dataclasses.replace(reported, pixel_size_um=None)
        return dataclasses.replace(reported, pixel_size_um=self._pixel_size_um * scale)


def _describe_change(before: Geometry, after: Geometry) -> str:
    """Return in one line what differs between two geometries."""
    changes = []
    if after.camera != before.camera:
        changes.append(f"camera {after.camera!r}")
    if after.objective != before.objective:
        changes.append(f"objective {after.objective!r}" if after.objective else "objective unknown")
    if after.pixel_size_um != before.pixel_size_um:
        size = after.pixel_size_um
        changes.append("pixel size unknown: px only" if size is None else f"{size:g} µm per px")
    if after.binning != before.binning:
        changes.append(f"binning {after.binning}")
    if after.orientation != before.orientation:
        changes.append(f"orientation {after.orientation or 'as on the sensor'}")
    if _region(after) != _region(before):
        changes.append(f"{after.width} x {after.height} px at {after.x_origin}, {after.y_origin}")
    return "the image has changed: " + ", ".join(changes)


def _optics(geometry: Geometry) -> tuple[object, ...]:
    return (geometry.camera, geometry.objective, geometry.pixel_size_um, geometry.binning, geometry.orientation)


def _region(geometry: Geometry) -> tuple[int, int, int, int]:
    return geometry.width, geometry.height, geometry.x_origin, geometry.y_origin
