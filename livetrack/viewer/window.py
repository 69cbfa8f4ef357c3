"""The main window: creates the widgets, presenters and actions, connects them, and refreshes them on a timer."""

from __future__ import annotations

import time
from pathlib import Path

from livetrack.config import ViewSettings
from livetrack.viewer.actions import ViewerActions
from livetrack.viewer.data.async_remote import AsyncRemote
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.data.session_data import SessionData
from livetrack.viewer.data.streams import EngineStreams
from livetrack.viewer.dropping import DropArea
from livetrack.viewer.frame_presenter import FramePresenter
from livetrack.viewer.layout import CentralWidget
from livetrack.viewer.learn_presenter import LearnPresenter
from livetrack.viewer.motion_halt import MotionHalt
from livetrack.viewer.player.launcher import PlayerLauncher
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.shortcuts import SHORTCUTS
from livetrack.viewer.status_presenter import StatusPresenter
from livetrack.viewer.theme import PALETTES, Palette, apply_theme
from livetrack.viewer.toolbar import ActionToolBar

__all__ = ["Window"]

SIZE = 1440, 1000
NOTE_SHOWN_MS = 6000
POLL_MS = 4
"""Interval of checks for a new preview. Drawing it at once uses the time in which the engine waits for its next
frame; drawing at a fixed rate would sometimes compete with the engine for the CPU."""
MIN_PERIODS, MAX_PERIODS = 0.9, 2.0
"""Shortest and longest time between two refreshes, in display periods."""
REMEMBERED = ("plots", "panels")
"""Actions whose state is restored at the next start."""


