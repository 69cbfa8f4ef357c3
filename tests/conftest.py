"""Shared fixtures: windows are opened off screen, and each test has its own remembered state."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import leaks
import processes
import pytest
import zmq
from hypothesis import HealthCheck, Phase, settings

# the same examples in each run, none kept; `--hypothesis-profile=search` tries others, as long as one wishes
_ANY_SPEED = {"database": None, "deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", derandomize=True, max_examples=50, phases=set(Phase) - {Phase.explain}, **_ANY_SPEED)
settings.register_profile("search", max_examples=20_000, **_ANY_SPEED)
settings.load_profile("quick")

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
processes.guard()


_OF_EACH_FILE = {"nothing_left_behind_by_a_file", "own_microscope_of_a_file"}


@pytest.fixture(autouse=True, scope="module")
def nothing_left_behind_by_a_file() -> Iterator[None]:
    """Fail the last test of a file if the file leaves threads, processes, files or sockets behind."""
    _open_zeromq()
    before = leaks.held()
    yield
    assert leaks.left_behind(before, qt="PySide6.QtCore" in sys.modules) == []


def _open_zeromq() -> None:
    """Let ZeroMQ open what it opens once, also for messages that it does not copy."""
    context = zmq.Context.instance()
    with context.socket(zmq.PAIR) as one, context.socket(zmq.PAIR) as other:
        one.bind("inproc://opened-once")
        other.connect("inproc://opened-once")
        one.send(bytes(1 << 17), copy=False)
        other.recv()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves them behind; if it uses what its file shares, such as an engine, its file is checked."""
    before = leaks.held()
    yield
    if _shared.isdisjoint(request.fixturenames):
        assert leaks.left_behind(before, qt="qapp" in request.fixturenames) == []


_shared: set[str] = set()


def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> None:
    """Note what the tests of a file share."""
    if fixturedef.scope in ("class", "module") and fixturedef.argname not in _OF_EACH_FILE:
        _shared.add(fixturedef.argname)


@pytest.fixture(autouse=True, scope="module")
def own_microscope_of_a_file(nothing_left_behind_by_a_file: None) -> Iterator[None]:
    """Give each file a core with its configuration loaded anew: livetrack leaves its devices as they are."""
    yield
    _unload()


@pytest.fixture(autouse=True)
def own_microscope(nothing_left_behind: None) -> Iterator[None]:
    """Do so for each test, too."""
    yield
    _unload()


def _unload() -> None:
    core = sys.modules.get("livetrack_drivers._mm_core")
    if core is not None and core.is_loaded():
        from pycromanager import stop_headless

        stop_headless()


@pytest.fixture
def engine() -> Iterator[Any]:
    """Yield a fake engine that sends data made by the test."""
    from fake_engine import FakeEngine

    engine = FakeEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def spot() -> Any:
    """Return the model for spots, one of its own for each file of tests."""
    from livetrack import load_localizer

    return load_localizer("spot", threads=1)


@pytest.fixture(scope="module")
def bead() -> Any:
    """Return the model for beads, likewise."""
    from livetrack import load_localizer

    return load_localizer("bead", threads=1)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Return a window's remembered state, in a file of the test; the tour has been seen."""
    from livetrack.viewer.qt import QtCore

    store = QtCore.QSettings(str(tmp_path / "store.ini"), QtCore.QSettings.Format.IniFormat)
    store.setValue("tour/seen", True)
    return store


@pytest.fixture
def window(engine: Any, qtbot: Any, tmp_path: Path, store: Any) -> Any:
    """Return a window on `engine` that is refreshed by the test."""
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
    """Return the window with three frames received and the last one shown."""
    import numpy as np
    from fake_engine import refresh_until, rows_of, shown_frame, shown_preview

    for frame in (1, 2, 3):
        engine.positions(frame, rows_of((3, 10 + frame, 10)))
    engine.preview(3, np.arange(1200, dtype=np.uint16).reshape(30, 40))
    refresh_until(window, lambda: (shown_frame(window), shown_preview(window)) == (3, 3))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window
