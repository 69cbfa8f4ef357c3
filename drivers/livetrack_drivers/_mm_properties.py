"""Device properties of MMCore, checked before they are set: its own errors rarely say which values are valid."""

from __future__ import annotations

import difflib
import math
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from livetrack.devices import Property, Value
from livetrack.errors import CameraError

__all__ = [
    "CORE_ERRORS",
    "Scalar",
    "check_limits",
    "check_value",
    "core_errors",
    "describe",
    "find_property",
    "leading_int",
    "one_line",
    "read_binning",
    "wait_for_turret",
]

Scalar = str | int | float | bool

CORE_ERRORS = (RuntimeError, OSError, ValueError, MemoryError, IndexError)
"""Exceptions that MMCore's Python bindings raise."""


@contextmanager
def core_errors(what: str) -> Iterator[None]:
    """Turn exceptions of the core into `CameraError`."""
    try:
        yield
    except CORE_ERRORS as error:
        raise CameraError(f"{what} failed: {one_line(error)}") from error


def find_property(core: Any, name: str) -> tuple[str, str]:
    """Split "Device.Property" (both may contain dots) into a loaded device and one of its properties.

    Raises
    ------
    CameraError
        There is no such device or property; the message names similar ones.
    """
    devices = list(core.get_loaded_devices())
    parts = name.split(".")
    device = next((".".join(parts[:n]) for n in range(1, len(parts)) if ".".join(parts[:n]) in devices), None)
    if device is None:
        raise CameraError(f"property {name!r}: no device {parts[0]!r} is loaded; there are {', '.join(devices)}")
    key = name[len(device) + 1 :]
    keys = list(core.get_device_property_names(device))
    if key not in keys:
        raise CameraError(f"property {name!r}: device {device!r} has no {key!r}; {_nearest(key, keys)}")
    return device, key


def check_value(core: Any, device: str, key: str, value: Scalar) -> str:
    """Return `value` as the text that the core uses for it.

    Raises
    ------
    CameraError
        The property cannot be set, or not to this value; the message lists the valid ones.
    """
    name = f"{device}.{key}"
    if name in _REFUSED:
        raise CameraError(f"property {name!r} cannot be set in a session: {_REFUSED[name]}")
    if core.is_property_read_only(device, key):
        raise CameraError(f"property {name!r} is read-only")
    if core.is_property_pre_init(device, key):
        raise CameraError(
            f"property {name!r} can be set only before the device starts: set it in the configuration file"
        )
    text = str(int(value)) if isinstance(value, bool) else str(value)
    allowed: list[str] = list(core.get_allowed_property_values(device, key))
    if allowed:
        same = [choice for choice in allowed if choice == text or _number(choice) == _number(text)]
        if not same:
            raise CameraError(f"property {name!r} cannot be {text!r}: valid values are {_listed(allowed)}")
        return same[0]
    check_limits(core, device, key, text, f"property {name!r}")
    kind = core.get_property_type(device, key)
    return _numeric(text, kind, name) if kind in (_FLOAT, _INTEGER) else text


def check_limits(core: Any, device: str, key: str, value: Scalar, name: str) -> None:
    """Raise `CameraError` if `value` is out of the property's bounds; `name` is used in the message."""
    if not core.has_property_limits(device, key):
        return
    low, high = core.get_property_lower_limit(device, key), core.get_property_upper_limit(device, key)
    if not low <= _number(value) <= high:
        raise CameraError(f"{name} cannot be {value}: its range is {low:g} to {high:g}")


def describe(core: Any, device: str, key: str, name: str = "") -> Property:
    """Return the property with its current value, called `name` or else "Device.Property"."""
    limits = core.has_property_limits(device, key)
    kind = core.get_property_type(device, key)
    return Property(
        name=name or f"{device}.{key}",
        value=_typed(core.get_property(device, key), kind),
        low=core.get_property_lower_limit(device, key) if limits else None,
        high=core.get_property_upper_limit(device, key) if limits else None,
        choices=tuple(_typed(text, kind) for text in core.get_allowed_property_values(device, key)),
        read_only=core.is_property_read_only(device, key) or core.is_property_pre_init(device, key),
    )


def read_binning(core: Any, camera: str) -> int:
    """Return the binning of `camera`, which writes it as 2 or 2x2; 1 if it has no binning."""
    return leading_int(core.get_property(camera, "Binning")) if core.has_property(camera, "Binning") else 1


def wait_for_turret(core: Any, device: str) -> None:
    """Wait until a device of several positions (a turret, a wheel) has arrived; before, it may report the last one.

    One that stays busy is not waited for any longer: livetrack watches what it reports.
    """
    deadline = time.monotonic() + _ARRIVAL_S
    if core.get_device_type(device) == _STATE_DEVICE:
        while core.device_busy(device) and time.monotonic() < deadline:
            time.sleep(_POLL_S)


def leading_int(text: str) -> int:
    """Return the number at the start of `text`, 1 if there is none."""
    match = re.match(r"\d+", text)
    return int(match[0]) if match else 1


def one_line(error: Exception) -> str:
    """Return the message of an error of the core in one line."""
    return " ".join(str(error).split())


_REFUSED = {
    "Core.Camera": "set camera.micromanager.camera, and start livetrack again",
    "Core.Initialize": "it would load or unload every device",
}

_FLOAT, _INTEGER = 2, 3  # MMCore's property types
_STATE_DEVICE = 4  # pymmcore.StateDevice
_ARRIVAL_S = 10.0
_POLL_S = 0.005


def _typed(text: str, kind: int) -> Value:
    """Return the value of a property of type `kind`, as a number if it is one."""
    try:
        return float(text) if kind == _FLOAT else int(text) if kind == _INTEGER else text
    except ValueError:
        return text


def _number(value: Scalar) -> float:
    """Return NaN, which equals nothing, for text that is not a number."""
    try:
        return float(value)
    except ValueError:
        return math.nan


def _numeric(text: str, kind: int, name: str) -> str:
    """Return the text of a number for a property called `name`: devices read any other as far as it goes, or as 0."""
    number = _number(text)
    if not math.isfinite(number) or "_" in text or (kind == _INTEGER and not number.is_integer()):
        raise CameraError(
            f"property {name!r} cannot be {text!r}: it takes {'an integer' if kind == _INTEGER else 'a number'}"
        )
    return str(int(number)) if kind == _INTEGER else text.strip()


def _listed(values: Iterable[str]) -> str:
    return ", ".join(repr(value) for value in values)


def _nearest(key: str, keys: list[str]) -> str:
    near = difflib.get_close_matches(key, keys, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {_listed(keys)}"
