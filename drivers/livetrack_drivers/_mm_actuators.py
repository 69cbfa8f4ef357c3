"""Actuators of Micro-Manager: the default XY stage, focus drive and galvo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from livetrack.devices import Actuator
from livetrack.errors import CameraError
from livetrack_drivers._mm_properties import CORE_ERRORS, one_line

__all__ = ["find_actuators"]


def find_actuators(core: Any) -> Mapping[str, Actuator]:
    """Return the actuators of `core` by their role: "stage", "focus", "galvo"."""
    roles: dict[str, tuple[Callable[[Any, str], Actuator], str]] = {
        "stage": (_Stage, core.get_xy_stage_device()),
        "focus": (_Focus, core.get_focus_device()),
        "galvo": (_Galvo, core.get_galvo_device()),
    }
    return {name: kind(core, label) for name, (kind, label) in roles.items() if label}


class _Device:
    """Base of the three; `label` names the device in `core`."""

    def __init__(self, core: Any, label: str) -> None:
        self._core = core
        self._label = label

    def wait(self) -> None:
        """Return when the device is no longer busy."""
        with self._device_errors("wait"):
            self._core.wait_for_device(self._label)

    @contextmanager
    def _device_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except CORE_ERRORS as error:
            raise CameraError(f"device {self._label!r}, {what}: {one_line(error)}") from error


class _Stage(_Device):
    axes: Sequence[str] = ("x", "y")
    unit = "um"

    def position(self) -> tuple[float, ...]:
        with self._device_errors("position"):
            return self._core.get_x_position(self._label), self._core.get_y_position(self._label)

    def move_to(self, position: Sequence[float]) -> None:
        with self._device_errors(f"move to {position}"):
            self._core.set_xy_position(self._label, *position)

    def move_by(self, step: Sequence[float]) -> None:
        with self._device_errors(f"move by {step}"):
            self._core.set_relative_xy_position(self._label, *step)


class _Focus(_Device):
    axes: Sequence[str] = ("z",)
    unit = "um"

    def position(self) -> tuple[float, ...]:
        with self._device_errors("position"):
            return (self._core.get_position(self._label),)

    def move_to(self, position: Sequence[float]) -> None:
        with self._device_errors(f"move to {position}"):
            self._core.set_position(self._label, *position)

    def move_by(self, step: Sequence[float]) -> None:
        with self._device_errors(f"move by {step}"):
            self._core.set_relative_position(self._label, *step)


class _Galvo(_Device):
    axes: Sequence[str] = ("x", "y")
    unit = ""  # the device's own, which Micro-Manager does not report

    def position(self) -> tuple[float, ...]:
        with self._device_errors("position"):
            return tuple(self._core.get_galvo_position(self._label))

    def move_to(self, position: Sequence[float]) -> None:
        with self._device_errors(f"move to {position}"):
            self._check(position)
            self._core.set_galvo_position(self._label, *position)

    def move_by(self, step: Sequence[float]) -> None:
        self.move_to([start + change for start, change in zip(self.position(), step, strict=True)])

    def _check(self, position: Sequence[float]) -> None:
        core, label = self._core, self._label
        lows = core.get_galvo_x_minimum(label), core.get_galvo_y_minimum(label)
        ranges = core.get_galvo_x_range(label), core.get_galvo_y_range(label)
        for axis, value, low, span in zip(self.axes, position, lows, ranges, strict=True):
            if span > 0 and not low <= value <= low + span:
                raise CameraError(
                    f"galvo {label!r} cannot go to {axis} = {value:g}: its range is {low:g} to {low + span:g}"
                )
