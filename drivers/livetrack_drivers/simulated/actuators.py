"""Actuators of the simulated microscope: stage, trap and flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from livetrack.devices import Limits, check_position
from livetrack.errors import CameraError

__all__ = ["SimulatedActuator", "simulated_actuators"]

_MAX_POSITION = 1e6
_SPEED = "um/s"

Command = Callable[[float, float], None]


class SimulatedActuator:
    """Two axes, x to the right and y down; `on_move` is called with each new position and the one before."""

    axes = ("x", "y")

    def __init__(self, unit: str, on_move: Callable[[tuple[float, float], tuple[float, float]], None]) -> None:
        self.unit = unit
        self._on_move = on_move
        self._position = (0.0, 0.0)

    def limits(self) -> Limits:
        """Return the range of both axes."""
        return [(-_MAX_POSITION, _MAX_POSITION)] * 2

    def position(self) -> tuple[float, ...]:
        """Return the last commanded position; 0, 0 at the start."""
        return self._position

    def target(self) -> tuple[float, ...]:
        """Return the same: a move is complete at once, or after `actuation_delay_frames`."""
        return self._position

    def move_to(self, position: Sequence[float]) -> None:
        """Command a move to `position`. Raises `CameraError` if that is out of range."""
        x, y = position
        check_position("the simulated actuator", self.axes, (x, y), self.unit, self.limits(), CameraError)
        self._on_move((x, y), self._position)
        self._position = (x, y)

    def move_by(self, step: Sequence[float]) -> None:
        """Command a move by `step`."""
        x, y = self._position
        self.move_to((x + step[0], y + step[1]))

    def wait(self) -> None:
        """Return at once."""

    def stop(self) -> None:
        """Stop a flow; the others are at rest."""
        if self.unit == _SPEED:
            self.move_to((0.0, 0.0))


def simulated_actuators(shift: Command, trap: Command, flow: Command) -> dict[str, SimulatedActuator]:
    """Return the actuators by name.

    - "stage" carries the sample, µm: moving it to the right moves all particles to the right, by `shift(dx, dy)`;
    - "trap" is the position of the trap, µm from the centre of the image: `trap(x, y)`;
    - "flow" carries all particles, µm/s, in addition to the drift: `flow(vx, vy)`.
    """
    return {
        "stage": SimulatedActuator("um", lambda to, last: shift(to[0] - last[0], to[1] - last[1])),
        "trap": SimulatedActuator("um", lambda to, _: trap(*to)),
        "flow": SimulatedActuator(_SPEED, lambda to, _: flow(*to)),
    }
