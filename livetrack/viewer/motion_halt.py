"""The emergency stop of the window."""

from __future__ import annotations

from livetrack.client import Remote
from livetrack.viewer.data.async_remote import AsyncRemote
from livetrack.viewer.qt import QtCore
from livetrack.wire.commands import HaltResult

__all__ = ["MotionHalt"]


class MotionHalt(QtCore.QObject):
    """Halts all motion, and allows moves again, through a connection of its own: it waits behind no other command.

    Commands go to the address of `remote`, whose signal `failed` also reports why one of these failed.
    """

    confirmed = QtCore.Signal(str)

    def __init__(self, remote: AsyncRemote) -> None:
        super().__init__()
        self._other = remote
        self._remote = AsyncRemote()
        self._remote.failed.connect(remote.failed)

    def halt(self) -> None:
        """Stop all actuators."""
        self._remote.address = self._other.address
        self._remote.submit("halt", Remote.halt, self._show)

    def allow_moves(self) -> None:
        """Allow moves again."""
        self._remote.address = self._other.address
        self._remote.submit("allow", Remote.allow_moves, lambda _: self.confirmed.emit("moves are allowed again"))

    def close(self) -> None:
        """End the connection."""
        self._remote.close()

    def _show(self, result: HaltResult) -> None:
        if result.failed:
            reasons = "; ".join(f"{name}: {why}" for name, why in result.failed.items())
            self._other.failed.emit(f"not all actuators have stopped: {reasons}")
        else:
            self.confirmed.emit("all motion is halted")
