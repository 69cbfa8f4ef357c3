"""Fills a `TrackStore` in a thread: from a table, or by tracking the movie."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from livetrack.config import Config
from livetrack.errors import LivetrackError, reason
from livetrack.movies import Movie
from livetrack.playback.track_store import TrackStore
from livetrack.playback.track_table import TrackTableFile

__all__ = ["TableTracks", "TrackFeed", "TrackSource", "TrackedMovie"]


class TrackSource(Protocol):
    """Where tracks come from; positions are px of the whole image, of which only a part may be shown."""

    name: str
    """What it is, or is doing."""

    def fill(self, store: TrackStore, stop: threading.Event) -> str:
        """Fill `store` until it is complete or `stop` is set; return what is missing, in a line, else an empty text."""


class TableTracks:
    """The tracks of a table."""

    def __init__(self, table: TrackTableFile) -> None:
        self.name = table.path.name
        self._table = table

    def fill(self, store: TrackStore, stop: threading.Event) -> str:
        """Copy the table."""
        self._table.fill(store, stop.is_set)
        return ""


class TrackedMovie:
    """Tracks every frame of the movie in order, as `livetrack track` does: with the same ids.

    Parameters
    ----------
    movie, config
        What is tracked, and how.
    interval_s, step
        As for a `SequenceTracker`.
    geometry
        Returns the number of the geometry of a frame; all tracks end where it changes. None: it does not.
    stateless
        As for a `Tracker`.
    """

    def __init__(
        self,
        movie: Movie,
        config: Config,
        interval_s: float | None = None,
        step: int = 1,
        *,
        geometry: Callable[[int], int] | None = None,
        stateless: bool = False,
    ) -> None:
        self.name = ""
        self._geometry = geometry or (lambda _: 0)
        self._interval_s, self._step = interval_s, step
        self._movie = replace(movie)
        self._config = config
        self._stateless = stateless

    def fill(self, store: TrackStore, stop: threading.Event) -> str:
        """Track the movie."""
        from livetrack.movie_tracking import SequenceTracker  # these load Numba and a network
        from livetrack.tracker import Tracker

        movie = self._movie
        self.name = "loading the model; the first time on this computer it takes half a minute"
        with _interruptible_compilation(stop):
            tracker = Tracker.from_config(self._config, stateless=self._stateless)
            tracker.warmup(movie.shape, (movie.dtype,))
        self.name = f"{tracker.localizer.name} at scale {tracker.localizer.search_scale}"
        sequence = SequenceTracker(tracker, self._interval_s, self._step)
        geometry: int | None = None
        for frame in movie.frames():
            if stop.is_set():
                return ""
            before, geometry = geometry, self._geometry(frame.number)
            if before not in (None, geometry):
                sequence.reset()
            rows = sequence.update(frame.number, frame.pixels, frame.t_s)
            if movie.origin != (0, 0):
                rows = rows.copy()  # the tracker's own stay as they are
                rows["x"] += movie.origin[0]
                rows["y"] += movie.origin[1]
            store.append(frame.number, rows)
        store.finish()
        return movie.problem or ""


class TrackFeed:
    """Runs a `TrackSource` in a thread."""

    def __init__(self, source: TrackSource) -> None:
        self.source = source
        self.store = TrackStore()
        self.problem = ""
        """What the movie lacks, or why tracks are missing, in one line."""
        self.error: LivetrackError | None = None
        """What has ended the thread."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="livetrack-tracks", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, once the frame that it works on is done, and drop the tracks."""
        self._stop.set()
        self._thread.join()
        self.store.close()

    def _run(self) -> None:
        try:
            self.problem = self.source.fill(self.store, self._stop)
        except LivetrackError as error:
            self.error = error
        except OSError as error:
            self.error = LivetrackError(f"the tracks cannot be kept: {reason(error)}")
        except _Stopped:
            pass
        if self.error is not None:
            self.problem = str(self.error)
        self.store.end()


class _Stopped(BaseException):
    """Ends a compilation that nobody needs any more."""


@contextmanager
def _interruptible_compilation(stop: threading.Event) -> Iterator[None]:
    """Raise `_Stopped` at the start of the next pass of Numba in this thread once `stop` is set."""
    from livetrack.jit import at_compiler_passes

    thread = threading.get_ident()

    def end_if_stopped() -> None:
        if stop.is_set() and threading.get_ident() == thread:
            raise _Stopped

    with at_compiler_passes(end_if_stopped):
        yield
    if stop.is_set():
        raise _Stopped
