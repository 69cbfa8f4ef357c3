"""The frames of a recording between the camera and the disk, with an account of each."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Literal, NamedTuple

import numpy as np

from livetrack.camera import Frame
from livetrack.record.streams import ReceivedFrames

__all__ = ["NO_PIXELS", "FrameCounts", "FrameQueue"]

NO_PIXELS = np.empty((0, 0), np.uint8)
"""The pixels of a frame whose pixels are not to be written."""

_MAX_LISTED = 100_000  # rows of frames.arrow that may wait for the disk


class FrameCounts(NamedTuple):
    """What became of the frames with pixels: offered = written + dropped + waiting."""

    offered: int
    written: int
    dropped: int
    waiting: int
    """In the queue, or being written."""


class FrameQueue:
    """Frames whose pixels wait for the disk: at most `max_bytes`, each at most `max_s` seconds.

    Beyond that the frame that has waited longest is dropped, or with `overflow` "stop" all frames from then on. As soon
    as it is certain whether the pixels of a frame are written, it is listed for `frames.arrow`. Any thread may call any
    method; all but `take` return at once.
    """

    def __init__(self, max_bytes: int, max_s: float, overflow: Literal["drop", "stop"]) -> None:
        self.listed = ReceivedFrames()
        """Rows of `frames.arrow` that wait for the disk."""
        self.unlisted = 0
        """Received frames that are missing in `frames.arrow`."""
        self.problem = ""
        """Why no more pixels are written; else empty."""
        self._max_bytes, self._max_s, self._overflow = max_bytes, max_s, overflow
        self._changed = threading.Condition()
        self._queue: deque[tuple[float, Frame]] = deque()  # with the time of the offer
        self._in_hand: Frame | None = None
        self._in_hand_since = 0.0
        self._bytes = 0  # of the queue and the frame in hand
        self._offered = self._dropped = 0
        self._written: Counter[str] = Counter()  # by file
        self._closed = self._ended = False

    def offer(self, frame: Frame) -> None:
        """Add a frame; its pixels must not change afterwards. After `close` it is ignored, after `end` dropped."""
        with self._changed:
            if self._closed:
                return
            if frame.pixels is NO_PIXELS:
                self._list(frame, None)
                return
            self._offered += 1
            self._bytes += frame.pixels.nbytes
            self._queue.append((time.monotonic(), frame))
            self._drop_surplus()
            self._changed.notify()

    def take(self) -> Frame | None:
        """Wait for the next frame and take it in hand until `put_down`; None if no more follow."""
        with self._changed:
            while not (self._queue or self._closed or self._ended):
                self._changed.wait()
            if not self._queue:
                return None
            _, self._in_hand = self._queue.popleft()
            self._in_hand_since = time.monotonic()
            return self._in_hand

    def put_down(self, page: tuple[str, int] | None) -> None:
        """Report the file and page of the frame in hand; None if its pixels are not written."""
        with self._changed:
            frame, self._in_hand = self._in_hand, None
            if frame is None:  # `end` has counted it
                return
            self._bytes -= frame.pixels.nbytes
            if page is None:
                self._dropped += 1
            else:
                self._written[page[0]] += 1
            self._list(frame, page)

    def drop_surplus(self) -> None:
        """Drop what has waited for too long; to be called while no frames are offered."""
        with self._changed:
            self._drop_surplus()

    def stop_pixels(self, why: str) -> None:
        """Drop the frames that wait and all later ones."""
        with self._changed:
            self.problem = self.problem or why
            self._drop_surplus()

    @property
    def files(self) -> set[str]:
        """Names of the files with written frames."""
        with self._changed:
            return set(self._written)

    def lose(self, files: set[str]) -> None:
        """Count the frames in these files as dropped: the files are gone."""
        with self._changed:
            for file in files:
                self._dropped += self._written.pop(file, 0)

    def close(self) -> None:
        """Take no more frames; those that wait are still written."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def end(self) -> None:
        """Write nothing more: what waits, is in hand or is offered later counts as dropped, and is not listed."""
        with self._changed:
            self._ended = True
            if self._in_hand is not None:
                self._drop(self._in_hand)
                self._in_hand = None
            self._drop_surplus()
            self.unlisted += len(self.listed)
            self.listed = ReceivedFrames()
            self._changed.notify_all()

    @property
    def in_hand_s(self) -> float:
        """For how long the present frame has been in hand; 0 if none is."""
        with self._changed:
            return 0.0 if self._in_hand is None else time.monotonic() - self._in_hand_since

    @property
    def waiting_bytes(self) -> int:
        """Pixels that are not written yet."""
        return self._bytes

    @property
    def counts(self) -> FrameCounts:
        """The counts at one moment."""
        with self._changed:
            waiting = len(self._queue) + (self._in_hand is not None)
            return FrameCounts(self._offered, self._written.total(), self._dropped, waiting)

    def _drop_surplus(self) -> None:
        oldest = time.monotonic() - self._max_s
        while self._queue and (
            self.problem
            or self._ended
            or (not self._closed and (self._bytes > self._max_bytes or self._queue[0][0] < oldest))
        ):
            self._drop(self._queue.popleft()[1])
            if self._overflow == "stop" and not self._ended:
                self.problem = self.problem or 'the disk is too slow, and record.overflow is "stop"'

    def _drop(self, frame: Frame) -> None:
        self._bytes -= frame.pixels.nbytes
        self._dropped += 1
        self._list(frame, None)

    def _list(self, frame: Frame, page: tuple[str, int] | None) -> None:
        if self._ended or len(self.listed) >= _MAX_LISTED:
            self.unlisted += 1
        else:
            self.listed.add(frame, page)
