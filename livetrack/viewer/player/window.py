"""The player's window: a movie or a recorded session, with its tracks."""

from __future__ import annotations

import time
from pathlib import Path

from livetrack.playback.clock import PlaybackClock
from livetrack.playback.playback import Playback
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.dropping import DropArea
from livetrack.viewer.image_presenter import ImagePresenter
from livetrack.viewer.player.actions import PlayerActions
from livetrack.viewer.player.layout import PlayerCentral
from livetrack.viewer.player.opening import Opened, Opener, PlayerOptions
from livetrack.viewer.player.presenter import PlayerPresenter
from livetrack.viewer.player.shortcuts import PLAYER_SHORTCUTS
from livetrack.viewer.player.speeds import Speed, speeds_of
from livetrack.viewer.player.status import PlayerStatus, place_text
from livetrack.viewer.player.track_choice import TrackChoice
from livetrack.viewer.player.video_saving import VideoSaving
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import PALETTES, Palette, apply_theme
from livetrack.viewer.toolbar import ActionToolBar

__all__ = ["PlayerWindow"]

SIZE = 1200, 860
POLL_MS = 5
NOTE_SHOWN_MS = 6000
STATUS_S = 0.1
"""Interval of the updates of all texts."""


class PlayerWindow(QtWidgets.QMainWindow):
    """Plays what is opened, until it is closed.

    Parameters
    ----------
    options
        For what is opened later, by hand.
    folder
        Where snapshots are saved; None: the current folder.
    store
        Where the window's state is kept between starts; None: the user's settings.
    """

    def __init__(
        self, options: PlayerOptions, folder: Path | None = None, store: QtCore.QSettings | None = None
    ) -> None:
        super().__init__()
        view = options.config.view
        palette, levels = PALETTES[view.palette], Levels()
        self._store = store or QtCore.QSettings("livetrack", "livetrack")
        self.playback: Playback | None = None
        self.playing = False
        self.index = 0
        """Of the frame that is wanted, counted as in `Movie.frames`."""
        self._clock = PlaybackClock(None)
        self._late = False  # the wanted frame was not there when it was due
        self._waiting_s: float | None = None
        self._shown_s = 0.0  # when the frame on display was drawn
        self._status_s = 0.0
        self._opener = Opener(options)
        self.central = PlayerCentral(levels, palette, options.config.localizer, self._describe)
        self.presenter = PlayerPresenter(
            self.central.view, ImagePresenter(self.central.view, self.central.image_panel, levels), view.tail_frames
        )
        self.track_choice = TrackChoice(self.central, self.presenter, self._opener)
        self.player_actions = PlayerActions(self, self.central, self.central.view, levels, folder or Path.cwd())
        self.tool_bar = ActionToolBar(PLAYER_SHORTCUTS, self.player_actions, palette)
        self.drop_area = DropArea(self, "Open {}")
        self.video_saving = VideoSaving(self, view.tail_frames)
        self.status = PlayerStatus(self.central, self.presenter, self.statusBar())
        self.setWindowTitle("livetrack")
        self.setCentralWidget(self.central)
        self.addToolBar(self.tool_bar)
        self.resize(QtCore.QSize(*SIZE).boundedTo(self.screen().availableSize()))
        self._connect()
        self._set_initial_states(view.palette == "light", view.tail_frames > 0, view.labels)
        if geometry := self._store.value("player/geometry"):
            self.restoreGeometry(geometry)
        self._timer = QtCore.QTimer(self)
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(POLL_MS)

    def show_movie(self, opened: Opened, *, playing: bool = True) -> None:
        """Play another movie, or show other tracks on the same one."""
        if opened.movie is None:
            self.track_choice.replace(opened.tracks)
            return
        self._close_playback()
        self.playback = Playback(opened.movie, opened.tracks, opened.selection.frames)
        self.presenter.use(self.playback)
        self.track_choice.begin(opened, self.playback)
        self.setWindowTitle(f"{opened.path.name} - livetrack")
        times = self.playback.times_s
        self._clock = PlaybackClock(times)
        self.central.transport.show_speeds(*speeds_of(self.playback.fps(), timed=times is not None))
        self.seek(0)
        self.player_actions["play"].setChecked(playing)

    def open(self, path: Path) -> None:
        """Open a movie, a session, or a table of tracks for the movie on display, without waiting for it."""
        if self._opener.busy:
            self.fail("something else is being opened; try again")
        else:
            self._opener.open(path, has_movie=self.playback is not None)

    def fail(self, problem: str) -> None:
        """Show for some seconds why something could not be done."""
        self.status.failure, self.status.failure_s = problem, time.perf_counter()

    def note(self, text: str) -> None:
        """Show a message in the status bar for some seconds."""
        self.statusBar().showMessage(text, NOTE_SHOWN_MS)

    def play(self, on: bool) -> None:
        """Play, or pause; from the beginning if the last frame is on display."""
        if on and self.playback and not self.playing and self.index >= self.last() and self.last() > 0:
            self.seek(0)
        self.playing = on
        self.player_actions.show_state("play", on)
        self.central.transport.update_buttons()
        self._clock.start(self.index, time.perf_counter())

    def seek(self, index: int) -> None:
        """Show another frame, as soon as it is read."""
        if self.playback is not None:
            self.index = min(max(0, index), self.last())
            self.playback.frames.want(self.index)
            self._clock.start(self.index, time.perf_counter())
            self._waiting_s = None

    def last(self) -> int:
        """Return the index of the last frame; of the last that was read, while their number is unknown."""
        return 0 if self.playback is None else self.playback.frames.read_to - 1

    def shown_number(self) -> int | None:
        """Return the number of the frame on display; None without one."""
        return self.presenter.frame.number if self.presenter.frame else None

    def select(self, track_id: int | None) -> None:
        """Select the particle of this track; None deselects."""
        self.presenter.select(track_id)
        self._status_s = 0.0

    def refresh(self) -> None:
        """Show the frame that is due, and its particles, if they are there."""
        now_s = time.perf_counter()
        self._finish_opening()
        if self.playback is not None:
            self._advance(self.playback, now_s)
            self._draw(self.playback, now_s)
        if now_s - self._status_s >= STATUS_S:
            self._status_s = now_s
            self.status.update(
                self.playback,
                self.track_choice.path,
                self.index,
                stride=self._clock.stride(self.index),
                waited_s=0.0 if self._waiting_s is None else now_s - self._waiting_s,
                opening=self._opener.busy,
                now_s=now_s,
            )

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:  # noqa: D102, N802 - Qt's
        self._timer.stop()
        self._store.setValue("player/geometry", self.saveGeometry())
        self._store.setValue("player/panels", self.player_actions["panels"].isChecked())
        self._close_playback()
        self.video_saving.close()
        self._opener.wait()
        super().closeEvent(event)

    def _advance(self, playback: Playback, now_s: float) -> None:
        """Go on to the next frame if it is due."""
        if not self.playing or not self.presenter.shows(self.index):
            return
        frames = playback.frames
        due = self._clock.due(self.index, frames.read_to if frames.length is not None else 2**62, now_s)
        if due > self.index:
            self.index = due
            self._late = False
            frames.want(due)
        elif frames.length is not None and self.index >= frames.length - 1:
            if not self.player_actions["loop"].isChecked() or frames.length == 1:
                self.play(False)
            elif now_s - self._shown_s >= self._clock.period_s(self.index):
                self.seek(0)

    def _draw(self, playback: Playback, now_s: float) -> None:
        """Show the wanted frame if it is there; while playing, only together with its particles."""
        frames, index = playback.frames, self.index
        if frames.length is not None and index >= frames.length:  # the movie is shorter than it said
            self.seek(frames.length - 1)
            return
        if self.presenter.shows(index):
            self._show_late_particles(playback, now_s)
            return
        frame = frames.get(index)
        if frame is None and frames.lost(index):
            self.presenter.show_lost(index, playback.number(index))
            return
        known = playback.feed.store.ended or playback.feed.store.rows(playback.number(index)) is not None
        if frame is None or (self.playing and not known):
            self._late = True
            self._wait(now_s, frame is not None)
            return
        self.presenter.show_frame(index, frame, now_s)
        self.presenter.show_particles()
        self._shown_s, self._waiting_s = now_s, None
        if self._late:
            self._late = False
            self._clock.start(index, now_s)

    def _show_late_particles(self, playback: Playback, now_s: float) -> None:
        """Show the particles of the frame on display, once they are known."""
        if self.presenter.update is None and not self.presenter.show_particles():
            self._wait(now_s, not playback.feed.store.ended)
        else:
            self._waiting_s = None

    def _wait(self, now_s: float, waiting: bool) -> None:
        """Note since when the particles are waited for."""
        if not waiting:
            self._waiting_s = None
        elif self._waiting_s is None:
            self._waiting_s = now_s

    def _finish_opening(self) -> None:
        opened, problem = self._opener.result()
        if problem:
            self.fail(problem)
        elif opened is not None:
            self.status.failure = ""
            self.show_movie(opened, playing=self.playing or opened.movie is not None)

    def _close_playback(self) -> None:
        """End the threads of the movie on display, without waiting."""
        if self.playback is not None:
            self._opener.close(self.playback.close)
            self.playback = None

    def _describe(self, index: int) -> str:
        """Return the text at the cursor on the scrub bar."""
        if self.playback is None:
            return ""
        return f"frame {self.playback.number(index):,}   {place_text(self.playback, index)}"

    def _click(self, x: float, y: float) -> None:
        row = self.central.view.particle_at(x, y)
        self.select(int(row["id"]) if row is not None and row["id"] >= 0 else None)

    def _set_speed(self, speed: Speed) -> None:
        self._clock.set_speed(speed.rate, recorded=speed.recorded, index=self.index, now_s=time.perf_counter())

    def _go_to_number(self, number: int) -> None:
        if self.playback is not None:
            self.play(False)
            self.seek(self.playback.index(number))

    def _ask_for_file(self) -> None:
        name, _ = QtWidgets.QFileDialog.getOpenFileName(
            self, "Open a movie or a table of tracks", str(self.track_choice.path.parent)
        )
        if name:
            self.open(Path(name))

    def _ask_for_video(self) -> None:
        ids = self.player_actions["labels"].isChecked()
        self.video_saving.ask(self, self.track_choice.path, ids=ids)

    def _set_theme(self, palette: Palette) -> None:
        apply_theme(self, palette)
        self.tool_bar.apply_palette(palette)
        self.central.apply_palette(palette)

    def _set_initial_states(self, light: bool, trails: bool, labels: bool) -> None:
        states = {"auto_contrast": True, "trails": trails, "labels": labels, "uncertainty": True, "light": light}
        states["panels"] = bool(self._store.value("player/panels", True, type=bool))
        for name, on in states.items():
            self.player_actions.set_state(name, on)

    def _connect(self) -> None:
        central, actions, transport = self.central, self.player_actions, self.central.transport
        transport.add_buttons(actions)
        transport.scrub_bar.sought.connect(self.seek)
        transport.number_entered.connect(self._go_to_number)
        transport.speed_chosen.connect(self._set_speed)
        actions.message.connect(self.note)
        actions.video_requested.connect(self._ask_for_video)
        self.video_saving.message.connect(self.note)
        self.video_saving.failed.connect(self.fail)
        actions.redraw_requested.connect(self.presenter.redraw_particles)
        actions.theme_changed.connect(self._set_theme)
        actions.speed_changed.connect(transport.change_speed)
        actions.deselected.connect(lambda: self.select(None))
        actions.open_requested.connect(self._ask_for_file)
        actions.panels_shown.connect(central.sidebar.setVisible)
        actions.help_shown.connect(central.shortcuts_sheet.setVisible)
        central.shortcuts_sheet.closed.connect(lambda: actions["help"].setChecked(False))
        central.view.clicked.connect(self._click)
        central.image_panel.auto_changed.connect(actions["auto_contrast"].setChecked)
        self.drop_area.dropped.connect(self.open)
        self.drop_area.refused.connect(self.fail)
