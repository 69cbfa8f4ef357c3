"""The socket that commands come to: whatever comes, it is answered, and nobody waits for anybody else."""

from __future__ import annotations

import threading
from typing import Protocol

import zmq

from livetrack.errors import CommandError
from livetrack.session.commands.worker import Lane
from livetrack.wire.commands import Request
from livetrack.wire.exchange import Reply, decode_request, encode, request_id

__all__ = ["CommandServer", "Handler"]

_LINGER_MS = 500
_MOST_FRAMES = 3  # of a message: who sends it, an empty one, the request
_PATIENCE_S = 10.0  # at the end, for what is being carried out: a recording that is written, a device that may hang


class Handler(Protocol):
    """What knows the commands."""

    def lane(self, request: Request) -> str:
        """Return the name of the thread that `request` is for; empty where it takes no time."""

    def answer(self, request: Request) -> Reply:
        """Carry out `request`; never raises."""


class CommandServer:
    """Takes requests from a ROUTER socket in a thread of its own, and has `handler` carry them out.

    A request is one frame, as a DEALER socket sends it, or one behind an empty frame, as REQ does; the reply has the
    same shape. Requests of one lane are carried out in the order in which they came.

    `socket` belongs to the server from now on.
    """

    def __init__(self, socket: zmq.Socket[bytes], handler: Handler) -> None:
        self._router = socket
        self._handler = handler
        self._answers: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PULL)
        self._inside = f"inproc://livetrack-commands-{id(self)}"
        self._answers.bind(self._inside)
        self._lanes: dict[str, Lane] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="livetrack-commands", daemon=True)

    def start(self) -> None:
        """Begin to answer; what has come until now waits."""
        self._thread.start()

    def close(self) -> None:
        """Finish what was begun, let go of what was not, and of the address; harmless when done already."""
        if not self._thread.is_alive():
            self._let_go()
            return
        self._closing = True
        for lane in list(self._lanes.values()):
            lane.close(_PATIENCE_S)
        last: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        last.connect(self._inside)
        last.send(b"")
        last.close()
        self._thread.join(5)

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._answers, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._closing and self._router in ready:
                poller.unregister(self._router)  # what comes now is for nobody
                continue
            if self._answers in ready:
                answer = self._answers.recv_multipart()
                if answer == [b""]:
                    break
                self._router.send_multipart(answer)
            if self._router in ready:
                self._take(self._receive())
        self._let_go()

    def _let_go(self) -> None:
        self._answers.close(linger=0)
        self._router.close(linger=_LINGER_MS)

    def _receive(self) -> list[bytes]:
        """Return the frames of a message; of one that has more than a request can have, the first few."""
        frames = [self._router.recv()]
        while self._router.getsockopt(zmq.RCVMORE):
            frame = self._router.recv()
            if len(frames) <= _MOST_FRAMES:
                frames.append(frame)
        return frames

    def _take(self, frames: list[bytes]) -> None:
        """Answer a request at once, or give it to its lane."""
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
                return encode(self._handler.answer(request))
            except (TypeError, ValueError) as error:  # a result that is no JSON must not end the thread
                return encode(Reply(id=request.id, error=f"the answer cannot be sent: {error!a}"))

        name = self._handler.lane(request)
        if not name:
            self._router.send_multipart([*envelope, work()])
        elif not self._lane(name).put(envelope, work):
            reply = Reply(id=request.id, error="too many commands wait already: this one was not taken")
            self._router.send_multipart([*envelope, encode(reply)])

    def _lane(self, name: str) -> Lane:
        if name not in self._lanes:
            self._lanes[name] = Lane(name, self._inside)
        return self._lanes[name]
