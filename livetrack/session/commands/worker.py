"""Worker threads for commands, so that a slow command delays only those of its own kind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

import zmq

__all__ = ["Worker"]

_MAX_QUEUED = 1000
_SEND_TIMEOUT_MS = 1000

Work = Callable[[], bytes]


class Worker:
    """A thread with a queue of work; each result is sent, behind its envelope, to `address`.

    Parameters
    ----------
    name
        Of the thread.
    address
        In-process address of a PULL socket for the results.
    """

    def __init__(self, name: str, address: str) -> None:
        self._address = address
        self._waiting: queue.SimpleQueue[tuple[list[bytes], Work] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"livetrack-{name}", daemon=True)
        self._thread.start()

    def put(self, envelope: list[bytes], work: Work) -> bool:
        """Queue a piece of work; False if the queue is full."""
        if self._waiting.qsize() >= _MAX_QUEUED:
            return False
        self._waiting.put((envelope, work))
        return True

    def close(self, timeout_s: float) -> None:
        """Finish the queued work, for at most `timeout_s`: a device may hang."""
        self._waiting.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        results: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        results.setsockopt(zmq.SNDTIMEO, _SEND_TIMEOUT_MS)
        results.connect(self._address)
        while (item := self._waiting.get()) is not None:
            envelope, work = item
            with suppress(zmq.Again):  # the session has ended before the device returned
                results.send_multipart([*envelope, work()])
        results.close()
