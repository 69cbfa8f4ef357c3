"""The texts of the player: banner, status line, place in the movie, selected particle."""

from __future__ import annotations

from pathlib import Path

from livetrack.annotate.labels import interval_decimals, time_text
from livetrack.playback.playback import Playback
from livetrack.viewer.player.layout import PlayerCentral
from livetrack.viewer.player.messages import player_banner, status_text
from livetrack.viewer.player.presenter import PlayerPresenter
from livetrack.viewer.qt import QtWidgets

__all__ = ["PlayerStatus", "place_text"]

FAILURE_SHOWN_S = 10.0


class PlayerStatus:
    """Shows them on the widgets of `central` and in `bar`."""

    def __init__(self, central: PlayerCentral, presenter: PlayerPresenter, bar: QtWidgets.QStatusBar) -> None:
        self._central = central
        self._presenter = presenter
        self.failure, self.failure_s = "", 0.0
        """Why something could not be opened, and when."""
        self.readout, self.line = QtWidgets.QLabel(), QtWidgets.QLabel()
        bar.setSizeGripEnabled(False)
        bar.addWidget(self.readout, 1)
        bar.addPermanentWidget(self.line)

    def update(
        self,
        playback: Playback | None,
        path: Path,
        index: int,
        *,
        stride: int,
        waited_s: float,
        opening: bool,
        now_s: float,
    ) -> None:
        """Show the state of `playback`, of whose frame `index` is on display."""
        if now_s - self.failure_s > FAILURE_SHOWN_S:
            self.failure = ""
        central, transport = self._central, self._central.transport
        banner = player_banner(playback, path, index, self.failure, waited_s=waited_s, opening=opening)
        central.banner.show_banner(banner)
        self.readout.setText(central.view.readout())
        if playback is None:
            return
        length, store = playback.frames.read_to, playback.feed.store
        known = length if store.complete else min(length, playback.index(store.known_to))
        transport.scrub_bar.show_place(index, length, known)
        last = None if playback.frames.length is None else playback.number(length - 1)
        transport.show_number(playback.number(index), last)
        transport.time.setText(place_text(playback, index))
        self.line.setText(status_text(playback, self._presenter.update, stride, known))
        selected = self._presenter.selected
        central.particle_bar.show_particle(
            selected,
            self._presenter.selected_row(),
            None if selected is None else store.span(selected),
            playback.movie.pixel_size_um,
        )


def place_text(playback: Playback, index: int) -> str:
    """Return the time of the frame at `index`."""
    t_s = playback.time_s(index)
    return "time unknown" if t_s is None else time_text(t_s, interval_decimals(1 / (playback.fps() or 1.0)))
