"""Driver that plays a movie like a camera: at its frame rate, or as fast as its frames are tracked."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from livetrack.camera import Geometry, Picture
from livetrack.devices import Property, Value
from livetrack.errors import CameraError, CameraLostError, InputError
from livetrack.software_roi import SoftwareRoi

if TYPE_CHECKING:
    from livetrack.movies import Movie

__all__ = ["MovieCamera", "MovieSettings"]

_log = logging.getLogger(__name__)

_OPTION = re.compile(r"--(channel|position|z|axes)\b")  # of the command line, in errors

_PACE, _MAX_FPS = "pace_fps", 1e6
_MAX_SLEEP_S = 0.05  # between two checks by the caller, while there is no picture


class MovieSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[camera.movie]`: the movie, and how it is played."""

    path: str = ""
    """A TIFF stack, a folder of images, or a video."""
    fps: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    """Frames per second; 0: the movie's own rate."""
    paced: bool = True
    """Play at that rate; false plays as fast as the frames are tracked, and skips none."""
    channel: Annotated[int, Meta(ge=0)] | None = None
    """Channel, from 0; if left out, the only one, or colours converted to grey."""
    position: Annotated[int, Meta(ge=0)] | None = None
    """Field of view, from 0; if left out, the only one."""
    z: Annotated[int, Meta(ge=0)] | Literal["max", "mean"] | None = None
    """Plane of a depth stack, from 0, or a projection of all; if left out, the only one."""
    axes: str = ""
    """What the axes are, where the file names them otherwise: T frames, Z planes, C channels, P positions."""


class MovieCamera:
    """A movie as a camera; `Picture.number` is the number of the frame, `t_s` its time in the movie.

    A movie without a frame rate, if none is set, is played as fast as its frames are tracked, with the times of
    1 frame/s and a warning. The driver never leaves out a frame: late frames follow each other immediately.

    It is `Adjustable`: it has a software ROI, and the playback rate can be changed.
    """

    Settings = MovieSettings

    def __init__(self, settings: MovieSettings | None = None) -> None:
        self._settings = settings or MovieSettings()
        self._movie: Movie | None = None
        self._roi = SoftwareRoi()
        self._pace_fps = 0.0
        self.waits = not self._settings.paced

    @property
    def problem(self) -> str | None:
        """Why the movie ended early, in one line; None if it did not."""
        return self._movie.problem if self._movie else None

    def open(self) -> Geometry:
        """Open the movie and read its first frame.

        Raises
        ------
        CameraError
            No path is set, or the movie cannot be read.
        """
        from livetrack.movies import open_movie  # slow to import, and not needed for the settings

        if not self._settings.path:
            raise CameraError("camera.movie: path is empty; set it to a TIFF stack, a folder of images or a video")
        settings = self._settings
        try:
            movie = open_movie(
                settings.path, settings.channel, position=settings.position, z=settings.z, axes=settings.axes
            )
        except InputError as error:
            text = _OPTION.sub(r"camera.movie.\1 =", str(error))
            raise CameraError(f"camera.movie: {text}") from error
        for note in movie.notes:
            _log.warning("%s: %s", movie.path, note)
        if not (self._settings.fps or movie.fps):
            self.waits = True
            if self._settings.paced:
                _log.warning(
                    "%s: has no frame rate; it is played as fast as its frames are tracked, with the times of "
                    "1 frame/s; set camera.movie.fps",
                    movie.path,
                )
        self._movie = movie
        height, width = movie.shape
        self._pace_fps = self._pace_fps or self._settings.fps or movie.fps or 1.0
        return self._roi.open(Geometry(width, height, pixel_size_um=movie.pixel_size_um))

    def pictures(self) -> Iterator[Picture | None]:
        """Yield the frames in order, and None while the next one is not yet due; return at the end.

        Raises
        ------
        CameraLostError
            The camera is not open.
        """
        if self._movie is None:
            raise CameraLostError("the movie is not open")
        fps = self._settings.fps or self._movie.fps or 1.0
        pace_fps, start_s, first = self._pace_fps, time.perf_counter(), 0
        for frame in self._movie.frames():
            number = frame.number
            while not self.waits:
                now_s = time.perf_counter()
                if pace_fps != self._pace_fps:
                    pace_fps, start_s, first = self._pace_fps, now_s, number
                left_s = start_s + (number - first) / pace_fps - now_s
                if left_s <= 0:
                    break
                time.sleep(min(left_s, _MAX_SLEEP_S))
                if left_s > _MAX_SLEEP_S:
                    yield None
            part, geometry = self._roi.crop(frame.pixels)
            t_s = number / fps if self._settings.fps or frame.t_s is None else frame.t_s
            yield Picture(part, number, t_s=t_s, geometry=geometry)

    @property
    def settings(self) -> MovieSettings:
        """The settings; changes of ROI and playback rate are not part of them."""
        return self._settings

    def properties(self) -> list[Property]:
        """Return the playback rate, frames per second; the times of the frames do not depend on it."""
        return [Property(name=_PACE, value=self._pace_fps, unit="1/s", low=0.0, high=_MAX_FPS, read_only=self.waits)]

    def set_property(self, name: str, value: Value) -> Property:
        """Set the playback rate.

        Raises
        ------
        CameraError
            Another name, a value out of bounds, or a movie that is played as fast as its frames are tracked.
        """
        if name != _PACE:
            raise CameraError(f"property {name!r}: a movie has only {_PACE!r}")
        if self.waits:
            raise CameraError("this movie is played as fast as its frames are tracked: it has no playback rate")
        if isinstance(value, str) or not 0 < value <= _MAX_FPS:
            raise CameraError(
                f"property {name!r} cannot be {value!r}: valid are numbers above 0 and up to {_MAX_FPS:g}"
            )
        self._pace_fps = float(value)
        return self.properties()[0]

    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Crop the frames, px."""
        return self._roi.set(x, y, width, height)

    def clear_roi(self) -> Geometry:
        """Deliver full frames."""
        return self._roi.clear()

    def close(self) -> None:
        """Do nothing: no file is held open between pictures. `problem` can still be read."""
