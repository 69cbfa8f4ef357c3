"""What Micro-Manager moves beside the camera: its default XY stage, focus drive and galvo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from livetrack.devices import Actuator
from livetrack.errors import CameraError
from livetrack_drivers._mm_properties import CORE_ERRORS, one_line

__all__ = ["find_actuators"]


def find_actuators(core: Any) -> Mapping[str, Actuator]:
    """Return those that `core` has, by the part they play: "stage", "focus", "galvo"."""
    parts: dict[str, tuple[Callable[[Any, str], Actuator], str]] = {
        "stage": (_Stage, core.get_xy_stage_device()),
        "focus": (_Focus, core.get_focus_device()),
        "galvo": (_Galvo, core.get_galvo_device()),
    }
    return {name: kind(core, label) for name, (kind, label) in parts.items() if label}


class _Device:
    """What the three share. `core` has a device of this kind called `label`."""

    def __init__(self, core: Any, label: str) -> None:
        self._core = core
        self._label = label

    def wait(self) -> None:
        """Return when it is no longer busy."""
        with self._refusals("wait"):
            self._core.wait_for_device(self._label)

    @contextmanager
    def _refusals(self, what: str) -> Iterator[None]:
        try:
            yield
        except CORE_ERRORS as error:
            raise CameraError(f"device {self._label!r}, {what}: {one_line(error)}") from error


class _Stage(_Device):
    axes: Sequence[str] = ("x", "y")
    unit = "um"

    def position(self) -> tuple[float, ...]:
        with self._refusals("position"):
            return self._core.get_x_position(self._label), self._core.get_y_position(self._label)

    def move_to(self, position: Sequence[float]) -> None:
        with self._refusals(f"move to {position}"):
            self._core.set_xy_position(self._label, *position)

    def move_by(self, step: Sequence[float]) -> None:
        with self._refusals(f"move by {step}"):
            self._core.set_relative_xy_position(self._label, *step)


class _Focus(_Device):
    axes: Sequence[str] = ("z",)
    unit = "um"

    def position(self) -> tuple[float, ...]:
        with self._refusals("position"):
            return (self._core.get_position(self._label),)

    def move_to(self, position: Sequence[float]) -> None:
        with self._refusals(f"move to {position}"):
            self._core.set_position(self._label, *position)

    def move_by(self, step: Sequence[float]) -> None:
        with self._refusals(f"move by {step}"):
            self._core.set_relative_position(self._label, *step)


class _Galvo(_Device):
    axes: Sequence[str] = ("x", "y")
    unit = ""  # the device's own: Micro-Manager does not say

    def position(self) -> tuple[float, ...]:
        with self._refusals("position"):
            return tuple(self._core.get_galvo_position(self._label))

    def move_to(self, position: Sequence[float]) -> None:
        with self._refusals(f"move to {position}"):
            self._check(position)
            self._core.set_galvo_position(self._label, *position)

    def move_by(self, step: Sequence[float]) -> None:
        self.move_to([start + way for start, way in zip(self.position(), step, strict=True)])

    def _check(self, position: Sequence[float]) -> None:
        core, label = self._core, self._label
        lows = core.get_galvo_x_minimum(label), core.get_galvo_y_minimum(label)
        ranges = core.get_galvo_x_range(label), core.get_galvo_y_range(label)
        for axis, at, low, span in zip(self.axes, position, lows, ranges, strict=True):
            if span > 0 and not low <= at <= low + span:
                raise CameraError(f"galvo {label!r} cannot go to {axis} = {at:g}: it takes {low:g} to {low + span:g}")
