"""A speed limit for actuators whose own speed cannot be set: a long move is commanded in pieces."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from math import dist, inf

from livetrack.devices import Actuator, ReportsMotion, start_of_steps
from livetrack.errors import LivetrackError

__all__ = ["PacedActuator"]

_PIECE_S = 0.02  # between two pieces, at least
_POLL_S = 0.05
_MAX_FIRST_S = 0.05  # the first piece is no longer than what `max_speed` covers in this time
_MAX_PIECE_S = 0.25  # likewise a later one, of a device that has taken long for the last one

_log = logging.getLogger(__name__)


class PacedActuator:
    """Commands an actuator positions that advance no faster than `max_speed`.

    A move that `max_speed` covers since the last command is passed on at once. A longer one is made in pieces, in a
    thread of its own, each when the last one is complete: some devices restart their move with every command. A new
    position during that time replaces the last one.

    Parameters
    ----------
    device
        The actuator; only this object commands it.
    max_speed
        Along a straight line, in the actuator's unit per second.
    lock
        Held while the device is commanded.
    """

    def __init__(self, device: Actuator, max_speed: float, lock: threading.RLock) -> None:
        self._device = device
        self._moving = device if isinstance(device, ReportsMotion) else None
        self._start = start_of_steps(device)
        self._max_speed = max_speed
        self._changed = threading.Condition(lock)
        self._goal: tuple[float, ...] | None = None  # while a move is made in pieces
        self._commanded: tuple[float, ...] = ()
        self._commanded_s = -inf
        self._failure: Exception | None = None

    def target(self) -> tuple[float, ...]:
        """Return the position at the end of all pieces."""
        with self._changed:
            goal = self._goal  # once: `cancel` does not wait for the lock
            return self._start() if goal is None else goal

    def move_to(self, position: Sequence[float]) -> None:
        """Start to move; return once the device has accepted the first piece. Raises what the device raises."""
        with self._changed:
            self._raise_failure()
            under_way = self._goal is not None
            if not under_way:
                self._commanded = self._start()
            self._goal = tuple(position)
            if under_way:
                return
            try:
                self._advance(_MAX_FIRST_S)
            except Exception:
                self._goal = None
                raise
            if self._goal is not None:
                threading.Thread(target=self._run, name="livetrack-paced-move", daemon=True).start()

    def wait(self) -> None:
        """Return when the motion is complete, or was stopped."""
        with self._changed:
            while not self._changed.wait_for(lambda: self._goal is None, _POLL_S):
                pass  # `cancel` does not wait for the lock, and wakes nobody
            self._raise_failure()
        self._device.wait()

    def cancel(self) -> None:
        """Command no further piece, from any thread; one may be under way, with the lock held."""
        self._goal = None

    def _run(self) -> None:
        while True:
            time.sleep(_PIECE_S)
            with self._changed:
                try:
                    if self._goal is not None and not (self._moving is not None and self._moving.busy()):
                        self._advance(_MAX_PIECE_S)
                except Exception as error:  # noqa: BLE001  a driver's: reported with the next command
                    _log.warning("a move was ended by %s", error)
                    self._goal, self._failure = None, error
                if self._goal is None:
                    self._changed.notify_all()
                    return

    def _advance(self, max_s: float) -> None:
        """Command the next piece, which takes at most `max_s` at the limited speed."""
        goal = self._goal
        if goal is None:
            return
        now_s = time.monotonic()
        covered = self._max_speed * min(now_s - self._commanded_s, max_s)
        distance = dist(goal, self._commanded)
        last = distance <= covered
        piece = goal
        if not last:
            piece = tuple(a + (b - a) * covered / distance for a, b in zip(self._commanded, goal, strict=True))
        self._device.move_to(piece)
        self._commanded, self._commanded_s = piece, now_s
        if last and self._goal is goal:
            self._goal = None

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise LivetrackError(f"the last move was not completed: {failure}") from failure
