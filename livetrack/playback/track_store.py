"""Keeps the particles of every frame in a temporary file, however long the movie is."""

from __future__ import annotations

import tempfile
import threading
from array import array
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.particles import ROW, Flag, Rows, empty_rows

__all__ = ["TrackSpan", "TrackStore"]

_MAX_ID = 20_000_000
"""Ids from here on have no `TrackSpan`: the arrays would become large."""


class TrackSpan(NamedTuple):
    """How long a track is, as far as it is known."""

    positions: int
    first: int
    """Number of its first frame; below, of its last one."""
    last: int


class TrackStore:
    """Written by one thread, frame by frame, and read by others.

    56 bytes a row in the temporary file, and in memory 16 a frame and 24 a track. `complete`: all frames are known;
    `ended`: nothing will be added.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._file = tempfile.TemporaryFile(prefix="livetrack-tracks-")  # noqa: SIM115 - closed by `close`
        self._numbers, self._ends = array("q"), array("q", [0])
        self._known_to = 0
        self._positions, self._first, self._last = (np.zeros(0, np.int64) for _ in range(3))
        self.complete = self.ended = False

    @property
    def known_to(self) -> int:
        """Number of the first frame that is not known yet; that behind the last one once all are known."""
        return self._known_to

    @property
    def row_count(self) -> int:
        """Number of rows in all frames that are known."""
        return self._ends[-1]

    def append(self, number: int, rows: Rows) -> None:
        """Add the rows of the next frame. Raises OSError if the disk is full."""
        data = np.ascontiguousarray(rows)
        with self._lock:
            self._file.seek(0, 2)
            self._file.write(data.tobytes())
            self._numbers.append(number)
            self._ends.append(self._ends[-1] + len(rows))
            self._note_spans(number, rows)
            self._known_to = number + 1
            self._lock.notify_all()

    def finish(self) -> None:
        """Note that all frames are known."""
        with self._lock:
            self.complete = True

    def end(self) -> None:
        """Note that nothing will be added."""
        with self._lock:
            self.ended = True
            self._lock.notify_all()

    def rows(self, number: int) -> Rows | None:
        """Return the (N,) rows of a frame, none if it has none; None while they are not known, or once closed."""
        with self._lock:
            if self._file.closed:
                return None
            place = bisect_left(self._numbers, number)
            if place == len(self._numbers) or self._numbers[place] != number:
                return empty_rows() if self.complete or number < self._known_to else None
            begin, end = self._ends[place], self._ends[place + 1]
            self._file.seek(begin * ROW.itemsize)
            return np.frombuffer(self._file.read((end - begin) * ROW.itemsize), ROW)

    def wait_for(self, number: int) -> Rows | None:
        """Wait until the rows of a frame are known, and return them; None if that will not be."""
        with self._lock:
            self._lock.wait_for(lambda: self._known_to > number or self.ended)
        return self.rows(number)

    def span(self, track_id: int) -> TrackSpan | None:
        """Return how long a track is; None if it has no measured position so far."""
        with self._lock:
            if not 0 <= track_id < len(self._positions) or not self._positions[track_id]:
                return None
            return TrackSpan(*(int(each[track_id]) for each in (self._positions, self._first, self._last)))

    def close(self) -> None:
        """Delete the file."""
        with self._lock:
            self._file.close()

    def _note_spans(self, number: int, rows: Rows) -> None:
        ids = rows["id"][(rows["flags"] & Flag.COASTED) == 0]
        ids = ids[(ids >= 0) & (ids < _MAX_ID)]
        if not len(ids):
            return
        if ids.max() >= len(self._positions):
            size = max(1024, 2 * int(ids.max()))
            self._positions, self._first, self._last = (
                _grown(each, size) for each in (self._positions, self._first, self._last)
            )
        started = ids[self._positions[ids] == 0]
        self._first[started] = number
        self._last[ids] = number
        self._positions[ids] += 1


def _grown(values: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    grown = np.zeros(size, np.int64)
    grown[: len(values)] = values
    return grown
