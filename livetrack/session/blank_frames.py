"""Blank frames of a session: recognised, reported, and limited in how long tracks wait for their end."""

from __future__ import annotations

import logging

from livetrack.camera import Frame
from livetrack.session.frame_content import blank_value
from livetrack.session.series import Series

__all__ = ["BlankFrames"]

_log = logging.getLogger(__name__)


class BlankFrames:
    """Recognises frames that show nothing: all pixels 0, saturated, or otherwise of one value.

    Parameters
    ----------
    max_s
        Time on the clock of the frames after which tracks have waited long enough.

    Attributes
    ----------
    count
        Blank frames so far.
    message
        Describes the newest frame if it is blank; else empty.
    """

    def __init__(self, max_s: float) -> None:
        self._max_s = max_s
        self._since_s: float | None = None  # of the first in a row
        self._expired = False
        self._series = Series()
        self.count = 0
        self.message = ""

    def check(self, frame: Frame) -> bool:
        """Return whether `frame` is blank."""
        value = blank_value(frame.pixels)
        if value is None:
            self._since_s, self.message = None, ""
            return False
        self.count += 1
        if self._since_s is None:
            self._since_s, self._expired = frame.t_s, False
        self.message = f"frame {frame.index} is blank: all pixels are {value:g}; check light, shutter and camera"
        if self._series.begins():
            _log.warning("%s. Tracks wait, and end after %g s", self.message, self._max_s)
        return True

    def expire(self, frame: Frame) -> bool:
        """Return True once, when frames have been blank for too long up to `frame`."""
        if self._since_s is None or self._expired or frame.t_s - self._since_s <= self._max_s:
            return False
        self._expired = True
        _log.warning("blank frames for %g s, until frame %d: all tracks end", self._max_s, frame.index)
        return True
