"""Controls of the microscope: presets of the configuration groups, light, autofocus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from livetrack.client import Remote
from livetrack.devices import Property
from livetrack.devices.microscope import AutofocusState, ConfigGroup, LightState, MicroscopeState
from livetrack.errors import CommandError
from livetrack.viewer.data.async_remote import AsyncRemote
from livetrack.viewer.panels.fields import ChoiceField, DoubleField, button, in_a_row
from livetrack.viewer.panels.sidebar import form
from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["MicroscopePanel"]

NO_PRESET = "-"
"""Shown if the devices agree with no preset of a group."""
MAX_NUMBER = 1e6


class MicroscopePanel(QtWidgets.QWidget):
    """Shows what the engine's microscope has, and sends every change through `remote`; empty if it has nothing."""

    confirmed = QtCore.Signal(str)
    """The value that is in force after a change."""
    available = QtCore.Signal(bool)
    """Whether there is anything to show."""

    def __init__(self, remote: AsyncRemote) -> None:
        super().__init__()
        self._remote = remote
        self.fields: dict[str, Any] = {}
        """The fields by "group NAME", "open NAME", "auto NAME", "level NAME", "hold", "offset" and "search"."""
        self._shape: object = None
        self._form = QtWidgets.QWidget()
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self._form)

    def request_state(self) -> None:
        """Request the state of the microscope; rarely, because its devices may take long to answer."""
        self._remote.submit("microscope", _read, self.show_state)

    def show_state(self, state: MicroscopeState) -> None:
        """Show the presets in force, the lights and the autofocus."""
        shape = (
            [(group.name, group.presets) for group in state.groups],
            [(light.name, [level.name for level in light.levels]) for light in state.lights],
            state.autofocus and (state.autofocus.name, state.autofocus.offset is None),
        )
        if shape != self._shape:
            self._shape = shape
            self._lay_out(state)
            self.available.emit(bool(self.fields))
        for group in state.groups:
            self._show_group(group)
        for light in state.lights:
            self.fields[f"open {light.name}"].setChecked(light.open)
            self.fields[f"open {light.name}"].setText("Close" if light.open else "Open")
            self.fields[f"auto {light.name}"].setChecked(light.auto)
            for level in light.levels:
                self.fields[f"level {level.name}"].show_value(float(level.value))
        if autofocus := state.autofocus:
            self.fields["hold"].setChecked(autofocus.continuous)
            if autofocus.offset is not None:
                self.fields["offset"].show_value(autofocus.offset)

    def _show_group(self, group: ConfigGroup) -> None:
        field = self.fields[f"group {group.name}"]
        field.blockSignals(True)
        field.clear()
        field.addItems([*([] if group.current else [NO_PRESET]), *group.presets])
        field.setCurrentText(group.current or NO_PRESET)
        field.blockSignals(False)

    def _command(self, field: str, call: Callable[[Remote], Any], text: Callable[[Any], str]) -> None:
        """Submit the command of a field; when it has succeeded, emit `text` of its result and request the state."""

        def on_reply(reply: Any) -> None:
            self.confirmed.emit(text(reply))
            self.request_state()

        self._remote.submit(f"microscope {field}", call, on_reply)

    def _lay_out(self, state: MicroscopeState) -> None:
        """Replace the fields by those of this microscope."""
        self.fields = {}
        panel, grid = form()
        for group in state.groups:
            self._add(grid, group.name, f"Preset of the configuration group {group.name}", self._group_field(group))
        for light in state.lights:
            self._add(grid, light.name, f"Shutter or lamp {light.name}", self._light_field(light))
            for level in light.levels:
                name = level.name.removeprefix(f"{light.name}.")
                self._add(grid, name, f"Brightness: {level.name}", self._level_field(level))
        if state.autofocus:
            tip = f"Autofocus {state.autofocus.name}: hold the focus, or search it once, which moves the focus drive"
            self._add(grid, "Autofocus", tip, self._autofocus_field())
            if state.autofocus.offset is not None:
                self._add(
                    grid, "Offset", "Offset of the focus that is held, in the device's unit", self._offset_field()
                )
        self._layout.replaceWidget(self._form, panel)
        self._form.deleteLater()
        self._form = panel

    def _add(self, grid: QtWidgets.QGridLayout, name: str, tip: str, field: QtWidgets.QWidget) -> None:
        label = QtWidgets.QLabel(name)
        label.setObjectName("faint")
        label.setWordWrap(True)
        for widget in (label, field):
            widget.setToolTip(tip)
        row = grid.rowCount()
        grid.addWidget(label, row, 0)
        grid.addWidget(field, row, 1)

    def _group_field(self, group: ConfigGroup) -> QtWidgets.QWidget:
        key = f"group {group.name}"
        field = self.fields[key] = ChoiceField()

        def text(done: ConfigGroup) -> str:
            return f"{done.name}: {done.current or 'no preset'}"

        def choose(preset: str) -> None:
            if preset in group.presets:
                self._command(key, lambda remote: remote.set_preset(group.name, preset), text)

        field.textActivated.connect(choose)
        return field

    def _light_field(self, light: LightState) -> QtWidgets.QWidget:
        name = light.name
        switch = self.fields[f"open {name}"] = button("Open", checkable=True)
        auto = self.fields[f"auto {name}"] = button("With camera", checkable=True)
        auto.setToolTip("The camera opens it when it starts and closes it when it stops")

        def text(done: LightState) -> str:
            return f"{done.name}: {'open' if done.open else 'closed'}" + (", with the camera" if done.auto else "")

        def set_open(on: bool) -> None:
            self._command(f"open {name}", lambda remote: remote.set_light(on, name=name), text)

        def set_auto(on: bool) -> None:
            self._command(f"auto {name}", lambda remote: remote.set_light(name=name, auto=on), text)

        switch.clicked.connect(set_open)
        auto.clicked.connect(set_auto)
        return in_a_row(switch, auto)

    def _level_field(self, level: Property) -> QtWidgets.QWidget:
        low = -MAX_NUMBER if level.low is None else level.low
        high = MAX_NUMBER if level.high is None else level.high
        whole = isinstance(level.value, int)
        key = f"level {level.name}"
        field = self.fields[key] = DoubleField(f" {level.unit}" if level.unit else "", low, high, 0 if whole else 2)

        def set_level(value: float) -> None:
            wanted = round(value) if whole else value
            self._command(
                key, lambda remote: remote.set_property(level.name, wanted), lambda done: f"{done.name}: {done.value}"
            )

        field.valueChanged.connect(set_level)
        return field

    def _autofocus_field(self) -> QtWidgets.QWidget:
        hold = self.fields["hold"] = button("Hold focus", checkable=True)
        search = self.fields["search"] = button("Search once")

        def text(done: AutofocusState) -> str:
            return f"{done.name}: {'holds the focus' if done.continuous else 'off'}"

        def set_hold(on: bool) -> None:
            self._command("hold", lambda remote: remote.set_autofocus(on), text)

        hold.clicked.connect(set_hold)
        search.clicked.connect(
            lambda: self._command("search", Remote.focus_once, lambda done: f"{done.name}: the focus was searched")
        )
        return in_a_row(hold, search)

    def _offset_field(self) -> QtWidgets.QWidget:
        field = self.fields["offset"] = DoubleField("", -MAX_NUMBER, MAX_NUMBER, 2)

        def set_offset(value: float) -> None:
            self._command(
                "offset",
                lambda remote: remote.set_autofocus(offset=value),
                lambda done: f"{done.name}: offset {done.offset:g}",
            )

        field.valueChanged.connect(set_offset)
        return field


def _read(remote: Remote) -> MicroscopeState:
    """Return the state of the microscope; an older engine has none."""
    try:
        return remote.microscope()
    except CommandError as error:
        if "unknown command" in str(error):
            return MicroscopeState()
        raise
