"""Each control with a real engine, and the window without replies."""

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
from waiting import until, wait_for

from livetrack.client import Remote
from livetrack.config import ViewSettings, load_config
from livetrack.errors import CommandError
from livetrack.session.engine import Engine
from livetrack.viewer.data import async_remote
from livetrack.viewer.data.async_remote import AsyncRemote
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
    """Yield a real engine that tracks."""
    with Engine(load_config(None, SETTINGS)) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop})
        thread.start()
        yield engine
        stop.set()
        thread.join(20)


@pytest.fixture
def live(running, qtbot, tmp_path, store):
    """Return a window on it that has received the active settings."""
    window = Window(running.publisher.address, ViewSettings(fps=0.01), folder=tmp_path, store=store)
    qtbot.addWidget(window)
    window.resize(1200, 900)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    until(
        qtbot,
        window,
        lambda: window.central.control_panel.settings and window.central.control_panel.exposure.value() > 1,
    )
    until(qtbot, window, lambda: window.frame_presenter.shown[1] and len(window.frame_presenter.shown[1].particles))
    return window


def type_in(qtbot, spin, text):
    """Type a value and press Return."""
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, text)
    qtbot.keyClick(spin, QtCore.Qt.Key.Key_Return)


def press(qtbot, window, sequence):
    combination = QtGui.QKeySequence(sequence)[0]
    qtbot.keyClick(window, combination.key(), combination.keyboardModifiers())


def test_opening_a_window_changes_nothing(running, live, qtbot, monkeypatch):
    with Remote(running.publisher.address) as remote:
        before = remote.properties(), remote.hello().settings, remote.state().state
        submitted = []
        submit = live._remote.submit
        monkeypatch.setattr(live._remote, "submit", lambda key, *call: (submitted.append(key), submit(key, *call)))
        for _ in range(3):
            live.status_presenter.settings_requested_s = 0.0
            live.status_presenter.updated_s = 0.0
            live.refresh()
            qtbot.wait(150)
        assert set(submitted) == {"hello"}
        assert (remote.properties(), remote.hello().settings, remote.state().state) == before
    assert live.central.control_panel.exposure.value() == 8  # the simulated camera's default


def test_one_key_halts_all_motion_also_from_a_field_and_behind_a_slow_command(running, live, qtbot):
    controls = live.central.control_panel
    with Remote(running.command_address) as loop:
        loop.move_stage(1.0, 0.0)
        until(qtbot, live, lambda: not live.session_data.status.halted)
        blocked, release = threading.Event(), threading.Event()

        def slow(_remote):
            blocked.set()
            release.wait(15)

        live._remote.submit("slow", slow)
        assert blocked.wait(15)
        controls.folder.setFocus()  # letters typed here are text
        try:
            qtbot.keyClick(controls.folder, QtCore.Qt.Key.Key_F12)
            qtbot.waitUntil(lambda: loop.state().halted, timeout=15_000)
        finally:
            release.set()
        with pytest.raises(CommandError, match="halted"):
            loop.move_stage(1.0, 0.0)
        until(qtbot, live, lambda: "All motion is halted" in live.central.banner.text())
        live.setFocus()
        press(qtbot, live, "Shift+F12")
        until(qtbot, live, lambda: not live.session_data.status.halted)
        assert "halted" not in live.central.banner.text()
        loop.allow_moves()
        loop.move_stage(-1.0, 0.0)


