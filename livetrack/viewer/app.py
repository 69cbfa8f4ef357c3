"""The viewer's process: starts Qt and ends when the window is closed, on Ctrl-C, or after a given time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyqtgraph as pg

from livetrack.config import ViewSettings
from livetrack.errors import UsageError
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.window import Window

if TYPE_CHECKING:
    from livetrack.viewer.player.opening import Opened, PlayerOptions

__all__ = ["lower_priority", "run", "run_player", "run_window"]

NICENESS = 3
"""Of 19 at most: an engine on the same cores takes precedence, and the window still works on a busy machine."""


def run(address: str, view: ViewSettings, *, seconds: float | None = None, screenshot: Path | None = None) -> int:
    """Run the window as `livetrack.viewer.main` describes, on a display that is known to work."""
    return run_window(lambda: Window(address, view), seconds=seconds, screenshot=screenshot)


def run_player(
    opened: Opened, options: PlayerOptions, *, seconds: float | None = None, screenshot: Path | None = None
) -> int:
    """Run the player as `livetrack.viewer.play` describes, likewise."""
    from livetrack.viewer.player.window import PlayerWindow  # loads the readers of movies

    def make() -> PlayerWindow:
        window = PlayerWindow(options)
        window.show_movie(opened)
        return window

    return run_window(make, seconds=seconds, screenshot=screenshot)


def run_window(
    make: Callable[[], QtWidgets.QMainWindow], *, seconds: float | None = None, screenshot: Path | None = None
) -> int:
    """Show the window that `make` returns until it is closed; return the exit code."""
    app = pg.mkQApp("livetrack")
    app.setStyle("Fusion")  # the style that takes all its colours from the palette
    window = make()
    lower_priority()
    # Python runs signal handlers at the next refresh; close only after it, not in the middle.
    # SIGTERM comes from `livetrack run`, which closes its window with the session.
    previous = {
        number: signal.signal(number, lambda *_: QtCore.QTimer.singleShot(0, window, window.close))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    window.show()
    failures: list[str] = []

    def finish() -> None:
        if screenshot and not window.grab().save(str(screenshot)):
            failures.append(
                f"{screenshot}: cannot write the screenshot; check that the folder exists and the name ends in .png"
            )
        window.close()

    if seconds is not None:
        QtCore.QTimer.singleShot(round(seconds * 1000), window, finish)
    try:
        exit_code: int = app.exec()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if failures:
        raise UsageError(failures[0])
    return exit_code


def lower_priority() -> None:
    """Give this process a lower CPU priority; on Windows, the program that starts it does so."""
    if hasattr(os, "nice"):
        os.nice(max(0, NICENESS - os.nice(0)))
