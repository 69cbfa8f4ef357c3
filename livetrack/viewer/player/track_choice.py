"""Which tracks are shown with the movie: those that it came with, those of a table, or new ones by a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from livetrack.playback.playback import Playback
from livetrack.playback.track_feed import TableTracks, TrackSource
from livetrack.viewer.player.layout import PlayerCentral
from livetrack.viewer.player.opening import Opened, Opener
from livetrack.viewer.player.presenter import PlayerPresenter

__all__ = ["TrackChoice"]


class TrackChoice:
    """Exchanges the tracks of the movie on display, as chosen on the tracks panel or opened by hand."""

    def __init__(self, central: PlayerCentral, presenter: PlayerPresenter, opener: Opener) -> None:
        self._central = central
        self._presenter = presenter
        self._opener = opener
        self._playback: Playback | None = None
        self._opened: Opened | None = None
        central.tracks_panel.model_chosen.connect(self._track)
        central.tracks_panel.table_chosen.connect(self._show_table)

    @property
    def path(self) -> Path:
        """Of the movie on display; of the current folder before there is one."""
        return self._opened.path if self._opened else Path()

    def begin(self, opened: Opened, playback: Playback) -> None:
        """Offer the tracks of another movie."""
        self._opened, self._playback = opened, playback
        self._central.banner.reset()
        self._central.tracks_panel.show_table(_table_name(opened.tracks))

    def replace(self, tracks: TrackSource) -> None:
        """Show the tracks of a table that was opened."""
        if self._opened is not None:
            self._opened = replace(self._opened, tracks=tracks)
            self._use(tracks)
            self._central.tracks_panel.show_table(_table_name(tracks))

    def _track(self, model: str, scale: str) -> None:
        if self._opened is not None:
            self._use(self._opener.tracked(self._opened, model, scale))

    def _show_table(self) -> None:
        if self._opened is not None:
            self._use(self._opened.tracks)

    def _use(self, tracks: TrackSource) -> None:
        if self._playback is not None:
            self._opener.close(self._playback.use(tracks).close)
            self._presenter.forget_particles()
            self._central.banner.reset()


def _table_name(tracks: TrackSource) -> str:
    return tracks.name if isinstance(tracks, TableTracks) else ""
