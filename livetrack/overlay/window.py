"""The window: what the engine sends, the view, the keys, the banner and the status line brought together."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

from livetrack.client import Update
from livetrack.config import ViewSettings
from livetrack.overlay.commands import COMMANDS
from livetrack.overlay.feed import Feed, News
from livetrack.overlay.history import History
from livetrack.overlay.levels import AutoContrast
from livetrack.overlay.palette import PALETTES
from livetrack.overlay.qt import QtCore, QtGui, QtWidgets
from livetrack.overlay.status import banner, recording_text, status_line
from livetrack.overlay.view import ParticleView
from livetrack.wire import Preview, Status

__all__ = ["Window"]

ERROR_SHOWN_S = 5.0
NOTE_SHOWN_MS = 6000


class Window(QtWidgets.QMainWindow):
    """Shows the engine at `address`, `settings.fps` times a second, until it is closed.

    Snapshots are written to `folder`.
    """

    def __init__(self, address: str, settings: ViewSettings, folder: Path | None = None) -> None:
        super().__init__()
        self._address = address
        self._folder = folder or Path.cwd()
        self._feed = Feed(address)
        self._history = History(settings.tail_frames)
        self._contrast = AutoContrast()
        self._session: int | None = None
        self._preview: Preview | None = None
        self._shown: tuple[Preview | None, Update | None] = None, None
        self._status: Status | None = None
        self._heard_s: float | None = None
        self._error, self._error_s = "", 0.0
        self._drawn_s: deque[float] = deque(maxlen=256)
        self._paused = False
        self._build(settings)
        self._timer = QtCore.QTimer(self)
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(round(1000 / settings.fps))

    def refresh(self) -> None:
        """Take what has come, draw it unless paused, and say how things stand."""
        self._take(self._feed.read())
        if not self._paused:
            self._draw()
        self._tell()

    def pause(self, on: bool) -> None:
        """Hold the picture, or let it go on; what comes meanwhile is still read."""
        self._paused = on

    def auto_contrast(self, on: bool) -> None:
        """Follow the picture's brightness, or keep the levels."""
        self._contrast.on = on

    def tails(self, on: bool) -> None:
        """Show or hide the tails."""
        self.view.tails.setVisible(on)

    def labels(self, on: bool) -> None:
        """Show or hide the trajectories' numbers."""
        self.view.labels.setVisible(on)

    def fit(self) -> None:
        """Show the whole picture."""
        self.view.fit()

    def snapshot(self) -> None:
        """Save the view as a PNG file, and say where."""
        shown = self._shown[1]
        frame = f"-frame{shown.frame}" if shown else ""
        path = self._folder / f"livetrack-{time.strftime('%Y%m%d-%H%M%S')}{frame}.png"
        saved = self.view.grab().save(str(path))
        self._note(f"saved {path}" if saved else f"cannot write {path}: is the folder there, and writable?")

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:  # noqa: D102, N802 - Qt's
        self._timer.stop()
        self._feed.close()
        super().closeEvent(event)

    def _take(self, news: News) -> None:
        now = time.perf_counter()
        if news.status:
            self._status = news.status
            self._join(news.status.session)
        for update in news.updates:
            self._join(update.session)
            self._history.add(update)
        if news.preview and news.preview.session == self._session:
            self._preview = news.preview
        if news.status or news.updates or news.preview:
            self._heard_s = now
        if news.error:
            self._error, self._error_s = news.error, now
        elif now - self._error_s > ERROR_SHOWN_S:
            self._error = ""

    def _join(self, session: int) -> None:
        """Forget the last engine when another one speaks."""
        if session == self._session:
            return
        self._session = session
        self._preview = None
        self._shown = None, None
        self._history.clear()
        self._contrast.reset()
        self.view.clear_all()

    def _draw(self) -> None:
        """Draw the newest picture with its own frame's particles on it, unless that is what is shown already."""
        now = time.perf_counter()
        preview = self._preview
        update = self._history.at(preview.frame if preview else None)
        new_preview, new_update = preview is not self._shown[0], update is not self._shown[1]
        if preview and new_preview:
            self.view.show_picture(preview, self._contrast.levels(preview.pixels, now))
        if update and new_update:
            self.view.show_particles(update, self._history.tail(update))
        if new_preview or new_update:
            self._shown = preview, update
            self._drawn_s.append(now)

    def _tell(self) -> None:
        now = time.perf_counter()
        silent_s = None if self._heard_s is None else now - self._heard_s
        shown = banner(self._address, self._status, silent_s, self._error)
        self._banner.setVisible(shown is not None)
        if shown and shown.text != self._banner.text():
            self._banner.setText(shown.text)
            self._banner.setProperty("alarm", shown.alarm)
            self._banner.style().polish(self._banner)
        display_fps = sum(now - drawn < 1.0 for drawn in self._drawn_s)
        self._rates.setText("    ".join(status_line(self._shown[1], self._status, display_fps)))
        self._recording.setText(recording_text(self._status.recording if self._status else None))
        self._readout.setText(self.view.readout())

    def _note(self, text: str) -> None:
        self.statusBar().showMessage(text, NOTE_SHOWN_MS)

    def _build(self, settings: ViewSettings) -> None:
        palette = PALETTES[settings.palette]
        self.setWindowTitle(f"livetrack  {self._address}")
        self.setStyleSheet(palette.style_sheet())
        self.resize(1280, 900)
        self.view = ParticleView(palette)
        self._banner = QtWidgets.QLabel()
        self._banner.setObjectName("banner")
        self._banner.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._banner.setWordWrap(True)
        middle = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._banner)
        layout.addWidget(self.view, 1)
        self.setCentralWidget(middle)
        self._readout, self._rates, self._recording = (QtWidgets.QLabel() for _ in range(3))
        self._recording.setObjectName("recording")
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self._readout, 1)
        self.statusBar().addPermanentWidget(self._rates)
        self.statusBar().addPermanentWidget(self._recording)
        self._add_commands()
        self.commands["auto_contrast"].setChecked(True)
        self.commands["tails"].setChecked(settings.tail_frames > 0)
        self.commands["labels"].setChecked(settings.labels)
        self.view.labels.setVisible(settings.labels)

    def _add_commands(self) -> None:
        bar = self.addToolBar("Commands")
        bar.setMovable(False)
        bar.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.PreventContextMenu)
        self.commands: dict[str, QtGui.QAction] = {}
        for command in COMMANDS:
            action = QtGui.QAction(f"{command.text}  {command.key}", self)
            action.setShortcut(command.key)
            action.setToolTip(f"{command.tip} ({command.key})")
            method = getattr(self, command.name)
            if command.switch:
                action.setCheckable(True)
                action.toggled.connect(method)
            else:
                action.triggered.connect(lambda _checked=False, method=method: method())
            bar.addAction(action)
            self.commands[command.name] = action
