"""Opens the player in a process of its own, so that it takes no time from a live session's window."""

from __future__ import annotations

import sys
from pathlib import Path

from livetrack.errors import InputError
from livetrack.viewer.background import Background
from livetrack.viewer.qt import QtCore

__all__ = ["PlayerLauncher"]

POLL_MS = 30


class PlayerLauncher(QtCore.QObject):
    """Starts `livetrack play` on what can be opened."""

    message = QtCore.Signal(str)
    failed = QtCore.Signal(str)
    """Why it cannot be opened, in one line."""

    def __init__(self) -> None:
        super().__init__()
        self._checking: Background[Path] | None = None
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._poll)

    def open(self, path: Path) -> None:
        """Open a movie or a recorded session in the player, if it can be read, without waiting for it."""
        if self._checking is not None:
            self.failed.emit("something else is being opened; try again")
            return
        self._checking = Background(lambda: _readable(path))
        self._timer.start(POLL_MS)

    def close(self) -> None:
        """Wait for what is being checked, and start nothing."""
        self._timer.stop()
        if self._checking is not None:
            self._checking.wait()
            self._checking = None

    def _poll(self) -> None:
        if self._checking is None or not self._checking.done:
            return
        checked, self._checking = self._checking, None
        self._timer.stop()
        if checked.result is None:
            self.failed.emit(checked.problem)
        elif QtCore.QProcess.startDetached(sys.executable, ["-m", "livetrack", "play", str(checked.result)])[0]:
            self.message.emit(f"opening {checked.result} in the player")
        else:
            self.failed.emit(f"{sys.executable} cannot be started")


def _readable(path: Path) -> Path:
    """Return `path` if it is a movie or a session. Raises `InputError` if it is not."""
    from livetrack.movies import EVERYTHING  # these load what a live session's window does without
    from livetrack.playback.playback import open_source
    from livetrack.playback.track_table import TABLE_SUFFIXES

    if path.suffix.lower() in TABLE_SUFFIXES:
        raise InputError(f"{path}: a table of tracks; drop it on the player, on the movie that it belongs to")
    open_source(path, EVERYTHING)
    return path
