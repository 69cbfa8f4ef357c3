"""Actuators of Micro-Manager: the default XY stage, focus drive and galvo."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from livetrack.devices import ANY_UM, Actuator, Limits
from livetrack.devices.commanded_actuator import CommandedActuator
from livetrack.errors import CameraError
from livetrack_drivers._mm_access import DeviceAccess, urgent
from livetrack_drivers._mm_properties import CORE_ERRORS, one_line

__all__ = ["MicroManagerActuators"]

_STAGE_ACCURACY_UM = 0.5
_FOCUS_ACCURACY_UM = 0.2
_GALVO_ACCURACY = 1e-3  # of its range
_POLL_S = 0.002
_ARRIVAL_S = 60.0
_STOPPED_S = 0.05  # within which a device that obeys a stop no longer reports motion


class MicroManagerActuators:
    """The actuators of a core by their role, "stage", "focus" and "galvo", each with the position it was sent to."""

    def __init__(self, access: DeviceAccess) -> None:
        self._access = access
        self._core: Any = None
        self._known: dict[str, CommandedActuator] = {}  # by role and label

    def find(self, core: Any) -> Mapping[str, Actuator]:
        """Return the default devices of `core`; a device keeps its target for as long as the core exists."""
        if core is not self._core:
            self._core, self._known = core, {}
        kinds: dict[str, type[_Device]] = {"stage": _Stage, "focus": _Focus, "galvo": _Galvo}
        found: dict[str, Actuator] = {}
        for role, label in self.labels(core).items():
            key = f"{role} {label}"
            if key not in self._known:
                device = kinds[role](core, label, self._access)
                new = CommandedActuator(device, device.accuracy(), device.properties())
                self._known.setdefault(key, new)  # another thread may have made it too
            found[role] = self._known[key]
        return found

    @staticmethod
    def labels(core: Any) -> dict[str, str]:
        """Return the labels of the default devices of `core`, by role."""
        roles = {
            "stage": core.get_xy_stage_device(),
            "focus": core.get_focus_device(),
            "galvo": core.get_galvo_device(),
        }
        return {role: str(label) for role, label in roles.items() if label}

    def forget_target(self, label: str) -> None:
        """Start the next step of device `label` from where it comes to rest: a property may have moved it."""
        for key, actuator in list(self._known.items()):
            if key.endswith(f" {label}"):
                actuator.forget_target()


class _Device:
    """Base of the three; `label` names the device in `core`."""

    axes: Sequence[str] = ("x", "y")
    unit = "um"

    def __init__(self, core: Any, label: str, access: DeviceAccess) -> None:
        self._core = core
        self._label = label
        self._access = access
        self._stops = 0

    def accuracy(self) -> float:
        return _STAGE_ACCURACY_UM

    def properties(self) -> Mapping[str, str]:
        return {}

    def limits(self) -> Limits:
        return [ANY_UM] * len(self.axes)

    def position(self) -> tuple[float, ...]:
        raise NotImplementedError

    def move_to(self, position: Sequence[float]) -> None:
        raise NotImplementedError

    def busy(self) -> bool:
        with self._device_errors("busy"):
            return bool(self._core.device_busy(self._label))

    def wait(self) -> None:
        """Return when the device is no longer busy, or was stopped; MMCore's own wait gives up after 5 s."""
        deadline, stops = time.monotonic() + _ARRIVAL_S, self._stops
        while self.busy() and self._stops == stops:
            if time.monotonic() > deadline:
                raise CameraError(f"device {self._label!r}, wait: it is still busy after {_ARRIVAL_S:g} s")
            time.sleep(_POLL_S)

    @urgent
    def stop(self) -> None:
        """Stop the device; one that does not obey is sent to where it is."""
        self._stops += 1
        with suppress(*CORE_ERRORS):
            self._core.stop(self._label)
        deadline = time.monotonic() + _STOPPED_S
        while self.busy():
            if time.monotonic() > deadline:
                self.move_to(self.position())
                return
            time.sleep(_POLL_S)

    def __repr__(self) -> str:
        return f"device {self._label!r}"

    @contextmanager
    def _device_errors(self, what: str) -> Iterator[None]:
        try:
            with self._access.shared():
                yield
        except CORE_ERRORS as error:
            raise CameraError(f"device {self._label!r}, {what}: {one_line(error)}") from error


class _Stage(_Device):
    def position(self) -> tuple[float, ...]:
        with self._device_errors("position"):
            return self._core.get_x_position(self._label), self._core.get_y_position(self._label)

    def move_to(self, position: Sequence[float]) -> None:
        with self._device_errors(f"move to {position}"):
            self._core.set_xy_position(self._label, *position)


class _Focus(_Device):
    axes: Sequence[str] = ("z",)

    def accuracy(self) -> float:
        return _FOCUS_ACCURACY_UM

    def properties(self) -> Mapping[str, str]:
        return {f"{self._label}.Position": "z"}

    def limits(self) -> Limits:
        core, label = self._core, self._label
        with self._device_errors("limits"):
            if core.has_property(label, "Position") and core.has_property_limits(label, "Position"):
                low, high = (
                    core.get_property_lower_limit(label, "Position"), core.get_property_upper_limit(label, "Position"),
                )  # fmt: skip
                return [(low, high)]
        return [ANY_UM]

    def position(self) -> tuple[float, ...]:
        with self._device_errors("position"):
            return (self._core.get_position(self._label),)

    def move_to(self, position: Sequence[float]) -> None:
        with self._device_errors(f"move to {position}"):
            self._core.set_position(self._label, *position)


class _Galvo(_Device):
    unit = ""  # the device's own, which Micro-Manager does not report

    def accuracy(self) -> float:
        return _GALVO_ACCURACY * max(high - low for low, high in self.limits())

    def limits(self) -> Limits:
        core, label = self._core, self._label
        with self._device_errors("range"):
            lows = core.get_galvo_x_minimum(label), core.get_galvo_y_minimum(label)
            ranges = core.get_galvo_x_range(label), core.get_galvo_y_range(label)
        return [(low, low + span) if span > 0 else ANY_UM for low, span in zip(lows, ranges, strict=True)]

    def position(self) -> tuple[float, ...]:
        with self._device_errors("position"):
            return tuple(self._core.get_galvo_position(self._label))

    def move_to(self, position: Sequence[float]) -> None:
        with self._device_errors(f"move to {position}"):
            self._core.set_galvo_position(self._label, *position)

    def stop(self) -> None:
        """Do nothing: a galvo has arrived when the command returns."""
