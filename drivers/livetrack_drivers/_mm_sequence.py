"""Pictures from MMCore's continuous sequence acquisition; detects lost pictures and a camera that has stopped."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any

import numpy as np

from livetrack.camera import Geometry, Picture
from livetrack.errors import CameraLostError
from livetrack_drivers._mm_geometry import read_geometry
from livetrack_drivers._mm_properties import CORE_ERRORS, one_line

__all__ = ["PictureSequence"]

_POLL_S = 50e-6  # MMCore cannot wait for a picture; polling adds 0.09 ms (0.5 ms on Windows, whose sleep is coarser)
_IDLE_S = 0.05  # time without a picture after which the camera is checked, and None yielded


class _State(Enum):
    """State of a sequence. After a failure of the camera it is still `RUNNING`: ask MMCore."""

    STOPPED = 0
    RUNNING = 1
    CLOSED = 2


class PictureSequence:
    """The pictures of the core's current camera; one thread reads them while others may change the camera.

    Parameters
    ----------
    core
        A `pymmcore.CMMCore`, as pycromanager creates it.
    label
        The camera's label.
    metadata
        An empty `pymmcore.Metadata`, overwritten with each picture.
    """

    def __init__(self, core: Any, label: str, metadata: Any) -> None:
        self._core = core
        self._label = label
        self._metadata = metadata
        self._lock = threading.Lock()  # of the sequence and its buffer
        self._state = _State.STOPPED
        self._geometry: Geometry | None = None
        self._changed: Geometry | None = None  # for the next picture
        self._held: deque[Picture] = deque()  # taken before a change, and not yet yielded
        self._numbers = _RisingNumbers()
        self._starts = 0

    @property
    def geometry(self) -> Geometry:
        """Geometry of the next pictures, after `start`."""
        return self._geometry or read_geometry(self._core, self._label)

    def start(self) -> Geometry:
        """Start, and return the geometry of the next pictures."""
        geometry = read_geometry(self._core, self._label)
        self._note(geometry)
        self._core.start_continuous_sequence_acquisition(0)
        self._numbers.restart()
        self._state = _State.RUNNING
        self._starts += 1
        return geometry

    def refresh(self) -> Geometry:
        """Ask the devices for the geometry, without holding up the pictures; the next one carries a change."""
        starts = self._starts
        geometry = read_geometry(self._core, self._label)
        with self._lock:
            if self._state is _State.RUNNING and self._starts == starts:  # else it is of before a change, or in between
                self._note(geometry)
            return self._geometry or geometry

    def _note(self, geometry: Geometry) -> None:
        if self._geometry is not None and not geometry.same_as(self._geometry):
            self._changed = geometry
        self._geometry = geometry

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause the sequence while the caller changes the camera; pictures taken before are kept."""
        with self._lock:
            running = self._state is _State.RUNNING
            if running:
                self._core.stop_sequence_acquisition(self._label)
                self._held.extend(self._pop() for _ in range(self._core.get_remaining_image_count()))
                self._state = _State.STOPPED
            try:
                yield
            finally:
                if running:
                    self.start()

    def pictures(self) -> Iterator[Picture | None]:
        """Yield pictures, and None while there is none, until `close`; raise `CameraLostError` if the camera stops.

        Pictures that were taken between `start` and this call are discarded: they are too old.
        """
        with self._lock:
            if self._state is _State.RUNNING:
                self._core.clear_circular_buffer()
        deadline = time.perf_counter() + _IDLE_S
        while self._state is not _State.CLOSED:
            picture = self._take()
            if picture is not None:
                yield picture
            elif time.perf_counter() < deadline:
                time.sleep(_POLL_S)
                continue
            else:
                self._require_alive()
                yield None
            deadline = time.perf_counter() + _IDLE_S

    def close(self) -> None:
        """Stop; never raises if the camera is gone."""
        with self._lock:
            if self._state is _State.RUNNING:
                with suppress(*CORE_ERRORS):
                    self._core.stop_sequence_acquisition(self._label)
            self._state = _State.CLOSED

    def _take(self) -> Picture | None:
        """Return the oldest picture; None if there is none, or the camera is being changed."""
        if not self._lock.acquire(timeout=_IDLE_S):
            return None
        try:
            if self._held:
                return self._held.popleft()
            if self._state is not _State.RUNNING or not self._core.get_remaining_image_count():
                return None
            return self._pop()
        except IndexError:  # the buffer has overflowed since the check, and is empty
            return None
        except CORE_ERRORS as error:
            raise CameraLostError(f"camera {self._label!r} stopped delivering: {one_line(error)}") from error
        finally:
            self._lock.release()

    def _pop(self) -> Picture:
        pixels = self._core.pop_next_image_md(self._metadata)
        if pixels.dtype == np.uint32:
            pixels = pixels.view(np.float32)  # Micro-Manager's 32-bit grey is a float
        geometry, self._changed = self._changed, None
        return Picture(pixels, number=self._numbers.next(_image_number(self._metadata)), geometry=geometry)

    def _require_alive(self) -> None:
        """Raise `CameraLostError` if the sequence has ended by itself, which MMCore does not report."""
        if not self._lock.acquire(timeout=_IDLE_S):
            return  # the camera is being changed
        try:
            if self._state is _State.CLOSED or self._core.is_sequence_running(self._label):
                return
            if self._core.get_remaining_image_count():
                return  # its last pictures
            reason = "its sequence ended by itself; check power and cable, and whether another program uses the camera"
        except CORE_ERRORS as error:
            reason = one_line(error)
        finally:
            self._lock.release()
        raise CameraLostError(f"camera {self._label!r} stopped: {reason}")


class _RisingNumbers:
    """Picture numbers that never restart.

    MMCore counts from 0 in each sequence, and older versions (such as 11.10) also after discarding a full buffer. How
    many pictures are lost then is unknown; the gap is one, the minimum.
    """

    def __init__(self) -> None:
        self._offset = 0
        self._last = -1  # as MMCore gave it
        self._restarted = True

    def restart(self) -> None:
        self._restarted = True

    def next(self, number: int | None) -> int | None:
        if number is None:
            return None
        if number < self._last or number == 0:
            self._offset += self._last + (1 if self._restarted else 2) - number
        self._restarted = False
        self._last = number
        return self._offset + number


def _image_number(metadata: Any) -> int | None:
    """Return the tag ImageNumber, which some cameras call LABEL-ImageNumber; None if there is none."""
    try:
        return int(metadata.GetSingleTag("ImageNumber").GetValue())
    except ValueError:  # no such tag, or not a number
        pass
    for key in metadata.GetKeys():
        if key.endswith("-ImageNumber"):
            with suppress(ValueError):
                return int(metadata.GetSingleTag(key).GetValue())
    return None
