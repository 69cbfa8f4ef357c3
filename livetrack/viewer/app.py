"""The window's process: Qt started, and ended by closing the window, by Ctrl-C, or when the time is over."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pyqtgraph as pg

from livetrack.config import ViewSettings
from livetrack.errors import UsageError
from livetrack.viewer.qt import QtCore
from livetrack.viewer.window import Window

__all__ = ["give_way", "run"]

NICENESS = 3
"""Of 20: an engine on the same cores comes first, and the window still has what it needs of a busy machine."""


def run(address: str, view: ViewSettings, *, seconds: float | None = None, screenshot: Path | None = None) -> int:
    """Run the window as `livetrack.viewer.main` says; a display is there."""
    app = pg.mkQApp("livetrack")
    app.setStyle("Fusion")  # the one that takes every colour from the palette
    window = Window(address, view)
    give_way()
    # Python handles signals when the next refresh begins; the window is closed when that is over
    previous = {
        each: signal.signal(each, lambda *_: QtCore.QTimer.singleShot(0, window, window.close))
        for each in (signal.SIGINT, signal.SIGTERM)  # the second: the session that it was opened with is over
    }
    window.show()
    failures: list[str] = []

    def finish() -> None:
        if screenshot and not window.grab().save(str(screenshot)):
            failures.append(f"{screenshot}: cannot write the screenshot; is the folder there, does it end in .png?")
        window.close()

    if seconds is not None:
        QtCore.QTimer.singleShot(round(seconds * 1000), window, finish)
    try:
        exit_code: int = app.exec()
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
    if failures:
        raise UsageError(failures[0])
    return exit_code


def give_way() -> None:
    """Let other programs go first from now on. On Windows, who starts the window's process does it."""
    if hasattr(os, "nice"):
        os.nice(max(0, NICENESS - os.nice(0)))
