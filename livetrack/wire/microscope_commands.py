"""The commands to the microscope around the camera: presets, light, autofocus."""

from __future__ import annotations

from livetrack.devices.microscope import AutofocusState, ConfigGroup, LightState, MicroscopeState
from livetrack.wire.request import Name, Request

__all__ = ["FocusOnce", "Microscope", "ReloadDevices", "SetAutofocus", "SetLight", "SetPreset"]


class Microscope(Request[MicroscopeState], frozen=True):
    """Get configuration groups, lights and autofocus."""


class SetPreset(Request[ConfigGroup], frozen=True):
    """Apply a preset of a configuration group; replies when its devices have arrived."""

    group: Name
    preset: Name


class SetLight(Request[LightState], frozen=True):
    """Switch a shutter or lamp; null leaves as it is."""

    name: str = ""
    """Empty: the one that the camera operates."""
    open: bool | None = None
    auto: bool | None = None
    """Whether the camera operates it."""


class SetAutofocus(Request[AutofocusState], frozen=True):
    """Hold the focus or not, and set its offset; null leaves as it is."""

    continuous: bool | None = None
    offset: float | None = None


class ReloadDevices(Request[list[str]], frozen=True):
    """Initialise all devices of the microscope again, which moves some; the result says what that does to each.

    Unless it is confirmed, nothing is done.
    """

    confirm: bool = False


class FocusOnce(Request[AutofocusState], frozen=True):
    """Search the focus once, which moves the focus drive; replies when it is found."""
