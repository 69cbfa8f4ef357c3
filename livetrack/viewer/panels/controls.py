"""The control panel: settings and commands for the running engine, whose replies determine what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from livetrack.client import Remote
from livetrack.devices import EXPOSURE, Property
from livetrack.viewer.data.async_remote import AsyncRemote
from livetrack.viewer.panels.fields import ChoiceField, DoubleField, button, in_a_row
from livetrack.viewer.panels.sidebar import form, note
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.wire import Status
from livetrack.wire.commands import HelloReply

__all__ = ["ControlPanel"]

FOLDER = "recordings"
"""Where recordings are saved unless the user or the settings name another folder."""
DEFAULT = "default"
UNKNOWN = "-"
MAX_EXPOSURE_MS = 1e5


class ControlPanel(QtWidgets.QWidget):
    """Sends every change through `remote`, as any client would; emits `confirmed` with the value now active."""

    confirmed = QtCore.Signal(str)
    roi_requested = QtCore.Signal()
    """The ROI is to be selected on the image."""

    def __init__(self, remote: AsyncRemote) -> None:
        super().__init__()
        self._remote = remote
        self.settings: dict[str, Any] = {}
        """The active settings, section by section, from the engine's last reply."""
        self.exposure = DoubleField(" ms", 0.0, MAX_EXPOSURE_MS, 3)
        self.exposure.setSpecialValueText(UNKNOWN)
        self.threshold = DoubleField("", 0.0, 0.99, 2)
        self.threshold.setSpecialValueText(DEFAULT)
        self.threshold.setSingleStep(0.05)
        self.radius = DoubleField(" px", 0.0, 1e4, 2)
        self.radius.setSingleStep(0.5)
        self.radius.setSpecialValueText(UNKNOWN)
        self.model = ChoiceField()
        self.model.setEditable(True)
        self.model.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.model.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        self.folder = QtWidgets.QLineEdit(FOLDER)
        self.folder.setMinimumWidth(40)
        self.size_text = QtWidgets.QLabel()
        self.roi_button, self.full_frame_button = button("Select"), button("Full frame")
        self.camera_button = button("Close camera")
        self.record_button = button("Record", checkable=True)
        self.record_button.setObjectName("record")
        self.pause_button = button("Pause tracking", checkable=True)
        self.target, self.clear_target_button = QtWidgets.QLabel(), button("Clear")
        self._camera_closed = False  # by command
        self._lay_out()
        self._connect()
        self.setEnabled(False)

    # commands to the engine

    def pause(self, on: bool) -> None:
        """Pause tracking, or resume it."""
        call = Remote.pause if on else Remote.resume
        self._command("pause", call, lambda state: f"tracking: {state}")

    def record(self, on: bool) -> None:
        """Start a recording in the given folder, or stop it."""
        folder = self.folder.text().strip()
        if on:
            self._command(
                "record", lambda remote: remote.start_recording(folder), lambda reply: f"recording to {reply.folder}"
            )
        else:
            self._command(
                "record", Remote.stop_recording, lambda reply: f"recorded {reply.frames:,} frames to {reply.folder}"
            )

    def set_roi(self, x: int, y: int, width: int, height: int) -> None:
        """Set the camera's ROI, px of the full frame as delivered."""
        self._command("roi", lambda remote: remote.set_roi(x, y, width, height), _roi_text)

    def clear_roi(self) -> None:
        """Return to the full frame."""
        self._command("roi", Remote.clear_roi, _roi_text)

    def choose_target(self, track_id: int | None) -> None:
        """Choose the track for control; None clears it."""
        if track_id is None:
            self._command("target", Remote.clear_target, lambda _: "no target")
        else:
            self._command(
                "target", lambda remote: remote.choose_target(track_id), lambda chosen: f"the target is #{chosen}"
            )

    def use_model(self, model: str) -> None:
        """Switch to another model: a name, or a file on the engine's computer."""
        self.confirmed.emit(f"loading {model} ...")
        self._command("model", lambda remote: remote.swap_model(model), lambda name: f"model {name}")

    def switch_camera(self) -> None:
        """Close the camera, or open it again."""
        call = Remote.start if self._camera_closed else Remote.stop
        self._command("camera", call, lambda state: f"the camera is {state}")

    def request_settings(self) -> None:
        """Request the active settings."""
        self._remote.submit("hello", Remote.hello, self.show_settings)

    def request_properties(self) -> None:
        """Request the camera's properties; rarely, because a camera may take long to read them."""
        self._remote.submit("properties", Remote.properties, self.show_properties)

    # replies and heartbeats of the engine

    def show_settings(self, hello: HelloReply) -> None:
        """Show the active settings, except in a field that is being edited."""
        self.settings = hello.settings
        localizer, linker, camera = (
            hello.settings.get(section) or {} for section in ("localizer", "linker", "driver_settings")
        )
        self.threshold.show_value(localizer.get("threshold") or 0.0)
        self.radius.show_value(linker.get("search_radius_px") or 0.0)
        if camera.get(EXPOSURE) is not None:  # else the camera's own, among its properties
            self.exposure.show_value(camera[EXPOSURE])
        if not self.model.hasFocus():
            model = str(localizer.get("model", ""))
            self.model.blockSignals(True)
            self.model.clear()
            self.model.addItems(list(dict.fromkeys((*hello.models, model))))
            self.model.setCurrentText(model)
            self.model.blockSignals(False)
        if (folder := (hello.settings.get("record") or {}).get("folder")) and self.folder.text() == FOLDER:
            self.folder.setText(folder)
        self.size_text.setText(f"{hello.geometry.width} x {hello.geometry.height}")

    def show_properties(self, properties: list[Property]) -> None:
        """Show the exposure and its limits; disable the field if the camera has none."""
        exposure = next((each for each in properties if each.name == EXPOSURE), None)
        self.exposure.setEnabled(exposure is not None and not exposure.read_only)
        if exposure is not None:
            self.exposure.show_value(float(exposure.value), (exposure.low or 0.0, exposure.high or MAX_EXPOSURE_MS))

    def show_status(self, status: Status) -> None:
        """Show what is on and what is off."""
        paused, recording = status.state == "paused", status.recording is not None and not status.recording.problem
        self.setEnabled(bool(status.command_address))
        self._camera_closed = status.state == "idle"
        self.camera_button.setText("Open camera" if self._camera_closed else "Close camera")
        self.pause_button.setChecked(paused)
        self.pause_button.setText("Resume" if paused else "Pause tracking")
        self.record_button.setChecked(recording)
        self.record_button.setText("Stop" if recording else "Record")
        self.target.setText("none" if status.target is None else f"#{status.target}")
        self.clear_target_button.setEnabled(status.target is not None)

    def _command(self, key: str, call: Callable[[Remote], Any], text: Callable[[Any], str]) -> None:
        """Submit a command; when it has succeeded, emit `text` of its result and request the settings."""

        def on_reply(reply: Any) -> None:
            self.confirmed.emit(text(reply))
            self.request_settings()

        self._remote.submit(key, call, on_reply)

    def _set_exposure(self) -> None:
        exposure_ms = self.exposure.value()
        self._command("exposure", lambda remote: remote.set_exposure(exposure_ms), lambda ms: f"exposure {ms:g} ms")
        self.request_properties()

    def _set_threshold(self) -> None:
        threshold = self.threshold.value() or None
        self._command("threshold", lambda remote: remote.set_threshold(threshold), lambda t: f"threshold {t:.2f}")

    def _set_radius(self) -> None:
        radius_px = self.radius.value()
        self._command(
            "radius", lambda remote: remote.set_search_radius(radius_px), lambda px: f"search radius {px:g} px"
        )

    def _set_model(self) -> None:
        model = self.model.currentText().strip()
        if model and model != (self.settings.get("localizer") or {}).get("model"):
            self.use_model(model)
        self.model.clearFocus()

    def _connect(self) -> None:
        for field, set_value in (
            (self.exposure, self._set_exposure), (self.threshold, self._set_threshold), (self.radius, self._set_radius),
        ):  # fmt: skip
            field.valueChanged.connect(lambda _, set_value=set_value: set_value())
        self.model.textActivated.connect(lambda _: self._set_model())
        line_edit = self.model.lineEdit()
        if line_edit is not None:
            line_edit.returnPressed.connect(self._set_model)
        self.folder.editingFinished.connect(self.folder.clearFocus)
        self.roi_button.clicked.connect(self.roi_requested)
        self.full_frame_button.clicked.connect(self.clear_roi)
        self.camera_button.clicked.connect(self.switch_camera)
        self.pause_button.clicked.connect(self.pause)
        self.record_button.clicked.connect(self.record)
        self.clear_target_button.clicked.connect(lambda: self.choose_target(None))

    def _lay_out(self) -> None:
        panel, grid = form()
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(panel)
        rows: tuple[tuple[str, str, QtWidgets.QWidget], ...] = (
            ("", "", in_a_row(self.pause_button, self.camera_button)),
            ("Exposure", "Exposure time of each frame", self.exposure),
            ("ROI", "Region of interest that the camera delivers",
             in_a_row(self.size_text, self.roi_button, self.full_frame_button)),
            ("Model", "Finds the particles: a name, or the path of an ONNX file on the engine's computer", self.model),
            ("Threshold", "Localisations with a lower score are left out", self.threshold),
            ("Search radius", "Maximum distance between the expected and the found position", self.radius),
            ("Target", "The track that control programs follow; click a particle to choose it",
             in_a_row(self.target, self.clear_target_button)),
            ("Record to", "Folder on the engine's computer; each recording gets a folder of its own in it",
             in_a_row(self.folder, self.record_button)),
        )  # fmt: skip
        for row, (name, tip, field) in enumerate(rows):
            field.setToolTip(tip)
            if name:
                label = QtWidgets.QLabel(name)
                label.setObjectName("faint")
                label.setToolTip(tip)
                grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1 if name else 0, 1, 1 if name else 2)
        grid.addWidget(note("Changes take effect at once."), len(rows), 0, 1, 2)


def _roi_text(geometry: Any) -> str:
    return f"ROI {geometry.width} x {geometry.height} px at {geometry.x_origin}, {geometry.y_origin}"
