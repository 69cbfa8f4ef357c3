"""What reading a sequence needs, wherever the core is: the loop that waits for pictures, and their geometry."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from livetrack.camera import Geometry, Picture

__all__ = ["IDLE_S", "SequenceReader"]

IDLE_S = 0.05
"""Time without a picture after which the camera is checked, and None yielded."""


class SequenceReader:
    """Base of the sequences of a core in this process and of a window."""

    def __init__(self, poll_s: float) -> None:
        self._lock = threading.Lock()  # of the sequence and its buffer
        self._poll_s = poll_s  # between two questions for a new picture
        self._starts = 0
        self._geometry: Geometry | None = None
        self._changed: Geometry | None = None  # for the next picture

    @property
    def geometry(self) -> Geometry:
        """Geometry of the next pictures, after `start`."""
        return self._geometry or self._read_geometry()

    def refresh(self) -> Geometry:
        """Ask the devices for the geometry, without holding up the pictures; the next one carries a change."""
        starts = self._starts
        geometry = self._read_geometry()
        with self._lock:
            if not self._is_closed() and self._starts == starts:  # else it may be of before a change
                self._note(geometry)
            return self._geometry or geometry

    def pictures(self) -> Iterator[Picture | None]:
        """Yield pictures, and None while there is none, until `close`; raise `CameraLostError` if the camera stops."""
        deadline = time.perf_counter() + IDLE_S
        while not self._is_closed():
            picture = self._take()
            if picture is not None:
                yield picture
            elif time.perf_counter() < deadline:
                time.sleep(self._poll_s)
                continue
            else:
                self._require_alive()
                yield None
            deadline = time.perf_counter() + IDLE_S

    def _note(self, geometry: Geometry) -> None:
        if self._geometry is not None and not geometry.same_as(self._geometry):
            self._changed = geometry
        self._geometry = geometry

    def _is_closed(self) -> bool:
        raise NotImplementedError

    def _read_geometry(self) -> Geometry:
        raise NotImplementedError

    def _take(self) -> Picture | None:
        """Return the next picture; None if there is none, or the camera is being changed."""
        raise NotImplementedError

    def _require_alive(self) -> None:
        """Raise `CameraLostError` if the sequence has ended by itself."""
        raise NotImplementedError
