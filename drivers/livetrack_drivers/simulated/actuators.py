"""What moves in the simulated microscope: stage, trap and flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from livetrack.errors import CameraError

__all__ = ["SimulatedActuator", "simulated_actuators"]

_FARTHEST = 1e6

Act = Callable[[float, float], None]


class SimulatedActuator:
    """Two axes, x to the right and y down; `order` is called with each new position, and where it was before."""

    axes = ("x", "y")

    def __init__(self, unit: str, order: Callable[[tuple[float, float], tuple[float, float]], None]) -> None:
        self.unit = unit
        self._order = order
        self._position = (0.0, 0.0)

    def position(self) -> tuple[float, ...]:
        """Return where it was last told to be; 0, 0 at the start."""
        return self._position

    def move_to(self, position: Sequence[float]) -> None:
        """Take the order to move there. Raises `CameraError` where that is too far."""
        x, y = position
        if not max(abs(x), abs(y)) <= _FARTHEST:
            raise CameraError(f"cannot go to {x:g}, {y:g} {self.unit}: it takes -{_FARTHEST:g} to {_FARTHEST:g}")
        self._order((x, y), self._position)
        self._position = (x, y)

    def move_by(self, step: Sequence[float]) -> None:
        """Take the order to move by a step."""
        x, y = self._position
        self.move_to((x + step[0], y + step[1]))

    def wait(self) -> None:
        """Return: what takes effect takes it with the next exposure, or after the delay of the settings."""


def simulated_actuators(shift: Act, trap: Act, flow: Act) -> dict[str, SimulatedActuator]:
    """Return the actuators by name.

    - "stage" carries the sample, µm: a stage that moves to the right moves all particles so, by `shift(dx, dy)`;
    - "trap" is where the trap is, µm from the middle of the image: `trap(x, y)`;
    - "flow" carries all particles along, µm/s, besides the drift: `flow(vx, vy)`.
    """
    return {
        "stage": SimulatedActuator("um", lambda to, was: shift(to[0] - was[0], to[1] - was[1])),
        "trap": SimulatedActuator("um", lambda to, _: trap(*to)),
        "flow": SimulatedActuator("um/s", lambda to, _: flow(*to)),
    }
