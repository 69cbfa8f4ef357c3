"""Pictures from MMCore's continuous sequence acquisition; detects lost pictures and a camera that has stopped."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any

import numpy as np

from livetrack.camera import Geometry, Picture
from livetrack.errors import CameraError, CameraLostError
from livetrack_drivers._mm_camera_device import require_grey
from livetrack_drivers._mm_geometry import read_geometry
from livetrack_drivers._mm_metadata import MetadataReader
from livetrack_drivers._mm_properties import CORE_ERRORS, one_line
from livetrack_drivers._mm_reader import IDLE_S, SequenceReader

__all__ = ["PictureSequence", "shutter_kept", "shutter_to_open"]

_POLL_S = 50e-6  # MMCore cannot wait for a picture; polling adds 0.09 ms (0.5 ms on Windows, whose sleep is coarser)
_MAX_NUMBER = 2**62
_BUFFER_SLOTS = 2048  # MMCore makes one slot a picture before it starts: 20 ms for these, seconds for millions


class _State(Enum):
    """State of a sequence. After a failure of the camera it is still `RUNNING`: ask MMCore."""

    STOPPED = 0
    RUNNING = 1
    CLOSED = 2


class PictureSequence(SequenceReader):
    """The pictures of the core's current camera; one thread reads them while others may change the camera.

    Parameters
    ----------
    core
        A `pymmcore.CMMCore`, as pycromanager creates it.
    label
        The camera's label.
    metadata
        An empty `pymmcore.Metadata`, overwritten with each picture.
    buffer_mb
        Size of MMCore's buffer, MB; less for small pictures.
    channel
        If the camera delivers the pictures of several: the one to yield. The others are discarded.
    """

    ours = True
    """The sequence was started here."""
    waits_for = ""
    """What the pictures wait for, in words: nothing."""

    def __init__(self, core: Any, label: str, metadata: Any, buffer_mb: int, channel: str = "") -> None:
        super().__init__(_POLL_S)
        self._core = core
        self._label = label
        self._metadata = metadata
        self._buffer_mb = buffer_mb
        self._channel = channel
        self._source = channel if channel in core.get_loaded_devices_of_type(2) else label  # takes the pictures
        self._state = _State.STOPPED
        self._held: deque[Picture] = deque()  # taken before a change, and not yet yielded
        self._numbers = _RisingNumbers()
        self._reader = MetadataReader(label, metadata)
        self._shape: tuple[int, ...] = ()  # of the last picture
        self._dtype: np.dtype[Any] | None = None  # likewise, as the core gave it
        self._opened_shutter = ""  # by the core, when the sequence started
        self._roi: tuple[int, ...] | None = None  # as the core gave it at the last start
        self.taken = 0
        """Pictures taken so far."""

    @property
    def times(self) -> str:
        """Where the times of the pictures come from, in words; empty if nowhere, or not known yet."""
        return self._reader.source

    def start(self, *, cached: bool = False) -> Geometry:
        """Start, and return the geometry of the next pictures. Raises `CameraError` for another camera, or colour.

        With `cached`, or if they do not answer, objective and pixel size are those that were read last.
        """
        current = self._core.get_camera_device()
        if current != self._label:
            if not current:
                raise CameraError(f"Micro-Manager has no camera {self._label!r} now")
            raise CameraError(
                f"Micro-Manager's camera (Core.Camera) is now {current!r}, and this session tracks {self._label!r}:"
                " set it back, or set camera.micromanager.camera and start livetrack again"
            )
        require_grey(self._core, self._label, f"camera {self._label!r}")
        try:
            geometry = self._read_geometry(cached=cached)
        except CORE_ERRORS:
            if self._geometry is None:
                raise
            geometry = self._read_geometry(cached=True)
        self._note(geometry)
        self._roi = tuple(self._core.get_roi(self._label))
        self._fit_buffer(geometry)
        self._opened_shutter = shutter_to_open(self._core) or self._opened_shutter
        self._core.start_continuous_sequence_acquisition(0)
        self._numbers.restart()
        self._reader.restart()
        self._state = _State.RUNNING
        self._starts += 1
        return geometry

    def _read_geometry(self, *, cached: bool = False) -> Geometry:
        return read_geometry(self._core, self._label, self._source, self._channel or self._label, cached=cached)

    def require_stoppable(self) -> None:
        """Do nothing: whoever opened the camera may stop it."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause the sequence while the caller changes the camera; pictures taken before are kept.

        The shutter stays as it is.
        """
        with self._lock, shutter_kept(self._core):
            running = self._state is _State.RUNNING
            if running:
                self._core.stop_sequence_acquisition(self._label)
                for _ in range(self._core.get_remaining_image_count()):
                    picture = self._pop()
                    if picture is not None:
                        self._held.append(picture)
                self._state = _State.STOPPED
            try:
                yield
            finally:
                if running:
                    self.start(cached=True)  # in a short pause; whoever makes the change reads the geometry again

    def stop(self) -> None:
        """Stop until `resume`; never raises if the camera is gone. All devices stay as they are, the shutter too."""
        with self._lock:
            self._stop_and_forget()

    def restore_shutter(self) -> None:
        """Stop, and close the shutter if the core opened it for the sequence."""
        with self._lock:
            self._stop_and_forget()
            opened, self._opened_shutter = self._opened_shutter, ""
            if opened:
                self._core.set_shutter_open(opened, False)

    def resume(self) -> Geometry:
        """Start again after `stop`; the shutter stays as it is."""
        with self._lock, shutter_kept(self._core):
            self._stop_and_forget()
            return self.start()

    def restart(self, revive: Callable[[], None] | None = None) -> Geometry:
        """Start again, with the same ROI, after the camera has stopped by itself; `revive` is called in between.

        The core closed the shutter when the sequence ended, if it controls it: now it opens it again.
        """
        with self._lock:
            self._stop_and_forget()
            if revive is not None:
                revive()
            if self._roi is not None and tuple(self._core.get_roi(self._label)) != self._roi:
                self._core.set_roi(self._label, *self._roi)
            return self.start()

    def is_running(self) -> bool:
        """Return whether the camera takes pictures, as far as the core knows."""
        return self._state is _State.RUNNING and bool(self._core.is_sequence_running(self._source))

    def pictures(self) -> Iterator[Picture | None]:
        """Yield pictures, and None while there is none, until `close`; raise `CameraLostError` if the camera stops.

        Pictures that were taken between `start` and this call are discarded: they are too old.
        """
        with self._lock:
            if self._state is _State.RUNNING:
                self._core.clear_circular_buffer()
                self._reader.buffer_was_empty(time.perf_counter_ns())
        yield from super().pictures()

    def close(self) -> None:
        """Stop for good; as `stop`."""
        with self._lock:
            self._stop_and_forget()
            self._state = _State.CLOSED

    def _is_closed(self) -> bool:
        return self._state is _State.CLOSED

    def _stop_and_forget(self) -> None:
        """Stop if it runs, and discard the pictures that wait."""
        if self._state is _State.RUNNING:
            with suppress(*CORE_ERRORS), shutter_kept(self._core):
                self._core.stop_sequence_acquisition(self._label)
            self._state = _State.STOPPED
        self._held.clear()

    def _fit_buffer(self, geometry: Geometry) -> None:
        """Bound the buffer in pictures as well, since MMCore makes a slot for each before it starts."""
        core = self._core
        picture_bytes = geometry.width * geometry.height * core.get_bytes_per_pixel()
        picture_bytes *= core.get_number_of_camera_channels()
        wanted_mb = min(self._buffer_mb, max(1, math.ceil(_BUFFER_SLOTS * picture_bytes / 2**20)))
        if core.get_circular_buffer_memory_footprint() != wanted_mb:
            core.set_circular_buffer_memory_footprint(wanted_mb)

    def _take(self) -> Picture | None:
        """Return the oldest picture; None if there is none, or the camera is being changed."""
        if not self._lock.acquire(timeout=IDLE_S):
            return None
        try:
            if self._held:
                return self._held.popleft()
            while self._state is _State.RUNNING:
                asked_ns = time.perf_counter_ns()
                if not self._core.get_remaining_image_count():
                    self._reader.buffer_was_empty(asked_ns)
                    return None
                picture = self._pop()
                if picture is not None:
                    return picture
            return None
        except IndexError:  # the buffer has overflowed since the check, and is empty
            return None
        except CORE_ERRORS as error:
            raise CameraLostError(f"camera {self._label!r} stopped delivering: {one_line(error)}") from error
        finally:
            self._lock.release()

    def _pop(self) -> Picture | None:
        """Take the next picture from the buffer; None if it is of another channel."""
        pixels = self._core.pop_next_image_md(self._metadata)
        if self._channel and not _is_from(self._metadata, self._channel):
            return None
        if pixels.dtype != self._dtype:
            self._require_grey()
            self._dtype = pixels.dtype
        self.taken += 1
        if pixels.dtype == np.uint32:
            pixels = pixels.view(np.float32)  # Micro-Manager's 32-bit grey is a float
        if pixels.shape != self._shape:
            self._shape = pixels.shape
            self._follow(*pixels.shape)
        geometry, self._changed = self._changed, None
        number, received_ns, waited = self._reader.read(self._core.get_remaining_image_count)
        if self._channel and self._source == self._label:
            number = None  # counts the pictures of all channels
        return Picture(
            pixels,
            number=self._numbers.next(number),
            geometry=geometry,
            t_received_ns=received_ns,
            waited=waited,
        )

    def _require_grey(self) -> None:
        """Raise `CameraLostError` if another program has set the camera to colour, whose pixels come as integers."""
        try:
            require_grey(self._core, self._label, f"camera {self._label!r}")
        except CameraError as error:
            raise CameraLostError(str(error)) from None

    def _follow(self, height: int, width: int) -> None:
        """Ask for the geometry again if a picture of another size than expected has come."""
        expected = self._geometry
        if expected is not None and (expected.width, expected.height) != (width, height):
            self._note(self._read_geometry())

    def _require_alive(self) -> None:
        """Raise `CameraLostError` if the sequence has ended by itself, which MMCore does not report."""
        if not self._lock.acquire(timeout=IDLE_S):
            return  # the camera is being changed
        try:
            if self._state is _State.CLOSED or self._core.is_sequence_running(self._source):
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
        if number is None or not 0 <= number < _MAX_NUMBER:
            return number
        if number == 0 or (self._restarted and number < self._last):
            self._offset += self._last + (1 if self._restarted else 2) - number
            self._last = number
        self._restarted = False
        self._last = max(self._last, number)  # a step back within a sequence is no restart, unless to 0
        return self._offset + number


def shutter_to_open(core: Any) -> str:
    """Return the shutter that the core will open when a sequence starts, "" if none."""
    with suppress(*CORE_ERRORS):
        if core.get_auto_shutter() and (label := core.get_shutter_device()) and not core.get_shutter_open(label):
            return str(label)
    return ""


@contextmanager
def shutter_kept(core: Any) -> Iterator[None]:
    """Keep the shutter as it is while the sequence stops or starts: the core's auto-shutter would close or open it."""
    auto = core.get_auto_shutter()
    if auto:
        core.set_auto_shutter(False)
    try:
        yield
    finally:
        if auto:
            core.set_auto_shutter(True)


def _is_from(metadata: Any, channel: str) -> bool:
    """Return whether a picture is from `channel`: a camera of a `Multi Camera`, or a channel of a single camera."""
    keys = [key for key in metadata.GetKeys() if key == "Camera" or key.endswith("CameraChannelName")]
    return any(metadata.GetSingleTag(key).GetValue() == channel for key in keys)
