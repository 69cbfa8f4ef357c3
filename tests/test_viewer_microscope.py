"""The window's panel for presets, light and autofocus, with the real MMCore."""

from __future__ import annotations

from functools import partial

import pytest
import waiting
from live_engine import running

from livetrack.config import ViewSettings
from livetrack.devices import Property
from livetrack.devices.microscope import AutofocusState, LightState, MicroscopeState
from livetrack.viewer.data.async_remote import AsyncRemote
from livetrack.viewer.panels.microscope import MicroscopePanel
from livetrack.viewer.qt import QtCore
from livetrack.viewer.window import Window

LEFT = QtCore.Qt.MouseButton.LeftButton
until = partial(waiting.until, timeout_ms=20_000)
SETTINGS = ["camera.driver=micromanager", "localizer.model=centroid", "calibration.file=''"]


@pytest.fixture(scope="module")
def engine():
    with running(SETTINGS) as engine:
        yield engine


@pytest.fixture
def live(engine, qtbot, tmp_path, store):
    """Return a window that shows the microscope."""
    window = Window(engine.publisher.address, ViewSettings(fps=0.01), folder=tmp_path, store=store)
    qtbot.addWidget(window)
    window.resize(1200, 1000)
    with qtbot.waitExposed(window):
        window.show()
    until(qtbot, window, lambda: window.central.microscope_panel.fields)
    return window


def test_a_preset_is_chosen_and_the_pixel_size_follows(engine, live, qtbot):
    core, fields, notes = engine.camera.core, live.central.microscope_panel.fields, []
    live.central.control_panel.confirmed.connect(notes.append)
    live.central.microscope_panel.confirmed.connect(notes.append)
    until(qtbot, live, lambda: live.frame_presenter.shown[1])
    choice = fields["group Objective"]
    assert choice.currentText() == "10X"
    assert [choice.itemText(index) for index in range(choice.count())] == ["10X", "20X", "40X"]
    choice.textActivated.emit("40X")
    until(qtbot, live, lambda: len(notes) == 2)
    assert core.get_property("Objective", "Label") == "Nikon 40X Plan Fluor ELWD"
    assert sorted(notes) == [
        "Objective: 40X", "the image has changed: 0.25 µm per px, binning 1; trajectories begin again",
    ]  # fmt: skip
    assert live.frame_presenter.shown[1].pixel_size_um == 0.25
    core.set_property("Objective", "Label", "Objective-2")  # by hand: no preset, no pixel size
    until(qtbot, live, lambda: "pixel size unknown" in notes[-1])
    until(qtbot, live, lambda: fields["group Objective"].currentText() == "-")


def test_a_shutter_is_switched(engine, live, qtbot):
    core, fields = engine.camera.core, live.central.microscope_panel.fields
    assert (fields["open LED Shutter"].text(), fields["auto White Light Shutter"].isChecked()) == ("Open", True)
    qtbot.mouseClick(fields["open LED Shutter"], LEFT)
    until(qtbot, live, lambda: fields["open LED Shutter"].text() == "Close")
    assert core.get_shutter_open("LED Shutter")
    qtbot.mouseClick(fields["auto White Light Shutter"], LEFT)
    until(qtbot, live, lambda: not core.get_auto_shutter())


def test_the_autofocus_is_switched(engine, live, qtbot):
    core, fields, notes = engine.camera.core, live.central.microscope_panel.fields, []
    live.central.microscope_panel.confirmed.connect(notes.append)
    qtbot.mouseClick(fields["hold"], LEFT)
    until(qtbot, live, lambda: notes == ["Autofocus: holds the focus"])
    assert core.is_continuous_focus_enabled()
    fields["offset"].setValue(1.5)
    until(qtbot, live, lambda: core.get_auto_focus_offset() == 1.5)
    qtbot.mouseClick(fields["search"], LEFT)
    until(qtbot, live, lambda: notes[-1] == "Autofocus: the focus was searched")
    qtbot.mouseClick(fields["hold"], LEFT)
    until(qtbot, live, lambda: not core.is_continuous_focus_enabled())


def test_an_engine_without_a_microscope_shows_none(qtbot, tmp_path, store):
    with running(["camera.driver=simulated", "localizer.model=centroid"]) as engine:
        window = Window(engine.publisher.address, ViewSettings(fps=0.01), folder=tmp_path, store=store)
        qtbot.addWidget(window)
        window.show()
        until(qtbot, window, lambda: window.central.control_panel.exposure.value() > 1)
        assert window.central.sidebar.sections["Microscope"].isHidden()


def test_brightness_is_a_field_with_its_bounds(qtbot):
    remote = AsyncRemote()
    panel = MicroscopePanel(remote)
    qtbot.addWidget(panel)
    asked = []
    remote.submit = lambda key, call, on_reply=None: asked.append(key)
    level = Property(name="Lamp.Intensity", value=40, unit="%", low=0.0, high=100.0)
    panel.show_state(MicroscopeState(lights=(LightState(name="Lamp", open=True, levels=(level,)),)))
    field = panel.fields["level Lamp.Intensity"]
    assert (field.value(), field.minimum(), field.maximum(), field.suffix()) == (40.0, 0.0, 100.0, " %")
    assert not asked
    field.setValue(55)
    assert asked == ["microscope level Lamp.Intensity"]
    panel.show_state(MicroscopeState(autofocus=AutofocusState(name="AF", continuous=True, locked=True)))
    assert set(panel.fields) == {"hold", "search"}
    panel.show_state(MicroscopeState())
    assert not panel.fields
    remote.close()
