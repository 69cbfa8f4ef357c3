"""Pictures from the sequence that runs in a Micro-Manager window: read along, or started here if the settings ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any

from livetrack.camera import Geometry, Picture
from livetrack.errors import CameraError, CameraLostError
from livetrack_drivers._mm_bridge_channel import BridgeLostError
from livetrack_drivers._mm_bridge_rate import BridgeRate
from livetrack_drivers._mm_camera_device import require_grey
from livetrack_drivers._mm_geometry import read_geometry
from livetrack_drivers._mm_properties import CORE_ERRORS, one_line
from livetrack_drivers._mm_reader import IDLE_S, SequenceReader
from livetrack_drivers._mm_sequence import shutter_kept, shutter_to_open
from livetrack_drivers._mm_window_buffer import Pixels, WindowBuffer

__all__ = ["WindowSequence"]

_POLL_S = 200e-6  # between two questions for a new picture; each takes as long itself
_CHECK_S = 0.25  # between two looks at the camera and the size of its images
_LIVE = "Micro-Manager's live view: press Live in its window"
_START_HERE = ", or set camera.micromanager.run_camera = true"


class _State(Enum):
    """Whose sequence is read."""

    STOPPED = 0
    THEIRS = 1  # the window's; it may be off
    OURS = 2  # started here
    CLOSED = 3


class WindowSequence(SequenceReader):
    """The pictures of the window's camera; one thread reads them while others may change the camera.

    A sequence that the window runs (its live view, an acquisition) is read along: the newest picture, which stays in
    the buffer for others. It is never stopped, and changes that would stop it are refused. Where none runs, `start` and
    `restart` start the camera with `run`, and pictures are taken from the buffer.

    Parameters
    ----------
    core
        A `BridgeCore`.
    label
        The camera's label.
    run
        Start the camera where nobody else does.
    """

    times = ""

    def __init__(self, core: Any, label: str, *, run: bool) -> None:
        super().__init__(_POLL_S)
        self._core = core
        self._label = label
        self._run = run
        self._state = _State.STOPPED
        self._opened_shutter = ""  # by the core, when the sequence started
        self._buffer = WindowBuffer(core)
        self._number = -1
        self._checked_s = 0.0
        self._rate = BridgeRate(core, label)
        self.taken = 0
        """Pictures read so far."""

    @property
    def limit_hz(self) -> float:
        """Pictures/s that the bridge allows, as measured at the last start; 0 before."""
        return self._rate.limit_hz

    @property
    def ours(self) -> bool:
        """Whether the sequence was started here."""
        return self._state is _State.OURS

    @property
    def waits_for(self) -> str:
        """What the pictures wait for, in words; empty if the camera runs, or was started here."""
        if self._state is _State.OURS or self._core.is_sequence_running():
            return ""
        return _LIVE if self._run else _LIVE + _START_HERE

    def start(self) -> Geometry:
        """Join the window's sequence, or start one; return the geometry. Raises `CameraError` for a colour camera."""
        return self._start(keep_shutter=False)

    def require_stoppable(self) -> None:
        """Raise `CameraError` if the window runs a sequence of its own, which a change would stop."""
        if self._state is not _State.OURS and self._core.is_sequence_running():
            raise CameraError(
                "Micro-Manager's live view or acquisition runs, and would stop: change this in its window, or end it"
                " there first"
            )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause a sequence that was started here while the caller changes the camera.

        Raises
        ------
        CameraError
            The window runs its own, which the change would stop.
        """
        with self._lock:
            self.require_stoppable()
            before = self._state
            self._stop()
            try:
                yield
            finally:
                if before is not _State.STOPPED:
                    self._state = before  # if it does not start again, the reader notices
                    self._start(keep_shutter=True)

    def stop(self) -> None:
        """Stop reading, and a sequence that was started here; never raises if the window is gone."""
        with self._lock:
            self._stop()

    def restore_shutter(self) -> None:
        """Stop, and close the shutter if the core opened it for a sequence that was started here."""
        with self._lock:
            self._stop_and_restore()

    def resume(self) -> Geometry:
        """Start again after `stop`; the shutter stays as it is."""
        with self._lock:
            return self._start(keep_shutter=True)

    def restart(self, revive: Callable[[], None] | None = None) -> Geometry:
        """Start again after the camera has stopped by itself; `revive` is called before."""
        with self._lock:
            self._stop()
            if revive is not None:
                revive()
            return self._start(keep_shutter=False)

    def is_running(self) -> bool:
        """Return whether the camera takes pictures, for whomever."""
        return bool(self._core.is_sequence_running())

    def close(self) -> None:
        """Stop for good, as `stop`; close the shutter if the core opened it for a sequence that was started here."""
        with self._lock:
            with suppress(*CORE_ERRORS):
                self._stop_and_restore()
            self._state = _State.CLOSED

    def _is_closed(self) -> bool:
        return self._state is _State.CLOSED

    def _start(self, *, keep_shutter: bool) -> Geometry:
        core = self._core
        self._require_camera()
        require_grey(core, self._label, f"camera {self._label!r}")
        geometry = self._read_geometry()
        self._note(geometry)
        self._buffer.begin()
        if core.is_sequence_running():
            if self._state is not _State.OURS:  # else it did not stop
                self._state = _State.THEIRS
        elif self._run:
            self._start_sequence(keep_shutter)
            self._state = _State.OURS
        else:
            self._state = _State.THEIRS
        self._rate.expect(geometry)
        self._starts += 1
        return geometry

    def _start_sequence(self, keep_shutter: bool) -> None:
        if keep_shutter:
            with shutter_kept(self._core):
                self._core.start_continuous_sequence_acquisition(0.0)
        else:
            self._opened_shutter = shutter_to_open(self._core) or self._opened_shutter
            self._core.start_continuous_sequence_acquisition(0.0)

    def _stop(self) -> None:
        """Stop reading, and a sequence that was started here; one that does not stop is still ours."""
        if self._state is _State.OURS:
            try:
                with shutter_kept(self._core):
                    self._core.stop_sequence_acquisition(self._label)
            except BridgeLostError:
                pass
            except CORE_ERRORS:
                with suppress(*CORE_ERRORS):
                    if self._core.is_sequence_running():
                        return
        self._state = _State.STOPPED

    def _stop_and_restore(self) -> None:
        self._stop()
        opened, self._opened_shutter = self._opened_shutter, ""
        if opened and not self._core.is_sequence_running():
            self._core.set_shutter_open(opened, False)

    def _take(self) -> Picture | None:
        """Return the next picture; None if there is none, or the camera is being changed."""
        if not self._lock.acquire(timeout=IDLE_S):
            return None
        try:
            if self._state not in (_State.OURS, _State.THEIRS):
                return None
            read = self._buffer.take() if self._state is _State.OURS else self._buffer.read_along()
            if read is None:
                return None
            self._poll_s = _POLL_S
            self._number += read.step
            if read.anew:
                self._checked_s = 0.0
            image = self._shaped(read.pixels)
            if image is None:
                return None
            self._rate.read(read.step)
            self.taken += 1
            geometry, self._changed = self._changed, None
            return Picture(image, number=self._number, geometry=geometry, waited=read.waited)
        except CORE_ERRORS as error:
            if self._buffer.is_empty():
                return None
            raise CameraLostError(f"camera {self._label!r} stopped delivering: {one_line(error)}") from error
        finally:
            self._lock.release()

    def _shaped(self, pixels: Pixels) -> Pixels | None:
        """Return the picture in two dimensions; None if it is of a size that is no longer, or not yet, the camera's."""
        now = time.perf_counter()
        expected = self.geometry
        if now - self._checked_s > _CHECK_S or pixels.size != expected.width * expected.height:
            self._checked_s = now
            self._require_camera()
            if (self._core.get_image_width(), self._core.get_image_height()) != (expected.width, expected.height):
                self._note(self._read_geometry())
        height, width = self.geometry.height, self.geometry.width
        if pixels.size == width * height:
            return pixels.reshape(height, width)
        try:
            require_grey(self._core, self._label, f"camera {self._label!r}")
        except CameraError as error:
            raise CameraLostError(str(error)) from None
        return None

    def _require_camera(self) -> None:
        """Raise `CameraLostError` if another camera was chosen in the window."""
        current = self._core.get_camera_device()
        if current != self._label:
            raise CameraLostError(
                f"Micro-Manager's camera is now {current!r}, and this session tracks {self._label!r}: choose it again"
                " in Micro-Manager's window, or start livetrack again"
            )

    def _require_alive(self) -> None:
        """Raise `CameraLostError` if a sequence that was started here has ended, or the window is gone."""
        if not self._lock.acquire(timeout=IDLE_S):
            return  # the camera is being changed
        try:
            if self._state not in (_State.OURS, _State.THEIRS) or self._core.is_sequence_running():
                return
            if self._state is _State.OURS:
                raise CameraLostError(f"camera {self._label!r} stopped: its sequence ended")
            self._poll_s = IDLE_S  # nothing comes until somebody presses Live
        except CORE_ERRORS as error:
            raise CameraLostError(f"camera {self._label!r}: {one_line(error)}") from error
        finally:
            self._lock.release()

    def _read_geometry(self) -> Geometry:
        return read_geometry(self._core, self._label, self._label, self._label)
