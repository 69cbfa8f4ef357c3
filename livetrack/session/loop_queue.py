"""Queue of work that other threads pass to the tracking loop, to run between two frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from livetrack.errors import CommandError

__all__ = ["LoopQueue"]

_TIMEOUT_S = 4.0  # less than a client waits for its reply

T = TypeVar("T")


class LoopQueue:
    """A queue of short pieces of work; true if any are waiting, which is all that the loop checks at each frame."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def run_in_loop(self, work: Callable[[], T]) -> T:
        """Have the loop call `work`, and return its result or raise its exception; for any other thread.

        Raises
        ------
        CommandError
            The session is over, or the loop is too busy; then `work` is not called.
        """
        done: Future[T] = Future()
        self._waiting.append((work, done))
        if self._closed:
            self.close()
        try:
            return done.result(_TIMEOUT_S)
        except TimeoutError:
            if done.cancel():
                raise CommandError(
                    f"the tracking loop has been busy for {_TIMEOUT_S:g} s: nothing was changed"
                ) from None
            return done.result()

    def drain(self) -> None:
        """Do all waiting work; for the loop."""
        while self._waiting:
            work, done = self._waiting.popleft()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(work())
            except Exception as error:  # noqa: BLE001  belongs to the waiting thread, and must not end the loop
                done.set_exception(error)

    def close(self) -> None:
        """Reject waiting and future work: the session is over."""
        self._closed = True
        while True:
            try:
                _, done = self._waiting.popleft()
            except IndexError:  # the loop and another thread may both be closing
                return
            if done.set_running_or_notify_cancel():
                done.set_exception(CommandError("the session is over"))
