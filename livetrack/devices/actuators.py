"""Actuators of a microscope: stage, focus drive, galvo, trap; all optional for a driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Protocol, TypeAlias, runtime_checkable

from livetrack.errors import LivetrackError

__all__ = [
    "ANY_UM",
    "Actuated",
    "Actuator",
    "Limited",
    "Limits",
    "MovedByProperties",
    "ReportsMotion",
    "Stoppable",
    "Targeted",
    "check_position",
    "start_of_steps",
]

ANY_UM = (-1e6, 1e6)
"""Range, µm, of an axis whose device reports none: nothing at a microscope moves by a metre."""

Limits: TypeAlias = Sequence[tuple[float, float]]
"""The lowest and the highest position of each axis."""


class Actuator(Protocol):
    """A device that moves along its axes: a stage, a galvo, a trap.

    The methods are called one at a time, from a thread of their own; only `stop` is called at any time. Each raises
    `CameraError` if the device refuses. `livetrack.devices.commanded_actuator.CommandedActuator` implements all of
    this, and `Targeted`, `Limited` and `Stoppable`, for a device that can go to a position.
    """

    @property
    def axes(self) -> Sequence[str]:
        """Names of the axes, in order, such as `("x", "y")`."""

    @property
    def unit(self) -> str:
        """Unit of the positions, such as "um"."""

    def position(self) -> tuple[float, ...]:
        """Return the current position, one number per axis."""

    def move_to(self, position: Sequence[float]) -> None:
        """Start to move to `position`, also during another move; return once the device has accepted the command."""

    def move_by(self, step: Sequence[float]) -> None:
        """Start to move by `step` from the last commanded position, also while that move is under way."""

    def wait(self) -> None:
        """Return when the motion is complete, or was stopped."""


@runtime_checkable
class Targeted(Protocol):
    """An actuator that reports where it is going: steps through an engine then add up, and are checked, from there."""

    def target(self) -> tuple[float, ...]:
        """Return the last commanded position; the current one if something else has moved the device since."""


@runtime_checkable
class Limited(Protocol):
    """An actuator that reports its range."""

    def limits(self) -> Limits:
        """Return the lowest and the highest position of each axis."""


@runtime_checkable
class ReportsMotion(Protocol):
    """An actuator that reports whether it is moving."""

    def busy(self) -> bool:
        """Return whether it is moving."""


@runtime_checkable
class MovedByProperties(Protocol):
    """An actuator that properties of the camera move too: they are then held to its limits, and to a halt."""

    def position_properties(self) -> Mapping[str, str]:
        """Return the axis that each property moves, by the property's name, as `HasProperties` has it."""


@runtime_checkable
class Stoppable(Protocol):
    """An actuator that can be stopped."""

    def stop(self) -> None:
        """Stop the motion at once; called from another thread, also while another method of the actuator runs."""


def check_position(
    name: str,
    axes: Sequence[str],
    position: Sequence[float],
    unit: str,
    limits: Limits,
    error: type[LivetrackError],
    source: str = "",
) -> None:
    """Raise `error` unless each number of `position` is finite and within `limits`, which come from `source`."""
    for axis, value, (low, high) in zip(axes, position, limits, strict=True):
        if not (low <= value <= high and isfinite(value)):
            suffix = f" {unit}" if unit else ""
            raise error(
                f"{name} cannot go to {axis} = {value:g}{suffix}: its range is {low:g} to {high:g}{suffix}{source}"
            )


def start_of_steps(actuator: Actuator) -> Callable[[], tuple[float, ...]]:
    """Return the method that returns the position from which `actuator` makes its next step, as far as it has one."""
    return actuator.target if isinstance(actuator, Targeted) else actuator.position


@runtime_checkable
class Actuated(Protocol):
    """A camera that comes with actuators."""

    def actuators(self) -> Mapping[str, Actuator]:
        """Return the actuators by name: "stage", "focus", "galvo", "trap", ... The same objects at each call."""
