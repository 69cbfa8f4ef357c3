"""Recognises from a camera's properties whether it waits for a trigger; their names differ between adapters."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from livetrack_drivers._mm_properties import CORE_ERRORS

__all__ = ["awaited_trigger", "is_external"]

_MODE = {"trigger", "triggermode", "triggertype", "triggerinput"}  # Andor, PVCAM, PCO, QImaging; GenICam: On or Off
_SOURCE = {"triggersource", "triggersrc"}  # Hamamatsu, GenICam
_EXTERNAL = ("ext", "edge", "level", "bulb", "strob", "hardware", "ttl", "line", "gpio", "first", "rising", "falling")
_ON = {"on", "1", "true", "enabled", "enable", "yes"}
_OFF = {"off", "0", "false", "disabled", "disable", "no", "none"}


def awaited_trigger(core: Any, camera: str) -> str:
    """Return the property that makes the camera wait for a trigger, as "Device.Property = 'value'"; else "".

    Values are read from the core's cache, which contacts no device.
    """
    modes: list[tuple[str, str]] = []
    sources: list[tuple[str, str]] = []
    with suppress(*CORE_ERRORS):
        for name in core.get_device_property_names(camera):
            key = _plain(name)
            if key in _MODE or key in _SOURCE:
                (modes if key in _MODE else sources).append((name, core.get_property_from_cache(camera, name)))
    if not is_external([value for _, value in modes], [value for _, value in sources]):
        return ""
    return " and ".join(f"{camera}.{name} = {value!r}" for name, value in modes + sources)


def is_external(modes: list[str], sources: list[str]) -> bool:
    """Return whether a camera with these values of its trigger mode and trigger source waits for a trigger.

    A mode that is on waits for whatever source there is, also for software: livetrack sends no triggers. A mode that
    is off waits for none. Between the two, the words decide.
    """
    words = [_plain(mode) for mode in modes]
    if words and all(word in _OFF for word in words):
        return False
    if any(word in _ON for word in words):
        return True
    return any(part in _plain(value) for value in modes + sources for part in _EXTERNAL)


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())
