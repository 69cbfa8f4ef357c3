"""The line to the engine: commands, one after another, in a thread of its own, so that the window never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from livetrack.client import Remote
from livetrack.errors import LivetrackError
from livetrack.viewer.qt import QtCore

__all__ = ["Line"]

_PATIENCE_S = 0.5


class _Task(NamedTuple):
    call: Callable[[Remote], Any]
    then: Callable[[Any], None] | None


class Line(QtCore.QObject):
    """Asks through `Remote`, as any client does; answers come back in the window's thread.

    `address`, where commands go, may change at any time; empty: nowhere, and what is asked fails.
    """

    failed = QtCore.Signal(str)
    """Why something was not done."""
    _answered = QtCore.Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self.address = ""
        self._waiting: dict[str, _Task] = {}
        self._news = threading.Condition()
        self._stopped = False
        self._answered.connect(lambda then, answer: then(answer))
        self._thread = threading.Thread(target=self._run, name="livetrack-line", daemon=True)
        self._thread.start()

    def ask(self, what: str, call: Callable[[Remote], Any], then: Callable[[Any], None] | None = None) -> None:
        """Have `call` made with a `Remote` soon, and then `then` with what it returned.

        What is asked while the same `what` still waits takes its place: of a slider's many values the last counts.
        """
        with self._news:
            self._waiting.pop(what, None)
            self._waiting[what] = _Task(call, then)
            self._news.notify()

    def close(self) -> None:
        """Ask no more; what is being waited for is given up."""
        with self._news:
            self._stopped = True
            self._waiting.clear()
            self._news.notify()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        remote: Remote | None = None
        at = ""
        while task := self._next():
            if remote and self.address != at:
                remote.close()
                remote = None
            try:
                at = self.address
                remote = remote or _connect(at)
                answer = task.call(remote)
            except LivetrackError as error:
                self._say(self.failed, str(error))
            else:
                if task.then:
                    self._say(self._answered, task.then, answer)
        if remote:
            remote.close()

    def _next(self) -> _Task | None:
        """Wait for something to ask; None: the end."""
        with self._news:
            while not self._waiting and not self._stopped:
                self._news.wait()
            if self._stopped:
                return None
            return self._waiting.pop(next(iter(self._waiting)))

    def _say(self, signal: Any, *what: Any) -> None:
        if not self._stopped:
            with suppress(RuntimeError):  # the window has just been taken down
                signal.emit(*what)


def _connect(address: str) -> Remote:
    if not address:
        raise LivetrackError("this engine takes no commands: there is none, or it is of an older livetrack")
    return Remote(address)
