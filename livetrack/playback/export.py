"""Writes what is played as a video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from livetrack.annotate.annotated_video import AnnotatedVideo
from livetrack.errors import InputError, LivetrackError
from livetrack.movies import Movie
from livetrack.particles import Rows
from livetrack.playback.track_feed import TrackFeed

__all__ = ["write_video"]


def write_video(movie: Movie, feed: TrackFeed, video: AnnotatedVideo, progress: Callable[[int], bool]) -> str:
    """Write all frames of a movie with their tracks; return what is missing in a line, else an empty text.

    Parameters
    ----------
    feed
        Where the tracks of each frame are waited for.
    progress
        Called with the number of frames written after each; returns whether to go on.

    Raises
    ------
    InputError
        The movie has no frames that can be read, or cannot be tracked.
    LivetrackError
        The file cannot be written, or `progress` has returned False: then nothing is left behind.
    """
    movie = replace(movie)  # its `problem` belongs to this reading
    with video:
        for frame in movie.frames():
            rows = feed.store.wait_for(frame.number)
            if rows is None:
                raise feed.error or LivetrackError(f"{video.path}: stopped before the movie was tracked")
            video.add(frame.number, frame.pixels, frame.t_s, _in_the_part(rows, movie))
            if not progress(video.frames):
                raise LivetrackError(f"{video.path}: stopped")
        if not video.frames:
            raise InputError(movie.problem or f"{movie.path}: contains no frames")
    return movie.problem or feed.problem


def _in_the_part(rows: Rows, movie: Movie) -> Rows:
    """Return rows with positions in the part of the images that is shown."""
    if movie.origin == (0, 0):
        return rows
    moved = rows.copy()
    moved["x"] -= movie.origin[0]
    moved["y"] -= movie.origin[1]
    return moved