class Window(QtWidgets.QMainWindow):
    """Shows the engine at `address`, `settings.fps` times a second, until it is closed.

    Parameters
    ----------
    address
        The engine's `publish.address`; the engine may start later.
    settings
        The section `[view]`.
    folder
        Where snapshots and models are saved; None: the current folder.
    store
        Where the window's state is kept between starts; None: the user's settings.

    Raises
    ------
    UsageError
        `address` is not an address.
    """

    def __init__(
        self, address: str, settings: ViewSettings, folder: Path | None = None, store: QtCore.QSettings | None = None
    ) -> None:
        super().__init__()
        streams = EngineStreams(address)
        self._store = store or QtCore.QSettings("livetrack", "livetrack")
        self._remote = AsyncRemote()
        self._motion_halt = MotionHalt(self._remote)
        self.drop_area = DropArea(self, "Open {} in the player")
        self._launcher = PlayerLauncher()
        palette, levels = PALETTES[settings.palette], Levels()
        self.session_data = SessionData(settings.tail_frames)
        self.central = CentralWidget(levels, self._remote, palette, self._store)
        self.frame_presenter = FramePresenter(self.central, self.session_data, streams, levels)
        self.viewer_actions = ViewerActions(self.central, self.frame_presenter, folder or Path.cwd())
        self.learn_presenter = LearnPresenter(address, self.central, folder or Path.cwd())
        self.tool_bar = ActionToolBar(SHORTCUTS, self.viewer_actions, palette)
        self.status_presenter = StatusPresenter(
            address, self.central, self.viewer_actions, self._remote, self.statusBar()
        )
        self.setWindowTitle(f"livetrack  {address}")
        self.resize(QtCore.QSize(*SIZE).boundedTo(self.screen().availableSize()))
        self.setCentralWidget(self.central)
        self.addToolBar(self.tool_bar)
        self._connect()
        self._set_initial_states(settings)
        if geometry := self._store.value("window/geometry"):
            self.restoreGeometry(geometry)
        self._timer = QtCore.QTimer(self)
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._poll)
        self._period_s, self._refreshed_s = 1 / settings.fps, time.perf_counter()
        self._timer.start(POLL_MS)

    def refresh(self) -> None:
        """Read what has arrived, draw it unless frozen, and update the status."""
        now_s = self._refreshed_s = time.perf_counter()
        if self.frame_presenter.refresh(now_s):
            self.status_presenter.reset()
        self.status_presenter.update(self.session_data, self.frame_presenter, now_s)

    def select(self, track_id: int | None) -> None:
        """Plot the track of this id and make it the engine's target; None deselects."""
        self.frame_presenter.select(track_id)
        if track_id is not None:
            self.viewer_actions["plots"].setChecked(True)
            self.central.tour.step_done(1)
        if self._remote.address:
            self.central.control_panel.choose_target(track_id)

    def note(self, text: str) -> None:
        """Show a message in the status bar for some seconds."""
        self.statusBar().showMessage(text, NOTE_SHOWN_MS)

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:  # noqa: D102, N802 - Qt's
        self._timer.stop()
        self.learn_presenter.close()
        self.frame_presenter.streams.close()
        self._motion_halt.close()
        self._launcher.close()
        self._remote.close()
        self._store.setValue("window/geometry", self.saveGeometry())
        for name in REMEMBERED:
            self._store.setValue(f"window/{name}", self.viewer_actions[name].isChecked())
        super().closeEvent(event)

    def _poll(self) -> None:
        """Refresh if a preview has arrived and the last refresh is long enough ago; without previews, at a low rate."""
        periods = (time.perf_counter() - self._refreshed_s) / self._period_s
        if periods >= MIN_PERIODS and (periods >= MAX_PERIODS or self.frame_presenter.streams.preview_waiting()):
            self.refresh()

    def _click(self, x: float, y: float) -> None:
        row = self.central.view.particle_at(x, y)
        if row is not None and row["id"] >= 0:
            self.select(int(row["id"]))

    def _set_roi(self, x: int, y: int, width: int, height: int) -> None:
        """Request an ROI given in pixels of the image on display, which may be an ROI itself."""
        if update := self.frame_presenter.shown[1]:
            x, y = x + update.x_origin // update.binning, y + update.y_origin // update.binning
        self.central.control_panel.set_roi(x, y, width, height)

    def _set_theme(self, palette: Palette) -> None:
        apply_theme(self, palette)
        self.tool_bar.apply_palette(palette)
        self.central.apply_palette(palette)

    def _set_initial_states(self, settings: ViewSettings) -> None:
        states = {
            "auto_contrast": True,
            "trails": settings.tail_frames > 0,
            "labels": settings.labels,
            "uncertainty": True,
            "light": settings.palette == "light",
        }
        for name in REMEMBERED:
            states[name] = bool(self._store.value(f"window/{name}", True, type=bool))
        for name, on in states.items():
            self.viewer_actions.set_state(name, on)
        self.viewer_actions["set_roi"].setEnabled(False)

    def _connect(self) -> None:
        central, actions = self.central, self.viewer_actions
        actions.message.connect(self.note)
        actions.deselected.connect(lambda: self.select(None))
        actions.halt_requested.connect(self._motion_halt.halt)
        actions.moves_allowed.connect(self._motion_halt.allow_moves)
        self._motion_halt.confirmed.connect(self.note)
        self.drop_area.dropped.connect(self._launcher.open)
        self.drop_area.refused.connect(self.status_presenter.show_failure)
        self._launcher.message.connect(self.note)
        self._launcher.failed.connect(self.status_presenter.show_failure)
        actions.theme_changed.connect(self._set_theme)
        central.view.clicked.connect(self._click)
        central.view.view_box.sigRangeChangedManually.connect(lambda *_: central.tour.step_done(0))
        central.particle_panel.deselected.connect(lambda: self.select(None))
        central.shortcuts_sheet.closed.connect(lambda: actions["help"].setChecked(False))
        central.roi_selector.closed.connect(lambda: actions["roi"].setChecked(False))
        central.roi_selector.roi_selected.connect(self._set_roi)
        central.roi_selector.full_frame_requested.connect(central.control_panel.clear_roi)
        central.control_panel.roi_requested.connect(lambda: actions["roi"].setChecked(True))
        central.control_panel.confirmed.connect(self.note)
        central.microscope_panel.confirmed.connect(self.note)
        central.image_panel.auto_changed.connect(actions["auto_contrast"].setChecked)
