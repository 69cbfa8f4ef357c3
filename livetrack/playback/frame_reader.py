"""Reads the frames of a movie in a thread: those that are wanted, and then those that will be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from livetrack.errors import LivetrackError
from livetrack.movies import Movie, MovieFrame

__all__ = ["FrameReader"]

CACHE_BYTES = 256_000_000
_AHEAD = 32  # frames read before they are wanted
_BEHIND = 32  # frames read with one that is wanted before the others, as when stepping back
_LEAST, _MOST = 3, 2000  # frames kept, however large or small


class FrameReader:
    """Keeps the frames of `movie` around the one that was wanted last, up to `cache_bytes`.

    An index counts the frames, as in `Movie.frames`.
    """

    def __init__(self, movie: Movie, cache_bytes: int = CACHE_BYTES) -> None:
        self._movie = replace(movie)  # its `problem` belongs to this thread
        self._numbers = movie.numbers
        self.length = movie.length
        """Number of frames; None until the end has been read, where the movie does not say it."""
        self.problem = movie.problem
        """What the movie lacks, as far as that is known; all of it once its end has been read."""
        self.failed = False
        """The movie cannot be read any more; `problem` says why."""
        frame_bytes = max(1, movie.shape[0] * movie.shape[1] * movie.dtype.itemsize)
        self._most = min(max(_LEAST, cache_bytes // frame_bytes), _MOST)
        self._ahead = max(1, min(_AHEAD, self._most // 2))
        self._cache: dict[int, MovieFrame | None] = {}
        self._wanted = 0
        self._length_so_far = 1
        self._next = -1  # index that the iterator yields next
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="livetrack-frames", daemon=True)
        self._thread.start()

    @property
    def read_to(self) -> int:
        """Number of frames that are certain to be there, at least 1."""
        return self._length_so_far if self.length is None else self.length

    def want(self, index: int) -> None:
        """Read the frame at `index` next, and then those after it."""
        with self._changed:
            if index != self._wanted:
                self._wanted = index
                self._changed.notify()

    def get(self, index: int) -> MovieFrame | None:
        """Return a frame; None if it has not been read yet, or cannot be (`lost`)."""
        with self._changed:
            return self._cache.get(index)

    def lost(self, index: int) -> bool:
        """Whether the frame at `index` was tried and cannot be read."""
        with self._changed:
            return index in self._cache and self._cache[index] is None

    def close(self) -> None:
        """End the thread, once the frame that it reads is done."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self._cache.clear()

    def _run(self) -> None:
        frames: Iterator[MovieFrame] = iter(())
        start = 0
        while (index := self._task()) is not None:
            if index != self._next:
                start = self._next = max(0, index - self._behind(index))
                frames = self._movie.frames(start)
            try:
                frame = next(frames, None)
                if frame is not None:
                    self._keep(frame)
                else:
                    self._end(self._find_end() if self._next == start else self._next)
            except (LivetrackError, OSError) as error:
                self.problem = str(error)
                self.failed = True
                return

    def _find_end(self) -> int:
        """Return the number of frames that are there, of a movie that has fewer than it says."""
        end = self._length_so_far - 1
        for frame in self._movie.frames(end):
            end = end + 1 if self._numbers is None and self.length is None else self._index_of(frame) + 1
            if self._closed:
                break
        return end

    def _behind(self, index: int) -> int:
        """Return how many frames to read before that at `index`: none, unless those after it are there."""
        return min(_BEHIND, self._most // 2) if self._cache.get(index + 1) is not None else 0

    def _task(self) -> int | None:
        """Wait for a frame to read; return its index, None once closed."""
        with self._changed:
            while not self._closed:
                end = self.length
                for index in range(self._wanted, self._wanted + self._ahead):
                    if end is not None and index >= end:
                        break
                    if index not in self._cache:
                        return self._next if 0 <= index - self._next < _BEHIND and self._next >= 0 else index
                self._changed.wait()
        return None

    def _keep(self, frame: MovieFrame) -> None:
        with self._changed:
            index = self._index_of(frame)
            for lost in range(self._next, index):
                self._cache[lost] = None
            self._cache[index] = frame
            self._next = index + 1
            self._length_so_far = max(self._length_so_far, self._next)
            while len(self._cache) > self._most:
                del self._cache[max(self._cache, key=lambda each: abs(each - self._wanted))]

    def _end(self, length: int) -> None:
        with self._changed:
            self.problem = self._movie.problem
            self.length = max(1, length)
            self._next = -1

    def _index_of(self, frame: MovieFrame) -> int:
        if self._numbers is not None:
            return int(np.searchsorted(self._numbers, frame.number))
        return self._next if self.length is None else frame.number