def test_scrolling_past_a_field_does_not_change_it(live, qtbot):
    controls, image = live.central.control_panel, live.central.image_panel
    fields = (controls.exposure, controls.threshold, controls.radius, image.black, image.white)
    before = [field.value() for field in fields]
    middle = QtCore.QPointF(5, 5)
    for field in (*fields, controls.model, image.colormap):
        event = QtGui.QWheelEvent(
            middle, middle, QtCore.QPoint(), QtCore.QPoint(0, 120), QtCore.Qt.MouseButton.NoButton,
            QtCore.Qt.KeyboardModifier.NoModifier, QtCore.Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QtCore.QCoreApplication.sendEvent(field, event)
        assert not event.isAccepted()
    assert [field.value() for field in fields] == before
    assert (controls.model.currentText(), image.colormap.currentText()) == ("spot", "grey")


def test_p_pauses_tracking_and_the_button_resumes(running, live, qtbot):
    press(qtbot, live, "P")
    until(qtbot, live, lambda: live.session_data.status.state == "paused")
    assert live.viewer_actions["pause"].isChecked()
    assert "Tracking is paused" in live.central.banner.text()
    assert live.central.control_panel.pause_button.text() == "Resume"
    qtbot.mouseClick(live.central.control_panel.pause_button, LEFT)
    until(qtbot, live, lambda: live.session_data.status.state == "running")
    assert not live.viewer_actions["pause"].isChecked()


def test_exposure_is_set_and_the_active_one_shown(running, live, qtbot):
    type_in(qtbot, live.central.control_panel.exposure, "5")
    until(qtbot, live, lambda: "exposure 5 ms" in live.statusBar().currentMessage())
    with Remote(running.publisher.address) as remote:
        exposure = next(each for each in remote.properties() if each.name == "exposure_ms")
    assert exposure.value == 5
    until(qtbot, live, lambda: live.central.control_panel.exposure.value() == 5)


def test_a_rejected_exposure_is_reported_and_the_active_one_shown_again(live, qtbot):
    exposure = live.central.control_panel.exposure
    before = exposure.value()
    exposure.setRange(0.001, 1e6)
    exposure.setValue(5e5)  # longer than the time between two frames
    until(qtbot, live, lambda: "Command failed" in live.central.banner.text())
    until(qtbot, live, lambda: exposure.value() == before)


def test_threshold_and_search_radius_take_effect_at_once(running, live, qtbot):
    type_in(qtbot, live.central.control_panel.threshold, "0.77")
    until(qtbot, live, lambda: running.tracker.localizer.threshold == 0.77)
    live.central.control_panel.threshold.setValue(0)  # the default
    until(qtbot, live, lambda: running.tracker.localizer.threshold == running.tracker.localizer.default_threshold)
    type_in(qtbot, live.central.control_panel.radius, "7.5")
    until(qtbot, live, lambda: running.config.linker.search_radius_px == 7.5)
    until(qtbot, live, lambda: live.central.control_panel.settings["linker"]["search_radius_px"] == 7.5)


def test_another_clients_change_is_shown(running, live, qtbot):
    with Remote(running.publisher.address) as remote:
        remote.set_search_radius(3.25)
    live.status_presenter.settings_requested_s = 0.0
    until(qtbot, live, lambda: live.central.control_panel.radius.value() == 3.25)


def test_a_model_is_swapped_while_it_runs(running, live, qtbot):
    controls = live.central.control_panel
    assert {"spot", "bead", "centroid"} <= {controls.model.itemText(n) for n in range(controls.model.count())}
    controls.model.setCurrentText("bead")
    controls.model.textActivated.emit("bead")
    until(qtbot, live, lambda: live.session_data.status.model == "bead")
    until(qtbot, live, lambda: controls.settings["localizer"]["model"] == "bead")
    controls.model.setCurrentText("spot")
    controls.model.textActivated.emit("spot")
    until(qtbot, live, lambda: live.session_data.status.model == "spot")


def test_an_roi_is_dragged_and_set_and_the_full_frame_restored(running, live, qtbot):
    press(qtbot, live, "O")
    selector = live.central.roi_selector
    assert selector.isVisible()
    selector.rectangle.setPos((15.5, 7.5))
    selector.rectangle.setSize((64, 48))
    assert "64 x 48 px at 16, 8" in selector._text.text()
    press(qtbot, live, "Return")
    until(qtbot, live, lambda: (live.frame_presenter.shown[1].width, live.frame_presenter.shown[1].height) == (64, 48))
    assert (live.frame_presenter.shown[1].x_origin, live.frame_presenter.shown[1].y_origin) == (16, 8)
    assert not selector.isVisible()
    assert not live.viewer_actions["roi"].isChecked()
    press(qtbot, live, "O")  # an ROI within the ROI
    selector.rectangle.setPos((3.5, 3.5))
    selector.rectangle.setSize((32, 32))
    qtbot.mouseClick(selector.set_button, LEFT)
    until(qtbot, live, lambda: live.frame_presenter.shown[1].width == 32)
    assert (live.frame_presenter.shown[1].x_origin, live.frame_presenter.shown[1].y_origin) == (20, 12)
    qtbot.mouseClick(live.central.control_panel.full_frame_button, LEFT)
    until(qtbot, live, lambda: (live.frame_presenter.shown[1].width, live.frame_presenter.shown[1].height) == (128, 96))


def test_an_roi_can_be_cancelled_and_never_leaves_the_image(live, qtbot):
    qtbot.mouseClick(live.central.control_panel.roi_button, LEFT)
    selector = live.central.roi_selector
    selector.rectangle.maxBounds = None
    selector.rectangle.setPos((-30, -30))
    selector.rectangle.setSize((500, 500))
    assert selector.area() == (0, 0, 128, 96)
    press(qtbot, live, "Esc")
    assert not selector.isVisible()
    press(qtbot, live, "Return")  # nothing is selected, so nothing is set
    assert live.frame_presenter.shown[1].width == 128


def test_a_clicked_particle_is_the_engines_target(running, live, qtbot):
    def confirmed():
        rows = live.frame_presenter.shown[1].particles
        return rows[rows["flags"] == 0]

    until(qtbot, live, lambda: len(confirmed()))
    row = confirmed()[0]
    view = live.central.view
    place = view.mapFromScene(view.view_box.mapViewToScene(QtCore.QPointF(float(row["x"]), float(row["y"]))))
    qtbot.mouseClick(view.viewport(), LEFT, pos=place)
    until(qtbot, live, lambda: live.session_data.status.target == row["id"])
    assert live.central.control_panel.target.text() == f"#{row['id']}"
    qtbot.mouseClick(live.central.control_panel.clear_target_button, LEFT)
    until(qtbot, live, lambda: live.session_data.status.target is None)


def test_r_records_and_the_button_stops(running, live, qtbot, tmp_path):
    live.central.control_panel.folder.setText(str(tmp_path))
    press(qtbot, live, "R")
    until(qtbot, live, lambda: live.session_data.status.recording and live.session_data.status.recording.frames > 3)
    live.status_presenter.updated_s = 0.0
    live.refresh()
    assert live.status_presenter.recording.text().startswith("● REC")
    assert live.viewer_actions["record"].isChecked()
    qtbot.mouseClick(live.central.control_panel.record_button, LEFT)
    until(qtbot, live, lambda: "recorded" in live.statusBar().currentMessage())
    until(qtbot, live, lambda: not live.viewer_actions["record"].isChecked())
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert (folder / "session.json").exists()


def test_the_camera_is_closed_and_opened(running, live, qtbot):
    qtbot.mouseClick(live.central.control_panel.camera_button, LEFT)
    until(qtbot, live, lambda: live.session_data.status.state == "idle")
    until(qtbot, live, lambda: "The camera is closed" in live.central.banner.text())
    assert live.central.control_panel.camera_button.text() == "Open camera"
    qtbot.mouseClick(live.central.control_panel.camera_button, LEFT)
    until(qtbot, live, lambda: live.session_data.status.state == "running")


def test_a_rejected_command_is_reported_and_nothing_changes(running, live, qtbot):
    live.central.control_panel.model.setCurrentText("no_such_model")
    live.central.control_panel.model.textActivated.emit("no_such_model")
    until(qtbot, live, lambda: "Command failed" in live.central.banner.text())
    assert "no_such_model" in live.central.banner.text()
    assert running.tracker.localizer.name == "spot"
    live.status_presenter.failure_s -= 60
    live.refresh()
    assert "Command failed" not in live.central.banner.text()


# ---- without replies


class SlowRemote:
    """Stands in for `Remote`; the calls submitted by the tests take their time."""

    made: ClassVar[list[str]] = []

    def __init__(self, address):
        self.made.append(address)
        self.calls = []

    def close(self):
        self.made.append("closed")


@pytest.fixture
def slow(monkeypatch):
    SlowRemote.made = []
    monkeypatch.setattr(async_remote, "Remote", SlowRemote)
    remote = AsyncRemote()
    remote.address = "tcp://here"
    yield remote
    remote.close()


def test_submitting_never_waits_and_the_last_of_many_values_is_sent(slow, qtbot):
    let, submitted, replies = threading.Event(), [], []

    def call(value):
        def ask(_):
            submitted.append(value)
            let.wait(10)
            return value

        return ask

    start = time.perf_counter()
    for value in range(200):
        slow.submit("threshold", call(value), replies.append)
        slow.submit("radius", call(-value), replies.append)
    assert time.perf_counter() - start < 1.0
    let.set()
    qtbot.waitUntil(lambda: sorted(replies[-2:]) == [-199, 199])
    assert len(submitted) <= 4  # the first of each, if it was taken at once, and the last of each
    assert SlowRemote.made == ["tcp://here"]


def test_a_failure_is_reported_and_the_next_address_used(slow, qtbot):
    def refuse(_):
        raise CommandError("exposure_ms: at most 10")

    with qtbot.waitSignal(slow.failed) as failure:
        slow.submit("exposure", refuse)
    assert failure.args == ["exposure_ms: at most 10"]
    slow.address = "tcp://there"
    replies = []
    slow.submit("state", lambda remote: remote, replies.append)
    qtbot.waitUntil(lambda: bool(replies))
    assert SlowRemote.made == ["tcp://here", "closed", "tcp://there"]


def test_an_engine_without_commands_is_reported(slow, qtbot):
    slow.address = ""
    with qtbot.waitSignal(slow.failed) as failure:
        slow.submit("pause", lambda remote: remote.pause())
    assert "accepts no commands" in failure.args[0]


def test_closing_does_not_wait_for_a_reply(slow):
    begun, let = threading.Event(), threading.Event()

    def call(_):
        begun.set()
        let.wait(10)

    slow.submit("model", call)
    begun.wait(10)
    start = time.perf_counter()
    slow.close()
    assert time.perf_counter() - start < 3
    let.set()


def test_the_window_keeps_drawing_while_the_engine_does_not_reply(engine, playing, qtbot):
    """The address is that of a socket that takes commands and never replies."""
    silent = FakeEngine(9)
    try:
        engine.status(status_of(engine, command_address=silent.address))
        refresh_until(playing, lambda: playing.session_data.status.command_address)
        playing.status_presenter.updated_s = 0.0
        playing.refresh()
        playing.central.control_panel.radius.setValue(9)
        for frame in range(4, 24):
            engine.positions(frame, rows_of((3, 10, 10)))
            start = time.perf_counter()
            refresh_until(playing, lambda frame=frame: playing.session_data.history.at(None).frame == frame)
            assert time.perf_counter() - start < 2.0
        assert shown_frame(playing) == 3  # no new preview arrived
    finally:
        silent.close()


# ---- the engine, with a window


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
def test_stopping_or_killing_the_window_does_not_affect_the_engine(running, tmp_path):
    command = [sys.executable, "-m", "livetrack", "view", running.publisher.address, "--no-config"]
    window = subprocess.Popen(command, env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not running.publisher._previews._subscribed:  # until it subscribes to previews
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with Remote(running.publisher.address) as remote:
            for send in (signal.SIGSTOP, signal.SIGKILL):
                window.send_signal(send)
                before = remote.state()
                wait_for(lambda before=before: remote.state().tracked > before.tracked + 45)
                after = remote.state()
                assert after.state == "running"
                assert after.lost == before.lost
    finally:
        window.kill()
        window.wait()
    while running.publisher._previews._subscribed:  # and the engine makes no more previews
        assert time.monotonic() < deadline + 30
        time.sleep(0.05)
