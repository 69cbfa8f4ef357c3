"""Which clients may move actuators: all, until somebody halts them."""

from __future__ import annotations

import threading

from livetrack.errors import CommandError

__all__ = ["MovePermission"]

_MAX_CLIENTS = 100_000  # a client that connects anew for every command is another one each time

_HALTED = (
    "motion is halted: allow moves again in the window, by `livetrack halt --allow` or `Remote.allow_moves()`; nothing "
    "has moved"
)
_BARRED = (
    "motion was halted while this program was moving actuators: start it again, or call `Remote.allow_moves()`; "
    "nothing has moved"
)


class MovePermission:
    """Permits every move until `halt`; a client is the identity of its connection. Any thread may call the methods.

    After a halt nobody may move anything until some client calls `allow`. A client that has moved something before the
    halt must call it itself: a loop that ignores errors does not go on when somebody else permits moves.
    """

    def __init__(self) -> None:
        self.halted = False
        self.halts = 0
        self._lock = threading.Lock()
        self._moved: dict[bytes, None] = {}  # since the last halt, in order
        self._barred: dict[bytes, None] = {}

    def check(self, client: bytes) -> None:
        """Raise `CommandError` if `client` may not move anything."""
        with self._lock:
            if self.halted:
                raise CommandError(_HALTED)
            if client in self._barred:
                raise CommandError(_BARRED)
            if client not in self._moved:
                self._moved[client] = None
                _shorten(self._moved)

    def halt(self) -> None:
        """Permit no move any more."""
        with self._lock:
            self.halted = True
            self.halts += 1
            self._barred |= self._moved
            self._moved.clear()
            _shorten(self._barred)

    def allow(self, client: bytes) -> None:
        """Permit moves again to `client`, and to those that have not moved anything before the halt."""
        with self._lock:
            self.halted = False
            self._barred.pop(client, None)


def _shorten(clients: dict[bytes, None]) -> None:
    """Remove the oldest."""
    while len(clients) > _MAX_CLIENTS:
        del clients[next(iter(clients))]
