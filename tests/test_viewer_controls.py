"""The controls: each of them, through `Remote`, to a real engine; and what the window does when no answer comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import ClassVar

import pytest
from fake_engine import FakeEngine, refresh_until, rows_of, shown_frame, status_of

from livetrack.client import Remote
from livetrack.config import ViewSettings, load_config
from livetrack.errors import CommandError
from livetrack.session.engine import Engine
from livetrack.viewer.data import async_remote as line_module
from livetrack.viewer.data.async_remote import Line
from livetrack.viewer.qt import QtCore, QtGui
from livetrack.viewer.window import Window

LEFT = QtCore.Qt.MouseButton.LeftButton
SETTINGS = (
    *(f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")),
    "camera.simulated.width=128", "camera.simulated.height=96", "camera.simulated.count=8", "camera.simulated.fps=50",
    "camera.simulated.drift_um_s=[0, 0]", "camera.simulated.diffusion_um2_s=0.01",
)  # fmt: skip


@pytest.fixture(scope="module")
def running():
    """Return a whole engine, tracking."""
    with Engine(load_config(None, SETTINGS)) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop})
        thread.start()
        yield engine
        stop.set()
        thread.join(20)


@pytest.fixture
def live(running, qtbot, tmp_path, store):
    """Return a window on it that knows the settings in force."""
    window = Window(running.publisher.address, ViewSettings(fps=0.01), folder=tmp_path, store=store)
    qtbot.addWidget(window)
    window.resize(1200, 900)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    until(qtbot, window, lambda: window.body.controls.settings and window.body.controls.exposure.value() > 1)
    until(qtbot, window, lambda: window.scene.shown[1] and len(window.scene.shown[1].particles))
    return window


def until(qtbot, window, condition):
    def there():
        window.teller.told_s = 0.0
        window.refresh()
        return bool(condition())

    qtbot.waitUntil(there, timeout=15_000)


def type_in(qtbot, spin, text):
    """Type a value as a person does, and press Return."""
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, text)
    qtbot.keyClick(spin, QtCore.Qt.Key.Key_Return)


def press(qtbot, window, sequence):
    combination = QtGui.QKeySequence(sequence)[0]
    qtbot.keyClick(window, combination.key(), combination.keyboardModifiers())


def test_a_window_that_is_opened_changes_nothing(running, live, qtbot, monkeypatch):
    with Remote(running.publisher.address) as remote:
        before = remote.properties(), remote.hello().settings, remote.state().state
        asked = []
        ask = live._line.ask
        monkeypatch.setattr(live._line, "ask", lambda what, *call: (asked.append(what), ask(what, *call)))
        for _ in range(3):
            live.teller.learnt_s = 0.0
            live.teller.told_s = 0.0
            live.refresh()
            qtbot.wait(150)
        assert set(asked) == {"hello"}
        assert (remote.properties(), remote.hello().settings, remote.state().state) == before
    assert live.body.controls.exposure.value() == 8  # the simulated camera's default


def test_scrolling_past_a_field_does_not_change_it(live, qtbot):
    controls, picture = live.body.controls, live.body.picture
    fields = (controls.exposure, controls.threshold, controls.radius, picture.black, picture.white)
    before = [field.value() for field in fields]
    middle = QtCore.QPointF(5, 5)
    for field in (*fields, controls.model, picture.lookup):
        event = QtGui.QWheelEvent(
            middle, middle, QtCore.QPoint(), QtCore.QPoint(0, 120), QtCore.Qt.MouseButton.NoButton,
            QtCore.Qt.KeyboardModifier.NoModifier, QtCore.Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QtCore.QCoreApplication.sendEvent(field, event)
        assert not event.isAccepted()
    assert [field.value() for field in fields] == before
    assert (controls.model.currentText(), picture.lookup.currentText()) == ("spot", "grey")


def test_p_pauses_tracking_and_goes_on(running, live, qtbot):
    press(qtbot, live, "P")
    until(qtbot, live, lambda: live.received.status.state == "paused")
    assert live.bar.keys["pause"].isChecked()
    assert "Tracking is paused" in live.body.banner.text()
    assert live.body.controls.pause_button.text() == "Resume"
    qtbot.mouseClick(live.body.controls.pause_button, LEFT)
    until(qtbot, live, lambda: live.received.status.state == "running")
    assert not live.bar.keys["pause"].isChecked()


def test_exposure_is_set_and_what_is_in_force_is_shown(running, live, qtbot):
    type_in(qtbot, live.body.controls.exposure, "5")
    until(qtbot, live, lambda: "exposure 5 ms" in live.statusBar().currentMessage())
    with Remote(running.publisher.address) as remote:
        exposure = next(each for each in remote.properties() if each.name == "exposure_ms")
    assert exposure.value == 5
    until(qtbot, live, lambda: live.body.controls.exposure.value() == 5)


def test_an_exposure_that_is_refused_is_told_and_the_one_in_force_shown_again(live, qtbot):
    exposure = live.body.controls.exposure
    before = exposure.value()
    exposure.setRange(0.001, 1e6)
    exposure.setValue(5e5)  # longer than the time between two frames
    until(qtbot, live, lambda: "Not done" in live.body.banner.text())
    until(qtbot, live, lambda: exposure.value() == before)


def test_threshold_and_search_radius_take_effect_at_once(running, live, qtbot):
    type_in(qtbot, live.body.controls.threshold, "0.77")
    until(qtbot, live, lambda: running.tracker.localizer.threshold == 0.77)
    live.body.controls.threshold.setValue(0)  # the model's own
    until(qtbot, live, lambda: running.tracker.localizer.threshold == running.tracker.localizer.default_threshold)
    type_in(qtbot, live.body.controls.radius, "7.5")
    until(qtbot, live, lambda: running.config.linker.search_radius_px == 7.5)
    until(qtbot, live, lambda: live.body.controls.settings["linker"]["search_radius_px"] == 7.5)


def test_another_clients_change_is_shown(running, live, qtbot):
    with Remote(running.publisher.address) as remote:
        remote.set_search_radius(3.25)
    live.teller.learnt_s = 0.0
    until(qtbot, live, lambda: live.body.controls.radius.value() == 3.25)


def test_a_model_is_swapped_while_it_runs(running, live, qtbot):
    controls = live.body.controls
    assert {"spot", "bead", "centroid"} <= {controls.model.itemText(n) for n in range(controls.model.count())}
    controls.model.setCurrentText("bead")
    controls.model.textActivated.emit("bead")
    until(qtbot, live, lambda: live.received.status.model == "bead")
    until(qtbot, live, lambda: controls.settings["localizer"]["model"] == "bead")
    controls.model.setCurrentText("spot")
    controls.model.textActivated.emit("spot")
    until(qtbot, live, lambda: live.received.status.model == "spot")


def test_a_region_is_dragged_and_set_and_the_whole_image_comes_back(running, live, qtbot):
    press(qtbot, live, "O")
    region = live.body.region
    assert region.isVisible()
    region.rectangle.setPos((15.5, 7.5))
    region.rectangle.setSize((64, 48))
    assert "64 x 48 px at 16, 8" in region._text.text()
    press(qtbot, live, "Return")
    until(qtbot, live, lambda: (live.scene.shown[1].width, live.scene.shown[1].height) == (64, 48))
    assert (live.scene.shown[1].x_origin, live.scene.shown[1].y_origin) == (16, 8)
    assert not region.isVisible()
    assert not live.bar.keys["region"].isChecked()
    press(qtbot, live, "O")  # a part of the part
    region.rectangle.setPos((3.5, 3.5))
    region.rectangle.setSize((32, 32))
    qtbot.mouseClick(region.set_button, LEFT)
    until(qtbot, live, lambda: live.scene.shown[1].width == 32)
    assert (live.scene.shown[1].x_origin, live.scene.shown[1].y_origin) == (20, 12)
    qtbot.mouseClick(live.body.controls.whole, LEFT)
    until(qtbot, live, lambda: (live.scene.shown[1].width, live.scene.shown[1].height) == (128, 96))


def test_a_region_can_be_dropped_and_never_leaves_the_image(live, qtbot):
    qtbot.mouseClick(live.body.controls.region, LEFT)
    region = live.body.region
    region.rectangle.maxBounds = None
    region.rectangle.setPos((-30, -30))
    region.rectangle.setSize((500, 500))
    assert region.area() == (0, 0, 128, 96)
    press(qtbot, live, "Esc")
    assert not region.isVisible()
    press(qtbot, live, "Return")  # nothing is shown, so nothing is set
    assert live.scene.shown[1].width == 128


def test_a_clicked_particle_is_the_engines_target(running, live, qtbot):
    def confirmed():
        rows = live.scene.shown[1].particles
        return rows[rows["flags"] == 0]

    until(qtbot, live, lambda: len(confirmed()))
    row = confirmed()[0]
    view = live.body.view
    place = view.mapFromScene(view.view_box.mapViewToScene(QtCore.QPointF(float(row["x"]), float(row["y"]))))
    qtbot.mouseClick(view.viewport(), LEFT, pos=place)
    until(qtbot, live, lambda: live.received.status.target == row["id"])
    assert live.body.controls.target.text() == f"#{row['id']}"
    qtbot.mouseClick(live.body.controls.drop_target, LEFT)
    until(qtbot, live, lambda: live.received.status.target is None)


def test_r_records_and_ends(running, live, qtbot, tmp_path):
    live.body.controls.folder.setText(str(tmp_path))
    press(qtbot, live, "R")
    until(qtbot, live, lambda: live.received.status.recording and live.received.status.recording.frames > 3)
    live.teller.told_s = 0.0
    live.refresh()
    assert live.teller.recording.text().startswith("● REC")
    assert live.bar.keys["record"].isChecked()
    qtbot.mouseClick(live.body.controls.record_button, LEFT)
    until(qtbot, live, lambda: "recorded" in live.statusBar().currentMessage())
    until(qtbot, live, lambda: not live.bar.keys["record"].isChecked())
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert (folder / "session.json").exists()


def test_the_camera_is_closed_and_opened(running, live, qtbot):
    qtbot.mouseClick(live.body.controls.camera_switch, LEFT)
    until(qtbot, live, lambda: live.received.status.state == "idle")
    until(qtbot, live, lambda: "The camera is closed" in live.body.banner.text())
    assert live.body.controls.camera_switch.text() == "Open camera"
    qtbot.mouseClick(live.body.controls.camera_switch, LEFT)
    until(qtbot, live, lambda: live.received.status.state == "running")


def test_what_is_refused_is_told_and_nothing_changes(running, live, qtbot):
    live.body.controls.model.setCurrentText("no_such_model")
    live.body.controls.model.textActivated.emit("no_such_model")
    until(qtbot, live, lambda: "Not done" in live.body.banner.text())
    assert "no_such_model" in live.body.banner.text()
    assert running.tracker.localizer.name == "spot"
    live.teller.failure_s -= 60
    live.refresh()
    assert "Not done" not in live.body.banner.text()


# ---- when no answer comes


class SlowRemote:
    """Answers when it is let."""

    made: ClassVar[list[str]] = []

    def __init__(self, address):
        self.made.append(address)
        self.calls = []

    def close(self):
        self.made.append("closed")


@pytest.fixture
def slow(monkeypatch):
    SlowRemote.made = []
    monkeypatch.setattr(line_module, "Remote", SlowRemote)
    line = Line()
    line.address = "tcp://here"
    yield line
    line.close()


def test_asking_never_waits_and_of_many_values_the_last_counts(slow, qtbot):
    let, asked, answers = threading.Event(), [], []

    def call(value):
        def ask(_):
            asked.append(value)
            let.wait(10)
            return value

        return ask

    start = time.perf_counter()
    for value in range(200):
        slow.ask("threshold", call(value), answers.append)
        slow.ask("radius", call(-value), answers.append)
    assert time.perf_counter() - start < 1.0
    let.set()
    qtbot.waitUntil(lambda: sorted(answers[-2:]) == [-199, 199])
    assert len(asked) <= 4  # the first of each, if it was taken at once, and the last of each
    assert SlowRemote.made == ["tcp://here"]


def test_a_failure_is_said_and_the_line_goes_on_elsewhere(slow, qtbot):
    def refuse(_):
        raise CommandError("exposure_ms: at most 10")

    with qtbot.waitSignal(slow.failed) as said:
        slow.ask("exposure", refuse)
    assert said.args == ["exposure_ms: at most 10"]
    slow.address = "tcp://there"
    answers = []
    slow.ask("state", lambda remote: remote, answers.append)
    qtbot.waitUntil(lambda: bool(answers))
    assert SlowRemote.made == ["tcp://here", "closed", "tcp://there"]


def test_an_engine_without_commands_is_told(slow, qtbot):
    slow.address = ""
    with qtbot.waitSignal(slow.failed) as said:
        slow.ask("pause", lambda remote: remote.pause())
    assert "takes no commands" in said.args[0]


def test_closing_does_not_wait_for_an_answer(slow):
    begun, let = threading.Event(), threading.Event()

    def call(_):
        begun.set()
        let.wait(10)

    slow.ask("model", call)
    begun.wait(10)
    start = time.perf_counter()
    slow.close()
    assert time.perf_counter() - start < 3
    let.set()


def test_the_window_goes_on_drawing_while_an_engine_does_not_answer(engine, playing, qtbot):
    """The address is that of a socket that takes commands and never answers."""
    silent = FakeEngine(9)
    try:
        engine.status(status_of(engine, command_address=silent.address))
        refresh_until(playing, lambda: playing.received.status.command_address)
        playing.teller.told_s = 0.0
        playing.refresh()
        playing.body.controls.radius.setValue(9)
        for frame in range(4, 24):
            engine.positions(frame, rows_of((3, 10, 10)))
            start = time.perf_counter()
            refresh_until(playing, lambda frame=frame: playing.received.history.at(None).frame == frame)
            assert time.perf_counter() - start < 2.0
        assert shown_frame(playing) == 3  # no new picture came
    finally:
        silent.close()


# ---- what the engine feels of a window


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
def test_a_window_that_is_stopped_or_killed_does_not_touch_the_engine(running, tmp_path):
    command = [sys.executable, "-m", "livetrack", "view", running.publisher.address, "--no-config"]
    window = subprocess.Popen(command, env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not running.publisher._previews._subscribed:  # until it asks for pictures
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with Remote(running.publisher.address) as remote:
            for send in (signal.SIGSTOP, signal.SIGKILL):
                window.send_signal(send)
                before = remote.state()
                time.sleep(1.0)
                after = remote.state()
                assert after.state == "running"
                assert after.received - before.received > 33  # of 50
                assert after.tracked - before.tracked >= 0.9 * (after.received - before.received)
                assert after.lost == before.lost
    finally:
        window.kill()
        window.wait()
    while running.publisher._previews._subscribed:  # and nobody makes pictures any more
        assert time.monotonic() < deadline + 30
        time.sleep(0.05)
