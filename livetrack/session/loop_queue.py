"""What other threads want done between two frames, by the loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from livetrack.errors import CommandError

__all__ = ["LoopQueue"]

_PATIENCE_S = 4.0  # less than whoever asked waits for an answer

T = TypeVar("T")


class LoopQueue:
    """A queue of short pieces of work. It is true where something waits: all that it costs a frame to look."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def run_in_loop(self, work: Callable[[], T]) -> T:
        """Have the loop do `work`, and return what it returns or raise what it raises. For any other thread.

        Raises
        ------
        CommandError
            The session is over, or the loop did not come round in time; `work` is not done then.
        """
        done: Future[T] = Future()
        self._waiting.append((work, done))
        if self._closed:
            self.close()
        try:
            return done.result(_PATIENCE_S)
        except TimeoutError:
            if done.cancel():
                raise CommandError(f"the loop has not come round for {_PATIENCE_S:g} s: nothing was changed") from None
            return done.result()

    def drain(self) -> None:
        """Do all that waits. For the loop, between two frames."""
        while self._waiting:
            work, done = self._waiting.popleft()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(work())
            except Exception as error:  # noqa: BLE001  belongs to who gave the order, and must not end the loop
                done.set_exception(error)

    def close(self) -> None:
        """Refuse what waits, and all that comes: nobody is there any more to do it."""
        self._closed = True
        while True:
            try:
                _, done = self._waiting.popleft()
            except IndexError:  # the loop's thread and one that gives an order may both be here
                return
            if done.set_running_or_notify_cancel():
                done.set_exception(CommandError("the session is over"))
