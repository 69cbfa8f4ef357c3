"""What MMCore's metadata say of a picture, checked: its number, and when the computer received it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from livetrack_drivers._mm_clock import PictureClock

__all__ = ["MetadataReader", "Reading"]

_log = logging.getLogger(__name__)

_NUMBER, _ELAPSED, _RECEIVED = "ImageNumber", "ElapsedTime-ms", "TimeReceivedByCore"
_EPOCH = datetime(1970, 1, 1)
_MAX_MS = 1e12  # 30 years
_MAX_UNTOLD = 4 * PictureClock.TRIAL
_WRONG = -1  # a number that is no frame number: counted as such


class Reading(NamedTuple):
    """What is known of a picture: fields of `livetrack.camera.Picture`."""

    number: int | None
    t_received_ns: int | None
    waited: bool


class MetadataReader:
    """Reads the metadata of each picture as it is taken from the buffer.

    The time of receipt follows from `ElapsedTime-ms`, the time of the camera or the core since the sequence began, or
    from `TimeReceivedByCore`, the time of day. Which of them is usable, and how fine, shows in the first pictures, and
    is logged. A picture without any has `waited` if others were waiting with it.

    Parameters
    ----------
    label
        Of the camera, for messages.
    metadata
        A `pymmcore.Metadata` that the core overwrites with each picture.
    """

    def __init__(self, label: str, metadata: Any) -> None:
        self._label = label
        self._metadata = metadata
        self._keys: dict[str, str] = {}
        self._elapsed, self._of_day = PictureClock(), PictureClock()
        self._of_day.expect(_offset_of_day_ns())
        self._empty_ns = self._last_ns = self._read_ns = 0
        self._source: str | None = None  # "": nowhere
        self._wrong = ""
        self._untold = _MAX_UNTOLD  # pictures until the source of the times is logged

    @property
    def source(self) -> str:
        """Where the times come from, in words; empty if nowhere, or not known yet."""
        return self._source or ""

    def restart(self) -> None:
        """Begin with another sequence: the elapsed time and the pictures begin with it."""
        self._keys = {}
        self._elapsed.restart()
        self._empty_ns = time.perf_counter_ns()
        self._untold = _MAX_UNTOLD

    def buffer_was_empty(self, at_ns: int) -> None:
        """Take note that no picture waited at this time: all that come now are younger."""
        self._empty_ns = at_ns

    def read(self, waiting: Callable[[], int]) -> Reading:
        """Read the metadata of the picture that was just taken; `waiting` returns how many are left."""
        now_ns = time.perf_counter_ns()
        fresh = self._empty_ns > self._read_ns  # the buffer was empty since the last picture
        earliest_ns, self._read_ns = max(self._empty_ns, self._last_ns), now_ns
        elapsed, of_day = self._elapsed, self._of_day
        received_ns = elapsed.convert(self._read_elapsed(), earliest_ns, now_ns, fresh=fresh)
        if received_ns is None or not elapsed.is_fine:
            if elapsed.is_fine:
                of_day.expect(_offset_of_day_ns())  # it was not followed so far
            core_ns = of_day.convert(self._read_time_of_day(), earliest_ns, now_ns, fresh=fresh)
            if core_ns is not None and of_day.is_usable:
                received_ns = core_ns
            elif not elapsed.is_usable:
                received_ns = None
        if self._untold > 0:
            self._report()
        if received_ns is None:
            return Reading(self._read_number(), None, not fresh or waiting() > 0)
        self._last_ns = received_ns
        return Reading(self._read_number(), received_ns, waited=False)

    def _read_number(self) -> int | None:
        text = self._text(_NUMBER)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError:
            return _WRONG

    def _read_elapsed(self) -> int | None:
        text = self._text(_ELAPSED)
        if text is None:
            return None
        try:
            elapsed_ms = float(text)
        except ValueError:
            elapsed_ms = math.nan
        if 0 <= elapsed_ms <= _MAX_MS:
            return round(elapsed_ms * 1e6)
        self._report_wrong(_ELAPSED, text)
        return None

    def _read_time_of_day(self) -> int | None:
        text = self._text(_RECEIVED)
        if text is None:
            return None
        try:
            return _local_ns(datetime.fromisoformat(text).replace(tzinfo=None))
        except ValueError:
            self._report_wrong(_RECEIVED, text)
            return None

    def _text(self, tag: str) -> str | None:
        """Return the text of a tag, which some cameras call LABEL-TAG; None if there is none."""
        key = self._keys.get(tag)
        if key is None:
            found = [key for key in self._metadata.GetKeys() if key == tag or key.endswith(f"-{tag}")]
            key = self._keys[tag] = min(found, key=len, default="")
        if not key:
            return None
        try:
            return str(self._metadata.GetSingleTag(key).GetValue())
        except ValueError:
            return None  # this picture has none

    def _report(self) -> None:
        """Log where the times come from, once this can be judged, and again when it changes."""
        self._untold -= 1
        elapsed, of_day = self._elapsed, self._of_day
        if self._untold and not (elapsed.is_tried or of_day.is_tried):
            return
        self._untold = 0
        if elapsed.is_fine or (elapsed.is_usable and not of_day.is_usable):
            source = f"{_ELAPSED}, {elapsed.description}"
        elif of_day.is_usable:
            source = f"{_RECEIVED}, {of_day.description}; {_ELAPSED} is {elapsed.description}"
        else:
            source = ""
        if source != self._source:
            self._source = source
            nowhere = "nowhere: those of frames that wait in the buffer are estimated"
            _log.info("camera %r: times of receipt from %s", self._label, source or nowhere)

    def _report_wrong(self, tag: str, text: str) -> None:
        if not self._wrong:
            self._wrong = text
            _log.warning(
                "camera %r: %s is %r, which cannot be true; further ones are left out too", self._label, tag, text
            )


def _offset_of_day_ns() -> int:
    """Return the clock of the process minus the time of day, as the core gives it."""
    return time.perf_counter_ns() - _local_ns(datetime.now())


def _local_ns(local: datetime) -> int:
    since = local - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
