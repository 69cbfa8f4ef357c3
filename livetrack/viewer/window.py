"""The window: what the engine sends, what is drawn of it, and what the keys do, brought together."""

from __future__ import annotations

import time
from pathlib import Path

from livetrack.config import ViewSettings
from livetrack.viewer.actions import Doings
from livetrack.viewer.data.async_remote import Line
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.data.session_data import Received
from livetrack.viewer.data.streams import Feed
from livetrack.viewer.frame_presenter import Scene
from livetrack.viewer.layout import Body
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.status_presenter import Teller
from livetrack.viewer.theme import PALETTES
from livetrack.viewer.toolbar import Bar

__all__ = ["Window"]

SIZE = 1440, 1000
NOTE_SHOWN_MS = 6000
LOOK_MS = 4
"""Between two looks whether a picture has come: it is drawn at once, while the engine waits for its next frame, and
not at some other time when both would want the processor."""
EARLY, LATE = 0.9, 2.0
"""Of the time between two refreshes: the least, and the most."""
REMEMBERED = ("plots", "panels")
"""Switches that are as they were left."""


class Window(QtWidgets.QMainWindow):
    """Shows the engine at `address`, `settings.fps` times a second, until it is closed.

    Parameters
    ----------
    address
        The engine's `publish.address`; it need not run yet.
    settings
        The section `[view]`.
    folder
        Where snapshots are written; None: where the program was started.
    store
        What is remembered from one start to the next; None: this user's.

    Raises
    ------
    UsageError
        `address` is none.
    """

    def __init__(
        self, address: str, settings: ViewSettings, folder: Path | None = None, store: QtCore.QSettings | None = None
    ) -> None:
        super().__init__()
        feed = Feed(address)
        self._store = store or QtCore.QSettings("livetrack", "livetrack")
        self._line = Line()
        palette, levels = PALETTES[settings.palette], Levels()
        self.received = Received(settings.tail_frames)
        self.body = Body(levels, self._line, palette, self._store)
        self.scene = Scene(self.body, self.received, feed, levels)
        self.doings = Doings(self, folder or Path.cwd())
        self.bar = Bar(self, self.doings, palette)
        self.teller = Teller(address, self.body, self.bar, self._line, self.statusBar())
        self.setWindowTitle(f"livetrack  {address}")
        self.resize(QtCore.QSize(*SIZE).boundedTo(self.screen().availableSize()))
        self.setCentralWidget(self.body)
        self.addToolBar(self.bar)
        self._connect()
        self._set_switches(settings)
        if geometry := self._store.value("window/geometry"):
            self.restoreGeometry(geometry)
        self._timer = QtCore.QTimer(self)
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._look)
        self._period_s, self._refreshed_s = 1 / settings.fps, time.perf_counter()
        self._timer.start(LOOK_MS)

    def refresh(self) -> None:
        """Take what has come, draw it unless frozen, and say how things stand."""
        now_s = self._refreshed_s = time.perf_counter()
        if self.scene.take(self.scene.feed.read(), now_s):
            self.teller.begin_anew()
        self.teller.tell(self.received, self.scene, now_s)

    def choose(self, number: int | None) -> None:
        """Follow the trajectory of this id in the graphs, and make it the target; None: no longer."""
        self.scene.choose(number)
        if number is not None:
            self.bar.keys["plots"].setChecked(True)
            self.body.guide.done(1)
        if self._line.address:
            self.body.controls.choose_target(number)

    def note(self, text: str) -> None:
        """Say something in the line below, for some seconds."""
        self.statusBar().showMessage(text, NOTE_SHOWN_MS)

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:  # noqa: D102, N802 - Qt's
        self._timer.stop()
        self.scene.feed.close()
        self._line.close()
        self._store.setValue("window/geometry", self.saveGeometry())
        for name in REMEMBERED:
            self._store.setValue(f"window/{name}", self.bar.keys[name].isChecked())
        super().closeEvent(event)

    def _look(self) -> None:
        """Refresh when a picture has come, unless it is too early; and when none has come for long."""
        since_s = time.perf_counter() - self._refreshed_s
        if since_s >= EARLY * self._period_s and (self.scene.feed.picture_waits() or since_s >= LATE * self._period_s):
            self.refresh()

    def _click(self, x: float, y: float) -> None:
        row = self.body.view.particle_at(x, y)
        if row is not None and row["id"] >= 0:
            self.choose(int(row["id"]))

    def _set_region(self, x: int, y: int, width: int, height: int) -> None:
        """Ask for a part of the delivered image, which may be a part itself."""
        if update := self.scene.shown[1]:
            x, y = x + update.x_origin // update.binning, y + update.y_origin // update.binning
        self.body.controls.set_region(x, y, width, height)

    def _set_switches(self, settings: ViewSettings) -> None:
        on = {"contrast": True, "tails": settings.tail_frames > 0, "labels": settings.labels, "uncertainty": True}
        on["light"] = settings.palette == "light"
        for name in REMEMBERED:
            on[name] = bool(self._store.value(f"window/{name}", True, type=bool))
        for name, state in on.items():
            self.bar.show_state(name, state)
            getattr(self.doings, name)(state)
        self.bar.keys["set_region"].setEnabled(False)

    def _connect(self) -> None:
        body, keys = self.body, self.bar.keys
        body.view.clicked.connect(self._click)
        body.view.view_box.sigRangeChangedManually.connect(lambda *_: body.guide.done(0))
        body.pane.let_go.connect(lambda: self.choose(None))
        body.help.closed.connect(lambda: keys["help"].setChecked(False))
        body.region.closed.connect(lambda: keys["region"].setChecked(False))
        body.region.wanted.connect(self._set_region)
        body.region.whole_wanted.connect(body.controls.clear_region)
        body.controls.region_wanted.connect(lambda: keys["region"].setChecked(True))
        body.controls.done.connect(self.note)
        body.picture.auto_changed.connect(keys["contrast"].setChecked)
