"""The core of a running Micro-Manager window, with the methods and results of the core in this process (pymmcore)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from livetrack_drivers._mm_bridge import Bridge, RemoteObject
from livetrack_drivers._mm_bridge_channel import BridgeError, BridgeLostError

__all__ = ["BridgeCore"]

_CORE = "mmcorej.CMMCore"
_VECTORS = ("mmcorej.StrVector", "mmcorej.DoubleVector", "mmcorej.LongVector", "mmcorej.CharVector")


class BridgeCore:
    """Calls the methods of the window's core, by pymmcore's names in snake_case, from any thread.

    Results are as pymmcore gives them: vectors are tuples, enumerations are integers, a ROI is (x, y, width, height),
    a position (x, y). Images are 1-D as they come: only the reader of the sequence knows their shape.

    Every method raises what `RemoteObject.call` raises.
    """

    def __init__(self, port: int) -> None:
        self._bridge = Bridge(port, _CORE)
        self._methods: dict[str, Callable[..., Any]] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*args: Any) -> Any:
            with self._bridge.root() as core:
                return _converted(core.call(name, *args))

        call.__name__ = name
        return self._methods.setdefault(name, call)

    def get_loaded_devices_of_type(self, kind: int) -> list[str]:
        """Return the labels of the devices of a type, given as pymmcore's number for it."""
        return [label for label in self.get_loaded_devices() if self.get_device_type(label) == kind]

    def close(self) -> None:
        """Release what the window's process holds for this one."""
        self._bridge.close()


@dataclass(frozen=True)
class _Setting:
    """A `PropertySetting` of MMCore."""

    device: str
    key: str
    value: str

    def getDeviceLabel(self) -> str:  # noqa: N802 - pymmcore's name
        return self.device

    def getPropertyName(self) -> str:  # noqa: N802
        return self.key

    def getPropertyValue(self) -> str:  # noqa: N802
        return self.value


class _Configuration(tuple[_Setting, ...]):
    """A `Configuration` of MMCore."""

    def size(self) -> int:
        return len(self)

    def getSetting(self, index: int) -> _Setting:  # noqa: N802
        return self[index]


def _converted(value: Any) -> Any:
    """Return `value` as pymmcore gives it; an object of Java is read and released."""
    if not isinstance(value, RemoteObject):
        return value
    try:
        if value.java_class in _VECTORS:
            return tuple(value.call("get", index) for index in range(value.call("size")))
        if value.java_class == "java.awt.Rectangle":
            return tuple(value.field(name) for name in ("x", "y", "width", "height"))
        if value.java_class == "java.awt.geom.Point2D$Double":
            return float(value.field("x")), float(value.field("y"))
        if value.java_class == "mmcorej.Configuration":
            return _Configuration(_setting(value.call("get_setting", index)) for index in range(value.call("size")))
        if value.has("swig_value"):
            return value.call("swig_value")
        raise BridgeError(f"an object of {value.java_class} has no equal in Python")
    finally:
        with suppress(BridgeError, BridgeLostError):
            value.release()


def _setting(remote: RemoteObject) -> _Setting:
    try:
        return _Setting(*(remote.call(f"get_{name}") for name in ("device_label", "property_name", "property_value")))
    finally:
        with suppress(BridgeError, BridgeLostError):
            remote.release()
