"""The window: what the engine sends, the view, the panels and the keys brought together."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import numpy as np

from livetrack.client import Update
from livetrack.client.reach import reachable
from livetrack.config import ViewSettings
from livetrack.overlay.analysis import Trace
from livetrack.overlay.bar import Bar
from livetrack.overlay.body import Body
from livetrack.overlay.clashes import clash
from livetrack.overlay.feed import Feed
from livetrack.overlay.levels import Levels
from livetrack.overlay.line import Line
from livetrack.overlay.lookup import LOOKUPS
from livetrack.overlay.palette import PALETTES, Palette
from livetrack.overlay.qt import QtCore, QtGui, QtWidgets
from livetrack.overlay.received import Received
from livetrack.overlay.status import banner, recording_text, status_line
from livetrack.particles import empty_rows
from livetrack.wire import Preview, Status

__all__ = ["Window"]

NOTE_SHOWN_MS = 6000
ZOOM = 2.0
COUNTED = 4
"""Frames of each refresh whose sub-pixel phases are counted: a sample will do."""
TELL_S = 0.2
"""Between two looks at the instruments."""
LEARN_S = 5.0
"""Between two looks at the settings in force: another client may change them."""
FAILURE_SHOWN_S = 10.0


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
        self._address = address
        self._folder = folder or Path.cwd()
        self._store = store or QtCore.QSettings("livetrack", "livetrack")
        self.feed = Feed(address)
        self.received = Received(settings.tail_frames)
        self._levels = Levels()
        self._line = Line()
        self._failure, self._failure_s = "", 0.0
        self._advice = ""
        self._learnt_s = 0.0
        self._shown: tuple[Preview | None, Update | None] = None, None
        self._drawn_s: deque[float] = deque(maxlen=256)
        self._told_s = 0.0
        self._frozen = False
        self._build(settings)
        self._timer = QtCore.QTimer(self)
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(round(1000 / settings.fps))

    def refresh(self) -> None:
        """Take what has come, draw it unless frozen, and say how things stand."""
        now_s = time.perf_counter()
        news = self.feed.read()
        if self.received.take(news, now_s):
            self._forget()
        for update in news.updates[-COUNTED:]:
            self.body.instruments.phases.add(update.particles)
        if trace := self.body.pane.trace:
            for update in news.updates:
                trace.add(update)
        if not self._frozen:
            self._draw(now_s)
        self._tell(now_s)

    def display_fps(self, now_s: float) -> int:
        """Return how many pictures were drawn in the last second."""
        return sum(now_s - drawn_s < 1.0 for drawn_s in self._drawn_s)

    # what the keys do, each by its name in `keys.KEYS`

    def freeze(self, on: bool) -> None:
        """Hold the picture, or let it go on; what comes meanwhile is still read."""
        self._frozen = on

    def pause(self, on: bool) -> None:
        """Have the engine track no more, or track again."""
        self.body.controls.pause(on)

    def record(self, on: bool) -> None:
        """Have the engine begin a recording, or end it."""
        self.body.controls.record(on)

    def region(self, on: bool) -> None:
        """Show or hide the rectangle that the camera can be told to deliver."""
        self.body.region.open(on)
        self.bar.keys["set_region"].setEnabled(on)  # else Return is for the fields

    def set_region(self) -> None:
        """Have the camera deliver the rectangle."""
        self.body.region.set()

    def contrast(self, on: bool) -> None:
        """Follow the picture's brightness, or keep the levels."""
        self._levels.auto = on

    def tails(self, on: bool) -> None:
        """Show or hide the tails."""
        self.body.view.tails.setVisible(on)
        self._draw_again()

    def labels(self, on: bool) -> None:
        """Show or hide the trajectories' numbers."""
        self.body.view.labels.setVisible(on)
        self._draw_again()

    def uncertainty(self, on: bool) -> None:
        """Show or hide how sure the positions are."""
        self.body.view.uncertainty.setVisible(on)
        self._draw_again()

    def fit(self) -> None:
        """Show the whole picture."""
        self.body.view.fit()

    def zoom_in(self) -> None:
        """Show everything twice as large."""
        self.body.view.zoom(ZOOM)

    def zoom_out(self) -> None:
        """Show everything half as large."""
        self.body.view.zoom(1 / ZOOM)

    def one_to_one(self) -> None:
        """Show one pixel of the picture on each of the screen."""
        self.body.view.one_to_one()

    def snapshot(self) -> None:
        """Save the view as it is seen as a PNG file, and say where."""
        path = self._picture_path("")
        self._say_saved(path, self.body.view.grab().save(str(path)))

    def snapshot_picture(self) -> None:
        """Save the picture alone, each of its pixels one of the file's, and say where."""
        path = self._picture_path("-picture")
        pixels = self.body.view.picture.getPixmap()
        self._say_saved(path, pixels is not None and pixels.save(str(path)))

    def plots(self, on: bool) -> None:
        """Show or hide the graphs."""
        self.body.pane.setVisible(on)

    def panels(self, on: bool) -> None:
        """Show or hide the panels."""
        self.body.sidebar.setVisible(on)

    def light(self, on: bool) -> None:
        """Take the light palette, or the dark one."""
        palette = PALETTES["light" if on else "dark"]
        QtWidgets.QApplication.setPalette(_qt_palette(palette))
        self.setStyleSheet(palette.style_sheet())
        self.bar.paint(palette)
        self.body.paint(palette)

    def let_go(self) -> None:
        """Close the help, or the region; else leave the field that is typed into; else choose no particle."""
        keys = self.bar.keys
        if keys["help"].isChecked() or keys["region"].isChecked():
            keys["help"].setChecked(False)
            keys["region"].setChecked(False)
        elif isinstance(focus := self.focusWidget(), _FIELDS):
            focus.clearFocus()
        else:
            self.choose(None)

    def help(self, on: bool) -> None:
        """Show or hide the sheet of keys."""
        self.body.help.setVisible(on)

    # what else there is to do

    def choose(self, number: int | None) -> None:
        """Follow the trajectory of this id in the graphs, and make it the target; None: no longer."""
        self._follow(number)
        if self._line.address:
            self.body.controls.choose_target(number)

    def _follow(self, number: int | None) -> None:
        trace = None
        if number is not None:
            trace = Trace(number)
            for update in self.received.history.all():
                trace.add(update)
            self.bar.keys["plots"].setChecked(True)
            self.body.guide.done(1)
        self.body.pane.choose(trace)
        self.body.pane.look(self._shown[1], time.perf_counter())
        self._show_choice()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:  # noqa: D102, N802 - Qt's
        self._timer.stop()
        self.feed.close()
        self._line.close()
        self._store.setValue("window/geometry", self.saveGeometry())
        for name in REMEMBERED:
            self._store.setValue(f"window/{name}", self.bar.keys[name].isChecked())
        super().closeEvent(event)

    def _set_region(self, x: int, y: int, width: int, height: int) -> None:
        """Ask for a part of the delivered image, which may be a part itself."""
        if update := self._shown[1]:
            x, y = x + update.x_origin // update.binning, y + update.y_origin // update.binning
        self.body.controls.set_region(x, y, width, height)

    def _click(self, x: float, y: float) -> None:
        row = self.body.view.particle_at(x, y)
        if row is not None and row["id"] >= 0:
            self.choose(int(row["id"]))

    def _forget(self) -> None:
        """Begin anew: another engine speaks."""
        self._shown = None, None
        self._levels.reset()
        self._follow(None)
        self._learnt_s = 0.0
        self.body.view.clear_all()
        self.body.instruments.clear()
        self.body.banner.forget()

    def _draw(self, now_s: float) -> None:
        """Draw the newest picture with its own frame's particles on it, unless that is what is shown already."""
        preview, update = self.received.shown()
        new_preview, new_update = preview is not self._shown[0], update is not self._shown[1]
        if preview and new_preview:
            levels = self._levels.of(preview, now_s)
            self.body.view.show_picture(preview, levels)
            self.body.picture.show_levels(levels)
            self.body.picture.look(preview, now_s)
        self._shown = preview, update
        if update and new_update:
            self._draw_again()
        if new_preview or new_update:
            self._drawn_s.append(now_s)
        self.body.pane.look(update, now_s)
        self.feed.ask_whole(self.body.picture.whole.isChecked() or self.body.view.is_coarse())

    def _draw_again(self) -> None:
        """Draw the particles that are shown, with what is to be seen of them now."""
        if update := self._shown[1]:
            self._show_choice()
            self.body.view.show_particles(update, self.received.history.tail(update))

    def _show_choice(self) -> None:
        trace, update = self.body.pane.trace, self._shown[1]
        row = None
        if trace and update:
            found = np.flatnonzero(update.particles["id"] == trace.number)
            row = update.particles[found[0]] if len(found) else None
        self.body.view.selection.show_row(row)

    def _show_levels(self) -> None:
        """Show the levels that were set by hand, also while the picture is frozen."""
        if preview := self._shown[0]:
            levels = self._levels.of(preview, time.perf_counter())
            self.body.view.show_levels(levels)
            self.body.picture.show_levels(levels)

    def _show_table(self) -> None:
        panel = self.body.picture
        plain = panel.lookup.currentText() == LOOKUPS[0] and panel.gamma == 1.0
        self.body.view.show_table(None if plain else panel.table)
        self._show_levels()

    def _tell(self, now_s: float) -> None:
        status, received = self.received.status, self.received
        if now_s - self._failure_s > FAILURE_SHOWN_S:
            self._failure = ""
        silent_s = received.silent_s(now_s)
        self.body.banner.tell(banner(self._address, status, silent_s, received.error, self._failure, self._advice))
        self._readout.setText(self.body.view.readout())
        if now_s - self._told_s < TELL_S:
            return
        self._told_s = now_s
        display_fps = self.display_fps(now_s)
        self._rates.setText("    ".join(status_line(self._shown[1], status, display_fps)))
        self._recording.setText(recording_text(status.recording if status else None))
        self.body.instruments.show_status(status, display_fps)
        if status:
            self._tell_controls(status, now_s)

    def _tell_controls(self, status: Status, now_s: float) -> None:
        """Show what the engine has in force, whoever has set it."""
        self._line.address = reachable(status.command_address, self._address)
        self.bar.show_state("pause", status.state == "paused")
        self.bar.show_state("record", status.recording is not None and not status.recording.problem)
        controls = self.body.controls
        controls.show_status(status)
        if self._line.address and now_s - self._learnt_s > LEARN_S:
            self._learnt_s = now_s
            controls.learn()
            rows = self._shown[1].particles if self._shown[1] else empty_rows()
            self._advice = clash(controls.settings, status, rows)

    def _say_failed(self, why: str) -> None:
        self._failure, self._failure_s = why, time.perf_counter()
        self._learnt_s = 0.0  # the fields show what was wanted: look what is in force

    def _say_saved(self, path: Path, saved: bool) -> None:
        self._note(f"saved {path}" if saved else f"cannot write {path}: is the folder there, and writable?")

    def _picture_path(self, ending: str) -> Path:
        shown = self._shown[1]
        frame = f"-frame{shown.frame}" if shown else ""
        return self._folder / f"livetrack-{time.strftime('%Y%m%d-%H%M%S')}{frame}{ending}.png"

    def _note(self, text: str) -> None:
        self.statusBar().showMessage(text, NOTE_SHOWN_MS)

    def _build(self, settings: ViewSettings) -> None:
        palette = PALETTES[settings.palette]
        self.setWindowTitle(f"livetrack  {self._address}")
        self.resize(QtCore.QSize(1440, 1000).boundedTo(self.screen().availableSize()))
        self.body = Body(self._levels, self._line, palette, self._store)
        self.setCentralWidget(self.body)
        self._readout, self._rates, self._recording = (QtWidgets.QLabel() for _ in range(3))
        self._recording.setObjectName("recording")
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self._readout, 1)
        self.statusBar().addPermanentWidget(self._rates)
        self.statusBar().addPermanentWidget(self._recording)
        self.bar = Bar(self, palette)
        self.addToolBar(self.bar)
        self._connect()
        on = {"contrast": True, "tails": settings.tail_frames > 0, "labels": settings.labels, "uncertainty": True}
        for name in REMEMBERED:
            on[name] = bool(self._store.value(f"window/{name}", True, type=bool))
        on["light"] = settings.palette == "light"
        for name, state in on.items():
            self.bar.keys[name].setChecked(state)
            getattr(self, name)(state)
        self.bar.keys["set_region"].setEnabled(False)
        if geometry := self._store.value("window/geometry"):
            self.restoreGeometry(geometry)

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
        body.controls.done.connect(self._note)
        self._line.failed.connect(self._say_failed)
        body.picture.levels_changed.connect(self._show_levels)
        body.picture.table_changed.connect(self._show_table)
        body.picture.auto_changed.connect(keys["contrast"].setChecked)


_FIELDS = (QtWidgets.QAbstractSpinBox, QtWidgets.QLineEdit, QtWidgets.QComboBox)
REMEMBERED = ("plots", "panels")
"""Switches that are as they were left."""


def _qt_palette(palette: Palette) -> QtGui.QPalette:
    """Return the colours of Qt's own drawing."""
    roles, colours = QtGui.QPalette.ColorRole, QtGui.QPalette()
    for role, colour in (
        (roles.Window, palette.panel), (roles.WindowText, palette.text), (roles.Base, palette.field),
        (roles.AlternateBase, palette.panel), (roles.Text, palette.text), (roles.Button, palette.raised),
        (roles.ButtonText, palette.text), (roles.ToolTipBase, palette.panel), (roles.ToolTipText, palette.text),
        (roles.Highlight, palette.accent), (roles.HighlightedText, palette.panel), (roles.BrightText, palette.alarm),
        (roles.PlaceholderText, palette.faint), (roles.Mid, palette.line), (roles.Dark, palette.line),
    ):  # fmt: skip
        colours.setColor(role, QtGui.QColor(colour))
    return colours
