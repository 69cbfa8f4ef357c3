"""The panel of controls: what a person can change while the engine runs. It asks; the engine says what is in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from livetrack.client import Remote
from livetrack.devices import EXPOSURE, Property
from livetrack.viewer.data.async_remote import Line
from livetrack.viewer.panels.fields import Choice, Number
from livetrack.viewer.panels.sidebar import form, note
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.wire import Status
from livetrack.wire.commands import HelloReply

__all__ = ["Controls"]

FOLDER = "recordings"
"""Where recordings go when neither the person nor the settings say."""
OWN = "model's own"
UNKNOWN = "-"
LONGEST_MS = 1e5


class Controls(QtWidgets.QWidget):
    """Every change goes through `line`, as any client's does; `done` tells in words what is in force."""

    done = QtCore.Signal(str)
    region_wanted = QtCore.Signal()

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self.settings: dict[str, Any] = {}
        """In force, section by section, as the engine said last."""
        self.exposure = Number(" ms", 0.0, LONGEST_MS, 3)
        self.exposure.setSpecialValueText(UNKNOWN)
        self.threshold = Number("", 0.0, 0.99, 2)
        self.threshold.setSpecialValueText(OWN)
        self.threshold.setSingleStep(0.05)
        self.radius = Number(" px", 0.0, 1e4, 2)
        self.radius.setSingleStep(0.5)
        self.radius.setSpecialValueText(UNKNOWN)
        self.model = Choice()
        self.model.setEditable(True)
        self.model.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.model.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        self.folder = QtWidgets.QLineEdit(FOLDER)
        self.region, self.whole = _button("Choose"), _button("Whole")
        self.camera_switch = _button("Close camera")
        self.record_button = _button("Record", checkable=True)
        self.record_button.setObjectName("record")
        self.pause_button = _button("Pause tracking", checkable=True)
        self.target, self.drop_target = QtWidgets.QLabel(), _button("Let go")
        self.geometry_text = QtWidgets.QLabel()
        self.folder.setMinimumWidth(40)
        self._closed = False  # the camera, by command
        self._lay_out()
        self._connect()
        self.setEnabled(False)

    # what is asked of the engine

    def pause(self, on: bool) -> None:
        """Track no frame until it is switched off."""
        self._ask("pause", lambda remote: remote.pause() if on else remote.resume(), lambda state: f"tracking: {state}")

    def record(self, on: bool) -> None:
        """Begin a recording below the folder that is given, or end it."""
        folder = self.folder.text().strip()
        if on:
            self._ask("record", lambda remote: remote.start_recording(folder), lambda at: f"recording to {at.folder}")
        else:
            self._ask("record", Remote.stop_recording, lambda at: f"recorded {at.frames:,} frames: {at.folder}")

    def set_region(self, x: int, y: int, width: int, height: int) -> None:
        """Have a part of the image only, px of the whole image as delivered."""
        self._ask("region", lambda remote: remote.set_roi(x, y, width, height), _geometry_words)

    def clear_region(self) -> None:
        """Have the whole image again."""
        self._ask("region", Remote.clear_roi, _geometry_words)

    def choose_target(self, number: int | None) -> None:
        """Make a trajectory the target of whoever controls; None: no longer."""
        if number is None:
            self._ask("target", Remote.clear_target, lambda _: "no target")
        else:
            self._ask("target", lambda remote: remote.choose_target(number), lambda chosen: f"the target is #{chosen}")

    def switch_camera(self) -> None:
        """Close the camera, or open it again."""
        call = Remote.start if self._closed else Remote.stop
        self._ask("camera", call, lambda state: f"the camera is {state}")

    # what the engine says

    def learn(self) -> None:
        """Ask for the settings in force."""
        self._line.ask("hello", Remote.hello, self.show_settings)

    def learn_camera(self) -> None:
        """Ask what the camera can be told: seldom, for a device may take its time over that."""
        self._line.ask("properties", Remote.properties, self.show_properties)

    def show_settings(self, welcome: HelloReply) -> None:
        """Show the settings in force; a field that is typed into is left alone."""
        self.settings = welcome.settings
        localizer, linker, camera = (
            welcome.settings.get(section) or {} for section in ("localizer", "linker", "driver_settings")
        )
        self.threshold.show_value(localizer.get("threshold") or 0.0)
        self.radius.show_value(linker.get("search_radius_px") or 0.0)
        if EXPOSURE in camera:
            self.exposure.show_value(camera[EXPOSURE])
        if not self.model.hasFocus():
            self.model.blockSignals(True)
            self.model.clear()
            self.model.addItems(list(dict.fromkeys((*welcome.models, str(localizer.get("model", ""))))))
            self.model.setCurrentText(str(localizer.get("model", "")))
            self.model.blockSignals(False)
        if (folder := (welcome.settings.get("record") or {}).get("folder")) and self.folder.text() == FOLDER:
            self.folder.setText(folder)
        geometry = welcome.geometry
        self.geometry_text.setText(f"{geometry.width} x {geometry.height}")

    def show_properties(self, properties: list[Property]) -> None:
        """Show the exposure and its bounds; a camera without one has no field for it."""
        exposure = next((each for each in properties if each.name == EXPOSURE), None)
        self.exposure.setEnabled(exposure is not None and not exposure.read_only)
        if exposure is not None:
            self.exposure.show_value(float(exposure.value), (exposure.low or 0.0, exposure.high or LONGEST_MS))

    def show_status(self, status: Status) -> None:
        """Show what is on and what is off."""
        self.setEnabled(bool(status.command_address))
        self._closed = status.state == "idle"
        self.camera_switch.setText("Open camera" if self._closed else "Close camera")
        for button, on in ((self.pause_button, status.state == "paused"), (self.record_button, _recording(status))):
            button.setChecked(on)
        self.record_button.setText("Stop" if _recording(status) else "Record")
        self.pause_button.setText("Resume" if status.state == "paused" else "Pause tracking")
        self.target.setText("none: click a particle" if status.target is None else f"#{status.target}")
        self.drop_target.setEnabled(status.target is not None)

    def _ask(self, what: str, call: Callable[[Remote], Any], words: Callable[[Any], str]) -> None:
        def then(answer: Any) -> None:
            self.done.emit(words(answer))
            self._line.ask("hello", Remote.hello, self.show_settings)

        self._line.ask(what, call, then)

    def _set_exposure(self) -> None:
        wanted_ms = self.exposure.value()
        self._ask("exposure", lambda remote: remote.set_exposure(wanted_ms), lambda ms: f"exposure {ms:g} ms")
        self.learn_camera()

    def _set_threshold(self) -> None:
        wanted = self.threshold.value() or None
        self._ask("threshold", lambda remote: remote.set_threshold(wanted), lambda value: f"threshold {value:.2f}")

    def _set_radius(self) -> None:
        wanted_px = self.radius.value()
        self._ask("radius", lambda remote: remote.set_search_radius(wanted_px), lambda px: f"search radius {px:g} px")

    def _set_model(self) -> None:
        wanted = self.model.currentText().strip()
        if wanted and wanted != (self.settings.get("localizer") or {}).get("model"):
            self.done.emit(f"loading {wanted} ...")
            self._ask("model", lambda remote: remote.swap_model(wanted), lambda name: f"model {name}")
        self.model.clearFocus()

    def _connect(self) -> None:
        for spin, call in (
            (self.exposure, self._set_exposure), (self.threshold, self._set_threshold), (self.radius, self._set_radius),
        ):  # fmt: skip
            spin.valueChanged.connect(lambda _, call=call: call())
        self.model.textActivated.connect(lambda _: self._set_model())
        line_edit = self.model.lineEdit()
        if line_edit is not None:
            line_edit.returnPressed.connect(self._set_model)
        self.folder.editingFinished.connect(self.folder.clearFocus)
        self.region.clicked.connect(self.region_wanted)
        self.whole.clicked.connect(self.clear_region)
        self.camera_switch.clicked.connect(self.switch_camera)
        self.pause_button.clicked.connect(self.pause)
        self.record_button.clicked.connect(self.record)
        self.drop_target.clicked.connect(lambda: self.choose_target(None))

    def _lay_out(self) -> None:
        panel, grid = form()
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(panel)
        rows: tuple[tuple[str, str, QtWidgets.QWidget], ...] = (
            ("", "", _side_by_side(self.pause_button, self.camera_switch)),
            ("Exposure", "Of each picture", self.exposure),
            ("Region", "What the camera delivers", _side_by_side(self.geometry_text, self.region, self.whole)),
            ("Model", "Finds the particles: a name, or an ONNX file as the engine sees it", self.model),
            ("Threshold", "Least score of a particle", self.threshold),
            ("Search radius", "How far a particle may be from where it is expected", self.radius),
            ("Target", "The particle that control programs follow", _side_by_side(self.target, self.drop_target)),
            ("Record to", "A folder on the engine's machine; each recording makes its own in it",
             _side_by_side(self.folder, self.record_button)),
        )  # fmt: skip
        for row, (name, tip, field) in enumerate(rows):
            field.setToolTip(tip)
            if name:
                label = QtWidgets.QLabel(name)
                label.setObjectName("faint")
                label.setToolTip(tip)
                grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1 if name else 0, 1, 1 if name else 2)
        grid.addWidget(note("Each change takes effect at once."), len(rows), 0, 1, 2)


def _recording(status: Status) -> bool:
    return status.recording is not None and not status.recording.problem


def _geometry_words(geometry: Any) -> str:
    return f"region {geometry.width} x {geometry.height} px at {geometry.x_origin}, {geometry.y_origin}"


def _side_by_side(*widgets: QtWidgets.QWidget) -> QtWidgets.QWidget:
    row = QtWidgets.QWidget()
    layout = QtWidgets.QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    for widget in widgets:
        layout.addWidget(widget, 0 if isinstance(widget, QtWidgets.QPushButton) and len(widgets) > 2 else 1)
    return row


def _button(text: str, *, checkable: bool = False) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(text)
    button.setCheckable(checkable)
    button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
    return button
