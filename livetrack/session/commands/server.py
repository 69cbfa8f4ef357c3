"""Command server: replies to every request, whatever it is; a slow command delays only those of its own worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import zmq

from livetrack.errors import CommandError
from livetrack.session.commands.dispatcher import CommandDispatcher
from livetrack.session.commands.registry import HANDLERS
from livetrack.session.commands.worker import Worker
from livetrack.wire.exchange import Reply, decode_request, encode, request_id

__all__ = ["CommandServer"]

_LINGER_MS = 500
_MAX_FRAMES = 3  # of a message: the sender's id, an empty frame, the request
_CLOSE_TIMEOUT_S = 10.0  # for commands still running, such as a recording being written
_DEVICE_TIMEOUT_S = 0.4  # for those to devices, all together: a device may hang, and must not hold up the end


class CommandServer:
    """Receives requests in its own thread and passes them to the dispatcher, in the thread of their worker.

    A request is one frame, as a DEALER socket sends it, or one behind an empty frame, as REQ does; the reply has the
    same shape. The requests of one worker are handled in the order in which they arrive.

    Parameters
    ----------
    socket
        A bound ROUTER socket; it belongs to the server from now on.
    dispatcher
        Handles the requests.
    note_message
        Called with the connection, its `zmq.SRCFD`, of each message that was received as a whole.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        dispatcher: CommandDispatcher,
        note_message: Callable[[int], None] = lambda connection: None,
    ) -> None:
        self._note_message = note_message
        self._router = socket
        self._dispatcher = dispatcher
        self._replies: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PULL)
        self._internal_address = f"inproc://livetrack-commands-{id(self)}"
        self._replies.bind(self._internal_address)
        self._workers: dict[str, Worker] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="livetrack-commands", daemon=True)

    def start(self) -> None:
        """Start to reply, first to the requests that have arrived already."""
        self._thread.start()

    def close(self) -> None:
        """Finish the queued commands and unbind the address; harmless if called twice."""
        if not self._thread.is_alive():
            self._close_sockets()
            return
        self._closing = True
        of_devices = {spec.worker for spec in HANDLERS.values() if spec.device}
        device_deadline = time.monotonic() + _DEVICE_TIMEOUT_S
        for name, worker in list(self._workers.items()):
            left_s = device_deadline - time.monotonic() if name in of_devices else _CLOSE_TIMEOUT_S
            worker.close(max(left_s, 0.0))
        last: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        last.connect(self._internal_address)
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
                poller.unregister(self._router)  # new requests are not accepted any more
                continue
            if self._replies in ready:
                reply = self._replies.recv_multipart()
                if reply == [b""]:
                    break
                self._router.send_multipart(reply)
            if self._router in ready:
                self._handle(self._receive())
        self._close_sockets()

    def _close_sockets(self) -> None:
        self._replies.close(linger=0)
        self._router.close(linger=_LINGER_MS)

    def _receive(self) -> list[bytes]:
        """Return the frames of a message; if it has more than a request can have, only the first few."""
        sender = self._router.recv(copy=False)
        frames = [sender.bytes]
        while self._router.getsockopt(zmq.RCVMORE):
            frame = self._router.recv()
            if len(frames) <= _MAX_FRAMES:
                frames.append(frame)
        with suppress(zmq.ZMQError):  # of a message from an old version of ZeroMQ, the connection is unknown
            self._note_message(int(sender.get(zmq.SRCFD)))
        return frames

    def _handle(self, frames: list[bytes]) -> None:
        """Handle a request here, or queue it for its worker."""
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
                return encode(self._dispatcher.dispatch(request, client=envelope[0]))
            except (TypeError, ValueError) as error:  # a result that JSON cannot hold must not end the thread
                return encode(Reply(id=request.id, error=f"the result cannot be sent: {error!a}"))

        name = self._dispatcher.worker_name(request)
        if not name:
            self._router.send_multipart([*envelope, work()])
        elif not self._worker(name).put(envelope, work):
            reply = Reply(id=request.id, error="too many commands are waiting: this one was rejected")
            self._router.send_multipart([*envelope, encode(reply)])

    def _worker(self, name: str) -> Worker:
        if name not in self._workers:
            self._workers[name] = Worker(name, self._internal_address)
        return self._workers[name]
