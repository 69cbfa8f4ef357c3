"""Opening of movies, sessions and tables while the window goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from livetrack.config import Config
from livetrack.movies import EVERYTHING, Movie, Selection
from livetrack.playback.playback import open_source, open_tracks
from livetrack.playback.track_feed import TableTracks, TrackSource
from livetrack.playback.track_table import TABLE_SUFFIXES, open_track_table
from livetrack.viewer.background import Background

__all__ = ["Opened", "Opener", "PlayerOptions"]


@dataclass(frozen=True)
class PlayerOptions:
    """How movies are opened and tracked."""

    config: Config
    selection: Selection = EVERYTHING
    """Of the first movie; of others everything is shown."""
    stateless: bool = False
    anew: bool = False
    """Track recorded sessions again."""


@dataclass(frozen=True)
class Opened:
    """What is to be played."""

    path: Path
    movie: Movie | None
    """None: only other tracks for the same movie."""
    tracks: TrackSource
    selection: Selection = EVERYTHING


class Opener:
    """Opens one thing at a time, and closes others, in threads."""

    def __init__(self, options: PlayerOptions) -> None:
        self.options = options
        """For what is opened from now on."""
        self._opening: Background[Opened] | None = None
        self._closing: list[Background[None]] = []

    @property
    def busy(self) -> bool:
        """Whether something is being opened."""
        return self._opening is not None

    def open(self, path: Path, *, has_movie: bool) -> None:
        """Open a movie or a session; or, if there is a movie, a table of its tracks."""
        options = self.options

        def work() -> Opened:
            if has_movie and path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
                return Opened(path, None, TableTracks(open_track_table(path)))
            movie = open_source(path, EVERYTHING)
            tracks = open_tracks(path, movie, options.config, anew=options.anew, stateless=options.stateless)
            return Opened(path, movie, tracks)

        self._opening = Background(work)

    def tracked(self, opened: Opened, model: str, scale: str) -> TrackSource:
        """Return new tracks of a movie, by another model, which is also used from now on."""
        assert opened.movie is not None
        config, is_number = self.options.config, scale != "auto"
        localizer = structs.replace(config.localizer, model=model, scale=float(scale) if is_number else scale)
        self.options = replace(self.options, config=structs.replace(config, localizer=localizer))
        config, stateless = self.options.config, self.options.stateless
        frames = opened.selection.frames
        return open_tracks(opened.path, opened.movie, config, frames=frames, anew=True, stateless=stateless)

    def result(self) -> tuple[Opened | None, str]:
        """Return what has just been opened, once, or why that has failed."""
        self._closing = [each for each in self._closing if not each.done]
        if self._opening is None or not self._opening.done:
            return None, ""
        opening, self._opening = self._opening, None
        return opening.result, opening.problem

    def close(self, close: Callable[[], None]) -> None:
        """Call `close`, which may take some time."""
        self._closing.append(Background(close))

    def wait(self) -> None:
        """Wait for all of it."""
        for each in (self._opening, *self._closing):
            if each is not None:
                each.wait()
        self._opening = None
        self._closing.clear()
