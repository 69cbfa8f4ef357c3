"""The rows of a recording between the tracking loop and the disk, with an account of each tracked frame."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

import numpy as np

from livetrack.camera import Frame
from livetrack.particles import ROW, Rows
from livetrack.record.streams import ROW_UNITS, TableStream

__all__ = ["RowCounts", "TrackedFrames"]

_FRAME_BYTES = 200  # memory per queued tracked frame, without its rows
_BATCH_FRAMES = 1000  # tracked frames in one batch


class RowCounts(NamedTuple):
    """What became of the rows of tracked frames: offered = written + dropped + waiting."""

    offered: int
    written: int
    dropped: int
    waiting: int


class TrackedFrames:
    """Rows of `tracked.arrow` and `trajectories.arrow` that wait for the disk, with an account of each frame.

    One thread flushes, any thread may call the other methods, and none of these waits for the disk.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._queue: deque[tuple[int, float, int, int | None, int, bytes]] = deque()
        self._bytes = 0  # of the queue and of what is being written
        self._offered = self._written = self._dropped = 0
        self._closed = self._ended = False

    def offer(self, frame: Frame, rows: Rows) -> None:
        """Add a tracked frame and a copy of its rows. After `close` it is ignored, after `end` dropped."""
        copy = rows.tobytes()  # ten times faster than `rows.copy()`, which copies padded records field by field
        size = len(copy) + _FRAME_BYTES
        with self._lock:
            if self._closed:
                return
            self._offered += 1
            if self._ended or self._bytes + size > self._max_bytes:
                self._dropped += 1
            else:
                self._bytes += size
                self._queue.append((frame.index, frame.t_s, len(rows), frame.number, frame.t_received_ns, copy))

    def flush(self, tracked: TableStream, trajectories: TableStream) -> int:
        """Write the oldest queued frames, in one batch of each table; return how many frames.

        If either batch cannot be written, neither is: the frames stay queued, and OSError is raised.
        """
        with self._lock:
            frames = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH_FRAMES))]
        if not frames:
            return 0
        frame, t_s, count, number, t_received_ns, copies = zip(*frames, strict=True)
        numbers = np.ma.MaskedArray([each or 0 for each in number], [each is None for each in number], np.int64)
        rows = np.frombuffer(b"".join(copies), ROW)
        before = trajectories.file.size, trajectories.rows
        try:
            trajectories.write(
                [
                    np.repeat(frame, count),
                    numbers.repeat(count),
                    np.repeat(t_s, count),
                    np.repeat(t_received_ns, count),
                    *(np.ascontiguousarray(rows[name]) for name in ROW_UNITS),
                ]
            )
            tracked.write([frame, t_s, count])
        except OSError:
            trajectories.shorten(*before)
            with self._lock:
                if not self._ended:
                    self._queue.extendleft(reversed(frames))
            raise
        with self._lock:
            if not self._ended:  # which has counted them
                self._bytes -= rows.nbytes + len(frames) * _FRAME_BYTES
                self._written += len(frames)
        return len(frames)

    def lose(self) -> None:
        """Count all written frames as dropped: their file is gone."""
        with self._lock:
            self._dropped += self._written
            self._written = 0

    def close(self) -> None:
        """Take no more frames; those that wait are still written."""
        with self._lock:
            self._closed = True

    def end(self) -> None:
        """Write nothing more: what waits, is being written or is offered later counts as dropped."""
        with self._lock:
            self._ended = True
            self._dropped = self._offered - self._written
            self._queue.clear()

    @property
    def counts(self) -> RowCounts:
        """The counts at one moment."""
        with self._lock:
            waiting = self._offered - self._written - self._dropped
            return RowCounts(self._offered, self._written, self._dropped, waiting)
