"""The microscope around a camera: its devices, configuration groups, light sources, autofocus; all optional.

A driver offers them by having the methods of the protocols below, as for those of `livetrack.devices`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from msgspec import Struct

from livetrack.devices.properties import Property, Value

__all__ = [
    "AutofocusState",
    "ConfigGroup",
    "DeviceList",
    "DeviceUse",
    "HasAutofocus",
    "HasConfigGroups",
    "HasDevices",
    "HasLights",
    "LightState",
    "MicroscopeState",
]


class ConfigGroup(Struct, frozen=True, kw_only=True):
    """A group of settings that belong together, such as the filters and the lamp of a channel."""

    name: str
    presets: tuple[str, ...]
    current: str = ""
    """The preset that the devices agree with; empty if with none."""


class LightState(Struct, frozen=True, kw_only=True):
    """A shutter or a lamp that can be switched."""

    name: str
    open: bool
    """Whether light reaches the sample."""
    auto: bool = False
    """Whether the camera opens it when it starts and closes it when it stops."""
    levels: tuple[Property, ...] = ()
    """Its properties that set the brightness, for `HasProperties.set_property`."""


class AutofocusState(Struct, frozen=True, kw_only=True):
    """An autofocus device."""

    name: str
    continuous: bool
    """Whether it holds the focus."""
    locked: bool
    """Whether it has found the focus that it holds."""
    offset: float | None = None
    """Of the focus that it holds, in its own unit; None if it has none."""


class MicroscopeState(Struct, frozen=True, kw_only=True):
    """Everything of the microscope that can be set beyond properties, ROI and actuators."""

    groups: tuple[ConfigGroup, ...] = ()
    lights: tuple[LightState, ...] = ()
    autofocus: AutofocusState | None = None


class DeviceUse(Struct, frozen=True, kw_only=True):
    """What a session does with a device of the microscope, in words for the user."""

    name: str
    by_itself: str = ""
    """Done without a command: "is started and stopped"."""
    properties: tuple[str, ...] = ()
    """Set by the settings when the camera is opened: "Velocity = 10"."""
    on_command: tuple[str, ...] = ()
    """What clients can have done to it: "stage", "presets of Channel". If all three are empty, it is left alone."""


class DeviceList(Struct, frozen=True, kw_only=True):
    """All devices of a microscope, and what a session does with them."""

    opening: str
    """What opening the camera does to all of them, one sentence."""
    devices: tuple[DeviceUse, ...] = ()
    simulated: bool = False
    """No device is real: whatever moves does no harm."""


@runtime_checkable
class HasDevices(Protocol):
    """A camera whose driver connects other devices as well."""

    def devices(self) -> DeviceList:
        """Return them all. Raises `CameraError` if the camera is not open."""


@runtime_checkable
class HasConfigGroups(Protocol):
    """A camera with configuration groups; threads and errors as in `livetrack.devices.HasProperties`."""

    def config_groups(self) -> list[ConfigGroup]:
        """Return the groups, each with the preset that is in force."""

    def preset_settings(self, group: str, preset: str) -> Mapping[str, Value]:
        """Return what a preset sets: the values by the names that `HasProperties.set_property` accepts."""

    def set_preset(self, group: str, preset: str) -> ConfigGroup:
        """Apply a preset, wait until its devices have arrived, and return the group."""


@runtime_checkable
class HasLights(Protocol):
    """A camera with shutters or lamps; threads and errors as in `livetrack.devices.HasProperties`."""

    def lights(self) -> list[LightState]:
        """Return them, the one that the camera operates first."""

    def set_light(self, name: str, *, opened: bool | None = None, auto: bool | None = None) -> LightState:
        """Open or close a light, and let the camera operate it or not; None leaves it as it is. Return its state.

        An empty `name` is the one that the camera operates.
        """


@runtime_checkable
class HasAutofocus(Protocol):
    """A camera with an autofocus. The methods are called from a thread of their own; errors as elsewhere."""

    def autofocus(self) -> AutofocusState | None:
        """Return its state; None if the microscope has none."""

    def set_autofocus(self, *, continuous: bool | None = None, offset: float | None = None) -> AutofocusState:
        """Hold the focus or not, and set the offset; None leaves it as it is."""

    def focus_once(self) -> AutofocusState:
        """Search the focus once, which moves the focus drive, and return when it is found."""
