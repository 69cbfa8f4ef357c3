"""A recorded movie as a camera: at its own rate, or as fast as it is taken."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from livetrack.camera import Geometry, Picture
from livetrack.devices import Property, Value
from livetrack.errors import CameraError, CameraLostError, InputError
from livetrack.software_roi import SoftwareRoi

if TYPE_CHECKING:
    from livetrack.movies import Movie

__all__ = ["MovieCamera", "MovieSettings"]

_log = logging.getLogger(__name__)

_PACE, _MOST_FPS = "pace_fps", 1e6
_PATIENCE_S = 0.05  # between two signs of life while there is no picture


class MovieSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[camera.movie]`: which movie, and how it is played."""

    path: str = ""
    """A TIFF stack, a folder of images, or a video."""
    fps: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    """Frames a second; 0 takes the movie's own word."""
    paced: bool = True
    """Play at that rate; false reads as fast as the tracker takes the frames, and skips none."""
    channel: Annotated[int, Meta(ge=0)] | None = None
    """Which channel to read, from 0; left out, the only one, or colours turned to grey."""


class MovieCamera:
    """A movie in a camera's place. `Picture.number` is the frame's place in it, `t_s` that over the frame rate.

    A movie that does not say its rate, with none set, is read as fast as it is taken, and its times are those of
    1 frame/s; a warning says so. No frame is ever left out: a reader who is late gets those due one after the other.

    It is `Adjustable`: a region of interest is cut out, and the pace can be changed.
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
        """Why the movie ended early, in one line; None when all is well."""
        return self._movie.problem if self._movie else None

    def open(self) -> Geometry:
        """Open the movie and read its first frame.

        Raises
        ------
        CameraError
            No path is set, or what is there cannot be read as a movie.
        """
        from livetrack.movies import open_movie  # its libraries: not for reading the settings

        if not self._settings.path:
            raise CameraError("camera.movie: path is empty; set it to a TIFF stack, a folder of images or a video")
        try:
            movie = open_movie(self._settings.path, self._settings.channel)
        except InputError as error:
            raise CameraError(f"camera.movie: {error}") from error
        if not (self._settings.fps or movie.fps):
            self.waits = True
            if self._settings.paced:
                _log.warning(
                    "%s: does not say its frame rate; its frames come as fast as they are taken, and their times are "
                    "those of 1 frame/s; set camera.movie.fps",
                    movie.path,
                )
        self._movie = movie
        height, width = movie.shape
        self._pace_fps = self._pace_fps or self._settings.fps or movie.fps or 1.0
        return self._roi.open(Geometry(width, height, pixel_size_um=movie.pixel_size_um))

    def pictures(self) -> Iterator[Picture | None]:
        """Yield the frames in order, and None while the next is not yet due; return at the end.

        Raises
        ------
        CameraLostError
            The camera is not open.
        """
        if self._movie is None:
            raise CameraLostError("the movie is not open")
        fps = self._settings.fps or self._movie.fps or 1.0
        pace_fps, start_s, first = self._pace_fps, time.perf_counter(), 0
        for number, pixels in enumerate(self._movie):
            while not self.waits:
                now_s = time.perf_counter()
                if pace_fps != self._pace_fps:
                    pace_fps, start_s, first = self._pace_fps, now_s, number
                left_s = start_s + (number - first) / pace_fps - now_s
                if left_s <= 0:
                    break
                time.sleep(min(left_s, _PATIENCE_S))
                if left_s > _PATIENCE_S:
                    yield None
            part, geometry = self._roi.crop(pixels)
            yield Picture(part, number, t_s=number / fps, geometry=geometry)

    @property
    def settings(self) -> MovieSettings:
        """What was set last, at the start or since."""
        return self._settings

    def properties(self) -> list[Property]:
        """Return the pace: frames a second that it is played at, whatever their own times are."""
        return [Property(name=_PACE, value=self._pace_fps, unit="1/s", low=0.0, high=_MOST_FPS, read_only=self.waits)]

    def set_property(self, name: str, value: Value) -> Property:
        """Set the pace. Raises `CameraError`: another name, a value out of bounds, a movie that waits."""
        if name != _PACE:
            raise CameraError(f"property {name!r}: a movie has only {_PACE!r}")
        if self.waits:
            raise CameraError("this movie is read as fast as its frames are taken: it has no pace")
        if isinstance(value, str) or not 0 < value <= _MOST_FPS:
            raise CameraError(
                f"property {name!r} cannot be {value!r}: it takes numbers above 0 and up to {_MOST_FPS:g}"
            )
        self._pace_fps = float(value)
        return self.properties()[0]

    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Deliver a part of each picture, px."""
        return self._roi.set(x, y, width, height)

    def clear_roi(self) -> Geometry:
        """Deliver whole pictures."""
        return self._roi.clear()

    def close(self) -> None:
        """Nothing is held open between pictures; `problem` stays readable."""
