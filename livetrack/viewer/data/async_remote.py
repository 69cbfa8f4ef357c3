"""Commands to the engine, sent one after another by a thread so that the window never waits for a reply."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from livetrack.client import Remote
from livetrack.errors import LivetrackError
from livetrack.viewer.qt import QtCore

__all__ = ["AsyncRemote"]

_CLOSE_TIMEOUT_S = 0.5


class _Request(NamedTuple):
    call: Callable[[Remote], Any]
    on_reply: Callable[[Any], None] | None


class AsyncRemote(QtCore.QObject):
    """Sends commands through a `Remote`; replies are handled in the window's thread.

    `address`, where commands are sent, may change at any time; while it is empty, every command fails.
    """

    failed = QtCore.Signal(str)
    """Why a command failed."""
    _replied = QtCore.Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self.address = ""
        self._pending: dict[str, _Request] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._replied.connect(lambda on_reply, reply: on_reply(reply))
        self._thread = threading.Thread(target=self._run, name="livetrack-remote", daemon=True)
        self._thread.start()

    def submit(self, key: str, call: Callable[[Remote], Any], on_reply: Callable[[Any], None] | None = None) -> None:
        """Queue `call`, which receives a `Remote`, and then `on_reply`, which receives what `call` returned.

        A request replaces a pending one of the same `key`, so that only a slider's latest value is sent.
        """
        with self._changed:
            self._pending.pop(key, None)
            self._pending[key] = _Request(call, on_reply)
            self._changed.notify()

    def close(self) -> None:
        """Drop the pending requests and ignore the reply that is being waited for."""
        with self._changed:
            self._closed = True
            self._pending.clear()
            self._changed.notify()
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        remote: Remote | None = None
        address = ""
        while request := self._next():
            if remote and self.address != address:
                remote.close()
                remote = None
            try:
                address = self.address
                remote = remote or _connect(address)
                reply = request.call(remote)
            except LivetrackError as error:
                self._emit(self.failed, str(error))
            else:
                if request.on_reply:
                    self._emit(self._replied, request.on_reply, reply)
        if remote:
            remote.close()

    def _next(self) -> _Request | None:
        """Wait for a request; None once closed."""
        with self._changed:
            while not self._pending and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            return self._pending.pop(next(iter(self._pending)))

    def _emit(self, signal: Any, *args: Any) -> None:
        if not self._closed:
            with suppress(RuntimeError):  # Qt has just deleted the window
                signal.emit(*args)


def _connect(address: str) -> Remote:
    if not address:
        raise LivetrackError("the engine accepts no commands: it is not running, or its livetrack is too old")
    return Remote(address)
