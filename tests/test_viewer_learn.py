"""`Learn this particle` in the window: a real training in a process of its own, cancelled or offered; and failures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import odd_particles
import pytest
from waiting import until

from livetrack.client import Remote
from livetrack.config import ViewSettings
from livetrack.viewer.data import learning
from livetrack.viewer.qt import QtCore
from livetrack.viewer.window import Window

LEFT = QtCore.Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def session():
    with odd_particles.odd_session() as engine:
        yield engine


@pytest.fixture
def live(session, qtbot, tmp_path, store, monkeypatch):
    """Return a window on the session with a particle selected; trainings are short."""
    monkeypatch.setattr(learning, "CROPS", 15)
    monkeypatch.setattr(learning, "MINUTES", 0.02)
    window = Window(session.publisher.address, ViewSettings(fps=0.01), folder=tmp_path / "models", store=store)
    (tmp_path / "models").mkdir()
    qtbot.addWidget(window)
    window.resize(1200, 900)
    with qtbot.waitExposed(window):
        window.show()
    until(qtbot, window, lambda: window.central.control_panel.settings)
    until(qtbot, window, lambda: shown_ids(window))
    window.select(shown_ids(window)[0])
    return window


def shown_ids(window: Window) -> list[int]:
    update = window.frame_presenter.shown[1]
    return [int(row["id"]) for row in update.particles if row["id"] >= 0] if update else []


def click(qtbot: Any, button: Any) -> None:
    assert button.isVisible()
    qtbot.mouseClick(button, LEFT)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def files(window: Window) -> list[Path]:
    return list(window.learn_presenter.process._folder.iterdir())


def test_cancel_ends_the_training_and_leaves_nothing_behind(live, qtbot, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(learning, "MINUTES", 5.0)
    bar, process = live.central.learn_bar, live.learn_presenter.process
    click(qtbot, live.central.particle_panel.learn_button)
    assert bar.isVisible()
    assert not live.central.particle_panel.learn_button.isEnabled()
    pid = process._process.processId()
    qtbot.waitUntil(lambda: bar.text.startswith("step "), timeout=240_000)
    assert len(files(live)) == 1
    click(qtbot, bar.cancel_button)
    assert not bar.isVisible()
    assert live.central.particle_panel.learn_button.isEnabled()
    assert not files(live)
    if os.name == "posix":
        assert not alive(pid)


def test_closing_the_window_cancels(live, qtbot):
    pytest.importorskip("torch")
    process = live.learn_presenter.process
    click(qtbot, live.central.particle_panel.learn_button)
    pid = process._process.processId()
    live.close()
    assert not process.running
    assert not files(live)
    if os.name == "posix":
        assert not alive(pid)


@pytest.mark.measured
def test_the_session_uses_the_model_that_was_learnt(session, live, qtbot):
    pytest.importorskip("torch")
    bar = live.central.learn_bar
    click(qtbot, live.central.particle_panel.learn_button)
    qtbot.waitUntil(lambda: bar.use_button.isVisible(), timeout=250_000)
    assert "% found, " in bar.text
    model = live.learn_presenter.process.model
    assert {path.suffix for path in model.parent.iterdir()} == {".onnx", ".md", ".toml", ".tif"}
    click(qtbot, bar.use_button)
    assert not bar.isVisible()
    with Remote(session.publisher.address) as remote:
        qtbot.waitUntil(lambda: remote.state().model == model.stem, timeout=20_000)
        remote.swap_model("bead")


@pytest.mark.parametrize(("declined", "text"), [(True, "the model is saved: "), (False, "Copy ")])
def test_the_present_model_may_be_kept_or_the_engine_be_elsewhere(live, qtbot, monkeypatch, declined, text):
    bar, presenter = live.central.learn_bar, live.learn_presenter
    if not declined:
        monkeypatch.setattr(presenter, "_address", "tcp://192.168.1.5:5555")
    bar.begin(3)
    presenter.process.finished.emit("Finds 99 % of the particles.")
    if declined:
        assert bar.text == "Finds 99 % of the particles."
        click(qtbot, bar.keep_button)
    assert text in bar.text
    assert str(presenter.process.model) in bar.text
    click(qtbot, bar.close_button)
    assert not bar.isVisible()


def test_what_goes_wrong_is_shown_in_one_line(live, qtbot, monkeypatch):
    bar, process = live.central.learn_bar, live.learn_presenter.process
    process.start("tcp://127.0.0.1:9", 3, (10, 10))
    qtbot.waitUntil(lambda: bar.close_button.isVisible(), timeout=60_000)
    assert bar.text.startswith(("tcp://127.0.0.1:9: no response from an engine", "training needs "))
    assert not files(live)
    monkeypatch.setattr(learning.sys, "executable", "no-such-python")
    process.start("tcp://127.0.0.1:9", 3, (10, 10))
    qtbot.waitUntil(lambda: bar.text == "no-such-python cannot be started", timeout=5000)
    assert not files(live)
    assert not process.running
    monkeypatch.setattr(process, "_folder", Path("no-such-folder"))
    process.start("tcp://127.0.0.1:9", 3, (10, 10))
    assert "cannot be created: No such file or directory" in bar.text
