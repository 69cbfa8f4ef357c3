"""The socket that commands come to: whatever comes, it is answered, and nobody waits for anybody else."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import zmq

from livetrack.errors import CommandError
from livetrack.session.commands.worker import Worker
from livetrack.wire.commands import Request
from livetrack.wire.exchange import Reply, decode_request, encode, request_id

__all__ = ["CommandServer", "Dispatcher"]

_LINGER_MS = 500
_MAX_FRAMES = 3  # of a message: who sends it, an empty one, the request
_CLOSE_TIMEOUT_S = 10.0  # for commands still running: a recording being written, a device that may hang


class Dispatcher(Protocol):
    """What knows the commands."""

    def worker_name(self, request: Request[Any]) -> str:
        """Return the name of the thread that `request` is for; empty where it takes no time."""

    def dispatch(self, request: Request[Any]) -> Reply:
        """Carry out `request`; never raises."""


class CommandServer:
    """Takes requests from a ROUTER socket in a thread of its own, and has `dispatcher` carry them out.

    A request is one frame, as a DEALER socket sends it, or one behind an empty frame, as REQ does; the reply has the
    same shape. Requests of one worker are carried out in the order in which they came.

    `socket` belongs to the server from now on.
    """

    def __init__(self, socket: zmq.Socket[bytes], dispatcher: Dispatcher) -> None:
        self._router = socket
        self._dispatcher = dispatcher
        self._replies: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PULL)
        self._inside = f"inproc://livetrack-commands-{id(self)}"
        self._replies.bind(self._inside)
        self._workers: dict[str, Worker] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="livetrack-commands", daemon=True)

    def start(self) -> None:
        """Begin to answer; what has come until now waits."""
        self._thread.start()

    def close(self) -> None:
        """Finish what was begun, let go of what was not, and of the address; harmless when done already."""
        if not self._thread.is_alive():
            self._close_sockets()
            return
        self._closing = True
        for worker in list(self._workers.values()):
            worker.close(_CLOSE_TIMEOUT_S)
        last: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        last.connect(self._inside)
        last.send(b"")
        last.close()
        self._thread.join(5)

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._replies, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._closing and self._router in ready:
                poller.unregister(self._router)  # what comes now is for nobody
                continue
            if self._replies in ready:
                reply = self._replies.recv_multipart()
                if reply == [b""]:
                    break
                self._router.send_multipart(reply)
            if self._router in ready:
                self._take(self._receive())
        self._close_sockets()

    def _close_sockets(self) -> None:
        self._replies.close(linger=0)
        self._router.close(linger=_LINGER_MS)

    def _receive(self) -> list[bytes]:
        """Return the frames of a message; of one that has more than a request can have, the first few."""
        frames = [self._router.recv()]
        while self._router.getsockopt(zmq.RCVMORE):
            frame = self._router.recv()
            if len(frames) <= _MAX_FRAMES:
                frames.append(frame)
        return frames

    def _take(self, frames: list[bytes]) -> None:
        """Answer a request at once, or give it to its worker."""
        envelope, payload = (frames[:2] if len(frames) == 3 and not frames[1] else frames[:1]), frames[-1]
        try:
            if len(frames) != len(envelope) + 1:
                raise CommandError("a request is one frame, this has several")
            request = decode_request(payload)
        except CommandError as error:
            self._router.send_multipart([*envelope, encode(Reply(id=request_id(payload), error=str(error)))])
            return

        def work() -> bytes:
            try:
                return encode(self._dispatcher.dispatch(request))
            except (TypeError, ValueError) as error:  # a result that is no JSON must not end the thread
                return encode(Reply(id=request.id, error=f"the answer cannot be sent: {error!a}"))

        name = self._dispatcher.worker_name(request)
        if not name:
            self._router.send_multipart([*envelope, work()])
        elif not self._worker(name).put(envelope, work):
            reply = Reply(id=request.id, error="too many commands wait already: this one was not taken")
            self._router.send_multipart([*envelope, encode(reply)])

    def _worker(self, name: str) -> Worker:
        if name not in self._workers:
            self._workers[name] = Worker(name, self._inside)
        return self._workers[name]
