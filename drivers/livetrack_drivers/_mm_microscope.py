"""Configuration groups, light sources and autofocus of MMCore."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from livetrack.devices import Property, Value
from livetrack.devices.microscope import AutofocusState, ConfigGroup, LightState
from livetrack.errors import CameraError
from livetrack_drivers._mm_access import DeviceAccess, shared, urgent
from livetrack_drivers._mm_actuators import MicroManagerActuators
from livetrack_drivers._mm_properties import CORE_ERRORS, Scalar, check_value, describe, one_line

__all__ = ["MicroscopeControls"]

_ARRIVAL_S = 60.0
_POLL_S = 0.005
_SHUTTER_DEVICE = 3  # pymmcore.ShutterDevice
_BRIGHTNESS = re.compile(r"intens|power|level|brightness|percent", re.IGNORECASE)


class MicroscopeControls:
    """The part of `MicroManagerCamera` that is neither the camera nor an actuator."""

    _access: DeviceAccess
    _actuators: MicroManagerActuators

    @property
    def core(self) -> Any:
        """The open core."""
        raise NotImplementedError

    def set_property(self, name: str, value: Scalar) -> Property:
        """Set a property by its name, "Device.Property"."""
        raise NotImplementedError

    def require_settable(self, devices: Iterable[str]) -> None:
        """Raise `CameraError` if a property of one of `devices` cannot be set now."""
        raise NotImplementedError

    @shared
    def config_groups(self) -> list[ConfigGroup]:
        """Return the configuration groups, each with the preset that is in force."""
        return [_group(self.core, group) for group in self.core.get_available_config_groups()]

    @shared
    def preset_settings(self, group: str, preset: str) -> Mapping[str, Value]:
        """Return what a preset sets, by "Device.Property"."""
        return {f"{device}.{key}": text for device, key, text in _preset_settings(self.core, group, preset)}

    @shared
    def set_preset(self, group: str, preset: str) -> ConfigGroup:
        """Set the properties of a preset that differ, those of the camera as `set_property` does."""
        core = self.core
        settings = _preset_settings(core, group, preset)
        different = [(device, key, text) for device, key, text in settings if core.get_property(device, key) != text]
        checked = [(f"{device}.{key}", check_value(core, device, key, text)) for device, key, text in different]
        self.require_settable(device for device, _, _ in different)
        for name, text in checked:
            self.set_property(name, text)
        _wait(core, {device for device, _, _ in settings if device != "Core"})
        return _group(core, group)

    @shared
    def lights(self) -> list[LightState]:
        """Return the shutters, the one that MMCore operates with the camera first."""
        core = self.core
        labels = list(core.get_loaded_devices_of_type(_SHUTTER_DEVICE))
        with _device_errors("shutters"):
            return [
                _light(core, label) for label in sorted(labels, key=lambda label: label != core.get_shutter_device())
            ]

    @shared
    def set_light(self, name: str, *, opened: bool | None = None, auto: bool | None = None) -> LightState:
        """Open or close a shutter; with `auto`, MMCore operates it with the camera, instead of another one."""
        core = self.core
        labels = list(core.get_loaded_devices_of_type(_SHUTTER_DEVICE))
        label = name or core.get_shutter_device()
        if label not in labels:
            raise CameraError(f"no shutter is called {label!r}: there are {', '.join(labels) or 'none'}")
        with _device_errors(f"shutter {label!r}"):
            if auto is not None:
                if auto and core.get_shutter_device() != label:
                    core.set_shutter_device(label)
                if auto or core.get_shutter_device() == label:
                    core.set_auto_shutter(auto)
            if opened is not None:
                core.set_shutter_open(label, opened)
                core.wait_for_device(label)
            return _light(core, label)

    @urgent
    def autofocus(self) -> AutofocusState | None:
        """Return the state of the default autofocus."""
        core = self.core
        label = core.get_auto_focus_device()
        if not label:
            return None
        with _device_errors(f"autofocus {label!r}"):
            continuous, locked = core.is_continuous_focus_enabled(), core.is_continuous_focus_locked()
        offset = None
        with suppress(*CORE_ERRORS):  # it has none
            offset = core.get_auto_focus_offset()
        return AutofocusState(name=label, continuous=continuous, locked=locked, offset=offset)

    @urgent
    def set_autofocus(self, *, continuous: bool | None = None, offset: float | None = None) -> AutofocusState:
        """Set the offset of the default autofocus, and let it hold the focus or not."""
        core, label = self.core, self._autofocus_label()
        if offset is not None and not math.isfinite(offset):
            raise CameraError(f"autofocus {label!r}: the offset cannot be {offset}")
        with _device_errors(f"autofocus {label!r}"):
            if offset is not None:
                core.set_auto_focus_offset(offset)
            if continuous is not None:
                core.enable_continuous_focus(continuous)
        self._actuators.forget_target(core.get_focus_device())
        return self._autofocus_state()

    @shared
    def focus_once(self) -> AutofocusState:
        """Search the focus once with the default autofocus."""
        label = self._autofocus_label()
        try:
            with _device_errors(f"autofocus {label!r}"):
                self.core.full_focus()
        finally:
            self._actuators.forget_target(self.core.get_focus_device())
        return self._autofocus_state()

    def _autofocus_label(self) -> str:
        label = str(self.core.get_auto_focus_device())
        if not label:
            raise CameraError("the configuration has no autofocus device")
        return label

    def _autofocus_state(self) -> AutofocusState:
        state = self.autofocus()
        assert state is not None
        return state


def _group(core: Any, group: str) -> ConfigGroup:
    current = ""
    with suppress(*CORE_ERRORS):  # a device does not answer
        current = str(core.get_current_config(group))
    return ConfigGroup(name=group, presets=tuple(core.get_available_configs(group)), current=current)


def _preset_settings(core: Any, group: str, preset: str) -> list[tuple[str, str, str]]:
    """Return device, property and value of what a preset sets, in order. Raises `CameraError` if there is none."""
    groups = list(core.get_available_config_groups())
    if group not in groups:
        raise CameraError(f"no configuration group is called {group!r}: there are {', '.join(groups) or 'none'}")
    presets = list(core.get_available_configs(group))
    if preset not in presets:
        raise CameraError(f"group {group!r} has no preset {preset!r}: it has {', '.join(presets) or 'none'}")
    data = core.get_config_data(group, preset)
    settings = map(data.getSetting, range(data.size()))
    return [(one.getDeviceLabel(), one.getPropertyName(), one.getPropertyValue()) for one in settings]


def _wait(core: Any, devices: Iterable[str]) -> None:
    """Wait until devices have arrived; MMCore's own wait gives up after 5 s."""
    deadline = time.monotonic() + _ARRIVAL_S
    for device in devices:
        with _device_errors(f"device {device!r}"):
            while core.device_busy(device):
                if time.monotonic() > deadline:
                    raise CameraError(f"device {device!r} is still busy after {_ARRIVAL_S:g} s")
                time.sleep(_POLL_S)


def _light(core: Any, label: str) -> LightState:
    return LightState(
        name=label,
        open=core.get_shutter_open(label),
        auto=core.get_auto_shutter() and core.get_shutter_device() == label,
        levels=tuple(_levels(core, label)),
    )


def _levels(core: Any, label: str) -> Iterator[Property]:
    """Yield the properties of a light source that set its brightness."""
    for key in core.get_device_property_names(label):
        if _BRIGHTNESS.search(key):
            described = describe(core, label, key)
            if not described.read_only and isinstance(described.value, int | float):
                yield described


@contextmanager
def _device_errors(what: str) -> Iterator[None]:
    try:
        yield
    except CORE_ERRORS as error:
        raise CameraError(f"{what}: {one_line(error)}") from error
