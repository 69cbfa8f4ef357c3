"""An actuator that remembers where it was last commanded to be, so that steps add up.

A driver wraps its device, which only has to go to a position and report it:

    class MyCamera:
        def __init__(self, settings):
            self._actuators = {"stage": CommandedActuator(MyStage(), accuracy=1.0)}

        def actuators(self):
            return self._actuators
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from types import MappingProxyType
from typing import Protocol

from livetrack.devices.actuators import Limits, check_position
from livetrack.errors import CameraError

__all__ = ["CommandedActuator", "Positioner"]

NO_PROPERTIES: Mapping[str, str] = MappingProxyType({})

_UNDER_WAY_S = 0.05  # a step this soon after the last command begins at the target, without asking the device
_LIMITS_S = 1.0
_STILL_S = 0.1  # a device that reports no motion, away from its target, is at rest if it stays there for so long
_STILL = 0.1  # within this fraction of its accuracy


class Positioner(Protocol):
    """A device as `CommandedActuator` requires it; every method raises `CameraError` if the device refuses."""

    @property
    def axes(self) -> Sequence[str]:
        """Names of the axes."""

    @property
    def unit(self) -> str:
        """Unit of the positions."""

    def limits(self) -> Limits:
        """Return the range of each axis that the device reports, or one that no such device exceeds."""

    def position(self) -> tuple[float, ...]:
        """Return the current position, one number per axis."""

    def move_to(self, position: Sequence[float]) -> None:
        """Start to move to `position`, also during another move if the device can."""

    def busy(self) -> bool:
        """Return whether the device reports that it is moving."""

    def wait(self) -> None:
        """Return when the motion is complete, or was stopped."""

    def stop(self) -> None:
        """Stop the motion at once; called from another thread while one of the other methods runs."""


class CommandedActuator:
    """An `Actuator` whose steps begin where the last command ends, also while that move is under way.

    It starts anew from the position of the device if something else has moved it: if the device is at rest and farther
    from its target than its `accuracy`. A step within 50 ms of the last command does not check this, so that a control
    loop asks its device for nothing; `wait` ends that time.

    A device that refuses a move during a move gets it when the first one is complete.

    Parameters
    ----------
    device
        What moves.
    accuracy
        Maximum distance between a target and the position where the device comes to rest, along each axis, in its unit.
    properties
        The axis that each property moves, by the name of the property.
    """

    def __init__(self, device: Positioner, accuracy: float, properties: Mapping[str, str] = NO_PROPERTIES) -> None:
        self.axes: Sequence[str] = device.axes
        self.unit = device.unit
        self._device = device
        self._accuracy = accuracy
        self._properties = properties
        self._target: tuple[float, ...] | None = None
        self._commanded_s = -inf
        self._limits: Limits = ()
        self._limits_s = -inf
        self._interruptions = 0  # stops, and motions by others

    def limits(self) -> Limits:
        """Return the lowest and the highest position of each axis, asked for once a second."""
        now_s = time.monotonic()
        if now_s - self._limits_s > _LIMITS_S:
            self._limits, self._limits_s = self._device.limits(), now_s
        return self._limits

    def position_properties(self) -> Mapping[str, str]:
        """Return the axis that each property moves, by the name of the property."""
        return self._properties

    def position(self) -> tuple[float, ...]:
        """Return the current position of the device."""
        return tuple(self._device.position())

    def target(self) -> tuple[float, ...]:
        """Return the commanded position, or the position of the device if something else has moved it."""
        target = self._target
        if target is None:
            self._device.wait()
        elif time.monotonic() - self._commanded_s <= _UNDER_WAY_S or not self._moved_by_others(target):
            return target
        position = self.position()
        if not all(map(isfinite, position)):
            raise CameraError(f"{self!r} reports the position {position}: initialise the device")
        return position

    def forget_target(self) -> None:
        """Start the next step from the position of the device, once it is at rest: something else moves it."""
        self._interruptions += 1
        self._target = None
        self._limits_s = -inf

    def move_to(self, position: Sequence[float]) -> None:
        """Start to move to `position`; raises `CameraError`, and moves nothing, if it is out of range."""
        wanted = tuple(map(float, position))
        check_position(repr(self), self.axes, wanted, self.unit, self.limits(), CameraError)
        before = self._interruptions
        self._command(wanted, before)
        self._target = wanted if self._interruptions == before else None
        self._commanded_s = time.monotonic()

    def move_by(self, step: Sequence[float]) -> None:
        """Start to move by `step` from `target`."""
        self.move_to([start + change for start, change in zip(self.target(), step, strict=True)])

    def busy(self) -> bool:
        """Return whether the device reports that it is moving."""
        return self._device.busy()

    def wait(self) -> None:
        """Return when the motion is complete, or was stopped."""
        self._device.wait()
        self._commanded_s = -inf

    def stop(self) -> None:
        """Stop at once, from any thread; the next step starts from where the device came to rest."""
        self.forget_target()
        self._device.stop()

    def __repr__(self) -> str:
        return repr(self._device)

    def _command(self, position: tuple[float, ...], interruptions: int) -> None:
        try:
            self._device.move_to(position)
        except CameraError:
            if not self._device.busy():
                raise
            self._device.wait()
            if self._interruptions != interruptions:
                raise
            self._device.move_to(position)

    def _moved_by_others(self, target: Sequence[float]) -> bool:
        """Return whether the device rests somewhere else than at `target`."""
        if self._device.busy():
            return False
        position = self._device.position()
        if _distance(position, target) <= self._accuracy:
            return False
        time.sleep(_STILL_S)  # some devices never report motion
        return not self._device.busy() and _distance(position, self._device.position()) <= _STILL * self._accuracy


def _distance(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the largest difference along an axis."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True))
