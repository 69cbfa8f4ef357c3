"""What all tests share: no window of theirs is seen, and none remembers anything."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import processes
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
processes.guard()


@pytest.fixture
def engine() -> Iterator[Any]:
    """Return an engine that sends what the test makes up."""
    from fake_engine import FakeEngine

    engine = FakeEngine()
    yield engine
    engine.close()


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Return what a window remembers, in a file of the test's own; the guide has been seen."""
    from livetrack.viewer.qt import QtCore

    store = QtCore.QSettings(str(tmp_path / "store.ini"), QtCore.QSettings.Format.IniFormat)
    store.setValue("tour/seen", True)
    return store


@pytest.fixture
def window(engine: Any, qtbot: Any, tmp_path: Path, store: Any) -> Any:
    """Return a window that the test refreshes by hand, connected to `engine`."""
    from livetrack.config import ViewSettings
    from livetrack.viewer.window import Window

    window = Window(engine.address, ViewSettings(fps=0.01), folder=tmp_path, store=store)
    qtbot.addWidget(window)
    window.resize(1000, 800)
    with qtbot.waitExposed(window):
        window.show()
    engine.wait_for_window(window)
    return window


@pytest.fixture
def playing(engine: Any, window: Any, qtbot: Any) -> Any:
    """Return the window with three frames shown."""
    import numpy as np
    from fake_engine import refresh_until, rows_of, shown_frame, shown_preview

    for frame in (1, 2, 3):
        engine.positions(frame, rows_of((3, 10 + frame, 10)))
    engine.preview(3, np.arange(1200, dtype=np.uint16).reshape(30, 40))
    refresh_until(window, lambda: (shown_frame(window), shown_preview(window)) == (3, 3))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window
