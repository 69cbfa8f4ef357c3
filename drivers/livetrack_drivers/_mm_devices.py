"""Which devices of MMCore a session uses by itself, which on command, and which it leaves alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from livetrack.devices.microscope import DeviceList, DeviceUse

__all__ = ["describe_loading", "list_devices"]

_SHUTTER_DEVICE = 3  # pymmcore.ShutterDevice
_STARTUP = ("System", "Startup")  # the preset that MMCore applies when it loads a configuration


def list_devices(
    core: Any,
    opening: str,
    cameras: Collection[str],
    actuators: Mapping[str, str],
    properties: Iterable[tuple[str, object]],
    *,
    starts: bool,
) -> DeviceList:
    """Return all loaded devices but the core itself.

    Parameters
    ----------
    core
        A `pymmcore.CMMCore`.
    opening
        What was done to open it, in words.
    cameras
        Labels of the cameras that are run.
    actuators
        Labels by role: "stage", "focus", "galvo".
    properties
        "Device.Property" and value, of all that the settings set.
    starts
        Whether the session starts the cameras; else it reads along.
    """
    labels = [label for label in core.get_loaded_devices() if label != "Core"]
    by_itself = dict.fromkeys(cameras, "is started and stopped" if starts else "is read, while Micro-Manager runs it")
    on_command: dict[str, list[str]] = {label: [] for label in labels}
    shutter = str(core.get_shutter_device())
    if starts and core.get_auto_shutter() and shutter:
        by_itself[shutter] = "opens with the camera (auto-shutter)"
    for role, label in actuators.items():
        on_command[label].append(role)
    for label in core.get_loaded_devices_of_type(_SHUTTER_DEVICE):
        on_command[label].append("light")
    if autofocus := str(core.get_auto_focus_device()):
        on_command[autofocus].append("autofocus")
    for group in core.get_available_config_groups():
        for label in _preset_devices(core, group) & set(labels):
            on_command[label].append(f"presets of {group}")
    values: dict[str, list[str]] = {label: [] for label in labels}
    for name, value in properties:
        device, _, key = name.partition(".")
        values.setdefault(device, []).append(f"{key} = {value!r}")
    devices = [
        DeviceUse(
            name=label,
            by_itself=by_itself.get(label, ""),
            properties=tuple(values[label]),
            on_command=tuple(on_command.get(label, ())),
        )
        for label in values
    ]
    return DeviceList(opening=opening, devices=tuple(devices))


def describe_loading(core: Any, config: Path) -> str:
    """Return what loading a configuration file has done to the devices, in words."""
    count = len([label for label in core.get_loaded_devices() if label != "Core"])
    text = f"{config.name} is loaded once in a process, which initialises all {count} devices"
    group, preset = _STARTUP
    if group not in core.get_available_config_groups() or preset not in core.get_available_configs(group):
        return text
    data = core.get_config_data(group, preset)
    settings = [data.getSetting(index) for index in range(data.size())]
    listed = ", ".join(f"{one.getDeviceLabel()}.{one.getPropertyName()}" for one in settings)
    return f"{text} and applies its preset {group} {preset} ({listed})"


def _preset_devices(core: Any, group: str) -> set[str]:
    """Return the devices that the presets of a configuration group set."""
    found = set()
    for preset in core.get_available_configs(group):
        data = core.get_config_data(group, preset)
        found |= {data.getSetting(index).getDeviceLabel() for index in range(data.size())}
    return found
