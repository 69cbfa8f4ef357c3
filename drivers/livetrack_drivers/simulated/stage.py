"""The simulated microscope's stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["SimulatedStage"]


class SimulatedStage:
    """Carries the sample along x and y, µm, at once: a stage that moves to the right moves all particles so.

    `shift` is called with each step, (dx, dy) in µm.
    """

    axes = ("x", "y")
    unit = "um"

    def __init__(self, shift: Callable[[float, float], None]) -> None:
        self._shift = shift
        self._x = self._y = 0.0

    def position(self) -> tuple[float, ...]:
        """Return where it is; 0, 0 at the start."""
        return self._x, self._y

    def move_to(self, position: Sequence[float]) -> None:
        """Move there."""
        x, y = position
        self._shift(x - self._x, y - self._y)
        self._x, self._y = x, y

    def move_by(self, step: Sequence[float]) -> None:
        """Move by a step."""
        self.move_to((self._x + step[0], self._y + step[1]))

    def wait(self) -> None:
        """Return: it has arrived."""
