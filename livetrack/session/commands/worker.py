"""Threads in which commands are carried out, so that a slow one keeps only its own kind waiting."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import zmq

__all__ = ["Worker"]

_MOST = 1000  # that may wait

Work = Callable[[], bytes]


class Worker:
    """One thread with its queue; what each piece of work returns is sent to `address`, behind its envelope.

    Parameters
    ----------
    name
        Of the thread.
    address
        Where a PULL socket takes the answers, in this process.
    """

    def __init__(self, name: str, address: str) -> None:
        self._address = address
        self._waiting: queue.SimpleQueue[tuple[list[bytes], Work] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"livetrack-{name}", daemon=True)
        self._thread.start()

    def put(self, envelope: list[bytes], work: Work) -> bool:
        """Take on a piece of work; False when too much waits already."""
        if self._waiting.qsize() >= _MOST:
            return False
        self._waiting.put((envelope, work))
        return True

    def close(self, timeout_s: float) -> None:
        """Finish what waits, for `timeout_s` at most: a device may hang."""
        self._waiting.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        answers: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        answers.connect(self._address)
        while (item := self._waiting.get()) is not None:
            envelope, work = item
            answers.send_multipart([*envelope, work()])
        answers.close()
