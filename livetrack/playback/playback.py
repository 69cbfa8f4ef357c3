"""What is played: the frames of a movie or a recorded session, and its tracks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from livetrack.config import Config
from livetrack.errors import UsageError
from livetrack.movie_tracking import usual_interval_s
from livetrack.movies import EVERYTHING, FrameRange, Movie, MovieFrame, Selection, open_selected
from livetrack.movies.movie import LostFrame, Reader
from livetrack.playback.frame_reader import FrameReader
from livetrack.playback.session_movie import session_geometries, session_movie
from livetrack.playback.track_feed import TableTracks, TrackedMovie, TrackFeed, TrackSource
from livetrack.playback.track_table import open_track_table
from livetrack.record.inventory import is_session

__all__ = ["Playback", "frame_times", "open_source", "open_tracks", "recorded_rate"]


class Playback:
    """A movie with its tracks, each read by a thread of its own, until `close`.

    `frames` is the range that was selected of the movie.
    """

    def __init__(self, movie: Movie, tracks: TrackSource, frames: FrameRange | None = None) -> None:
        self.movie = movie
        self._range = frames or FrameRange()
        self.times_s = frame_times(movie)
        self._fps = recorded_rate(movie)
        self.frames = FrameReader(movie)
        self.feed = TrackFeed(tracks)

    def number(self, index: int) -> int:
        """Return the number of the frame at `index`."""
        numbers = self.movie.numbers
        if numbers is not None:
            return int(numbers[min(index, len(numbers) - 1)])
        return index if self.movie.length is not None else self._range.start + index * self._range.step

    def index(self, number: int) -> int:
        """Return the index of the frame with this number, or of the next one that is there."""
        if self.movie.numbers is not None:
            return int(np.searchsorted(self.movie.numbers, number))
        return number if self.movie.length is not None else max(0, number - self._range.start) // self._range.step

    def time_s(self, index: int) -> float | None:
        """Return the time of the frame at `index`, s; None if it is unknown."""
        if self.times_s is not None and index < len(self.times_s):
            return float(self.times_s[index])
        return self.number(index) / self.movie.fps if self.movie.fps else None

    def fps(self) -> float | None:
        """Return the usual rate at which the movie was recorded, frames per second; None if it is unknown."""
        return self._fps

    def use(self, tracks: TrackSource) -> TrackFeed:
        """Show other tracks; return the feed of those before, which the caller closes."""
        before, self.feed = self.feed, TrackFeed(tracks)
        return before

    def close(self) -> None:
        """End the threads."""
        self.frames.close()
        self.feed.close()


def open_source(
    path: Path, selection: Selection = EVERYTHING, *, fps: float | None = None, um_per_px: float | None = None
) -> Movie:
    """Open a movie or a recorded session.

    Parameters
    ----------
    fps
        Frames per second of a movie; None: as it says.
    um_per_px
        Pixel size, µm; None: as it says.

    Raises
    ------
    UsageError
        A part of a session was selected, or `fps` given for it.
    InputError
        The file or folder cannot be read.
    """
    if not (path.is_dir() and is_session(path)):
        movie = open_selected(path, selection)
        if fps is not None:
            movie = replace(movie, fps=fps, read=_untimed(movie.read), times=lambda: None)
    else:
        if refused := " ".join(filter(None, [selection.options, "--fps" if fps else ""])):
            raise UsageError(f"{refused} applies to movies; a recorded session is played as a whole, at its times")
        movie = session_movie(path)
    return movie if um_per_px is None else replace(movie, pixel_size_um=um_per_px)


def _untimed(read: Reader) -> Reader:
    def frames(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        return (frame._replace(t_s=None) if isinstance(frame, MovieFrame) else frame for frame in read(indices))

    return frames


def open_tracks(
    path: Path,
    movie: Movie,
    config: Config,
    *,
    table: Path | None = None,
    frames: FrameRange | None = None,
    anew: bool = False,
    stateless: bool = False,
) -> TrackSource:
    """Return the tracks of the movie at `path`: of `table`, else of the recorded session that it is, else new ones.

    Parameters
    ----------
    config
        How new ones are made.
    frames
        What was selected of the movie.
    anew
        Track a recorded session again.

    Raises
    ------
    InputError
        The table cannot be read.
    """
    recorded = path / "trajectories.arrow"
    if path.is_dir() and is_session(path):
        if table is None and not anew and recorded.exists():
            table = recorded
        if table is None:
            return TrackedMovie(movie, config, geometry=session_geometries(path), stateless=stateless)
    if table is not None:
        return TableTracks(open_track_table(table))
    step = 1 if frames is None else frames.step
    return TrackedMovie(movie, config, usual_interval_s(movie), step, stateless=stateless)


def frame_times(movie: Movie) -> npt.NDArray[np.float64] | None:
    """Return (N,) s of each frame, from the file or, at a constant rate, by its number; None if unknown."""
    times = movie.times_s()
    if times is None and movie.fps and movie.length is not None:
        times = (np.arange(movie.length) if movie.numbers is None else movie.numbers) / movie.fps
    return times


def recorded_rate(movie: Movie) -> float | None:
    """Return the usual rate at which a movie was recorded, frames per second; None if it is unknown."""
    interval_s = usual_interval_s(movie)
    return 1 / interval_s if interval_s else None
