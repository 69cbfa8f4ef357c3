"""MMCore's continuous sequence acquisition as pictures: none invented, none lost unnoticed, and a dead camera told."""

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
from livetrack_drivers._mm_properties import CORE_ERRORS, one_line, read_binning

__all__ = ["PictureSequence"]

POLL_S = 50e-6  # MMCore has no wait; with this sleep pictures are 0.09 ms old (Windows' own sleep makes it 0.5 ms)
IDLE_S = 0.05  # so long without a picture: look after the camera, and yield None


class State(Enum):
    """Of a sequence; a camera that died leaves it `RUNNING`, and MMCore knows better."""

    STOPPED = 0
    RUNNING = 1
    CLOSED = 2


class PictureSequence:
    """The pictures of the core's current camera; one thread takes them while others make changes.

    Parameters
    ----------
    core
        A `pymmcore.CMMCore`, as pycromanager makes it.
    label
        The camera's label.
    metadata
        An empty `pymmcore.Metadata`, filled anew by each picture.
    """

    def __init__(self, core: Any, label: str, metadata: Any) -> None:
        self._core = core
        self._label = label
        self._metadata = metadata
        self._lock = threading.Lock()  # the sequence and its buffer: one thread at a time
        self._state = State.STOPPED
        self._geometry: Geometry | None = None
        self._changed: Geometry | None = None  # to be carried by the next picture
        self._held: deque[Picture] = deque()  # taken before a change, not yet yielded
        self._numbers = _RisingNumbers()

    @property
    def geometry(self) -> Geometry:
        """Of the pictures to come, once it was started."""
        return self._geometry or _read_geometry(self._core, self._label)

    def start(self) -> Geometry:
        """Start, and return the geometry of the pictures to come."""
        geometry = _read_geometry(self._core, self._label)
        if self._geometry not in (None, geometry):
            self._changed = geometry
        self._geometry = geometry
        self._core.start_continuous_sequence_acquisition(0)
        self._numbers.restart()
        self._state = State.RUNNING
        return geometry

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the caller change the camera: stop, keep what is taken already, and start again if it was running."""
        with self._lock:
            running = self._state is State.RUNNING
            if running:
                self._core.stop_sequence_acquisition(self._label)
                self._held.extend(self._pop() for _ in range(self._core.get_remaining_image_count()))
                self._state = State.STOPPED
            try:
                yield
            finally:
                if running:
                    self.start()

    def pictures(self) -> Iterator[Picture | None]:
        """Yield pictures, and None while there is none, until `close`; raise `CameraLostError` for a dead camera.

        Those that MMCore has kept since `start`, while the reader made ready, are old news and thrown away.
        """
        with self._lock:
            if self._state is State.RUNNING:
                self._core.clear_circular_buffer()
        deadline = time.perf_counter() + IDLE_S
        while self._state is not State.CLOSED:
            picture = self._take()
            if picture is not None:
                yield picture
            elif time.perf_counter() < deadline:
                time.sleep(POLL_S)
                continue
            else:
                self._require_alive()
                yield None
            deadline = time.perf_counter() + IDLE_S

    def close(self) -> None:
        """Stop for good; never raises for a camera already gone."""
        with self._lock:
            if self._state is State.RUNNING:
                with suppress(*CORE_ERRORS):
                    self._core.stop_sequence_acquisition(self._label)
            self._state = State.CLOSED

    def _take(self) -> Picture | None:
        """Return the oldest picture, None where there is none or a change is being made."""
        if not self._lock.acquire(timeout=IDLE_S):
            return None
        try:
            if self._held:
                return self._held.popleft()
            if self._state is not State.RUNNING or not self._core.get_remaining_image_count():
                return None
            return self._pop()
        except IndexError:  # the buffer overflowed since it was counted, and is empty
            return None
        except CORE_ERRORS as error:
            raise CameraLostError(f"camera {self._label!r} delivers no more: {one_line(error)}") from error
        finally:
            self._lock.release()

    def _pop(self) -> Picture:
        pixels = self._core.pop_next_image_md(self._metadata)
        if pixels.dtype == np.uint32:
            pixels = pixels.view(np.float32)  # Micro-Manager's 32-bit grey is a float
        geometry, self._changed = self._changed, None
        return Picture(pixels, number=self._numbers.next(_image_number(self._metadata)), geometry=geometry)

    def _require_alive(self) -> None:
        """Raise `CameraLostError` where the sequence ended by itself: MMCore never says so."""
        if not self._lock.acquire(timeout=IDLE_S):
            return  # a change is being made
        try:
            if self._state is State.CLOSED or self._core.is_sequence_running(self._label):
                return
            if self._core.get_remaining_image_count():
                return  # its last pictures
            reason = "its sequence ended by itself; look after power and cable, and for another user of the camera"
        except CORE_ERRORS as error:
            reason = one_line(error)
        finally:
            self._lock.release()
        raise CameraLostError(f"camera {self._label!r} stopped: {reason}")


class _RisingNumbers:
    """Picture numbers that rise for ever.

    MMCore counts from 0 in each sequence, and older versions (11.10 for one) also after they emptied a full buffer.
    Then nobody knows how many pictures are gone: one, the least that it can be, is left out of the count.
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


def _read_geometry(core: Any, label: str) -> Geometry:
    x, y, _, _ = core.get_roi(label)
    binning = read_binning(core, label)
    return Geometry(
        width=core.get_image_width(),
        height=core.get_image_height(),
        x_origin=x * binning,
        y_origin=y * binning,
        binning=binning,
        pixel_size_um=core.get_pixel_size_um() or None,
    )


def _image_number(metadata: Any) -> int | None:
    """Return the tag ImageNumber, which some cameras write as LABEL-ImageNumber; None where there is none."""
    try:
        return int(metadata.GetSingleTag("ImageNumber").GetValue())
    except ValueError:  # no such tag, or no number
        pass
    for key in metadata.GetKeys():
        if key.endswith("-ImageNumber"):
            with suppress(ValueError):
                return int(metadata.GetSingleTag(key).GetValue())
    return None
