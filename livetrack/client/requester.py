"""Requests to an engine and their replies: the connection of `livetrack.client.Remote`."""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple, Self, TypeVar

import msgspec
import zmq
from msgspec import structs

from livetrack.client.address import DEFAULT_ADDRESS, Keys, connect, resolve_address
from livetrack.client.diagnosis import diagnose
from livetrack.client.streams import StatusSubscriber
from livetrack.errors import CommandError, GeometryChangedError
from livetrack.wire import Status, VersionError, WireError, commands
from livetrack.wire.commands import REQUESTS, Request
from livetrack.wire.common import check_version
from livetrack.wire.exchange import GEOMETRY_CHANGED, Reply, decode_reply, encode

__all__ = ["LONG_S", "ImageOrigin", "Requester"]

R = TypeVar("R")

LONG_S = 60.0
"""Timeout for opening a camera, loading a model, or finishing a recording."""

_CHECK_S = 0.5  # how often a client that waits for a reply checks whether the engine is there


class ImageOrigin(NamedTuple):
    """The image that a move follows from: number of the session, and of the geometry."""

    session: int
    geometry: int


class Requester:
    """Sends requests and waits for their replies. Not thread-safe.

    The parameters are those of `Remote`.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, timeout_s: float = 5.0, keys: Keys = None) -> None:
        self.timeout_s = timeout_s
        self.last_reply = Reply()
        """The last reply, with the duration of the command and of the stall of the camera that it caused."""
        self._origin: ImageOrigin | None = None  # of the last hello
        self._last_id = 0
        self.address, self._socket = _find(address, timeout_s, keys)

    def hello(self) -> commands.HelloReply:
        """Return addresses, schema, geometry, calibrations, current settings, status, and the engine's clock."""
        sent_ns = time.perf_counter_ns()
        reply = self._request(commands.Hello(t_client_ns=sent_ns))
        back_ns = time.perf_counter_ns()
        check_version(reply.wire_version)
        offset_ns = (reply.t_received_ns - sent_ns + reply.t_sent_ns - back_ns) // 2
        round_trip_ns = (back_ns - sent_ns) - (reply.t_sent_ns - reply.t_received_ns)
        self._origin = ImageOrigin(reply.session, reply.geometry_number) if reply.geometry_checked else None
        return structs.replace(reply, clock_offset_ns=offset_ns, round_trip_ns=round_trip_ns)

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, request: Request[R], timeout_s: float | None = None) -> R:
        """Send a request and return its result; late replies to earlier requests are discarded."""
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        deadline, name = time.monotonic() + timeout_s, request.__struct_config__.tag
        self._last_id += 1
        if not self._socket.poll(round(self.timeout_s * 1000), zmq.POLLOUT):
            raise CommandError(f"{self.address}: the engine is gone")
        self._socket.send(encode(structs.replace(request, id=self._last_id)))
        while (left_s := deadline - time.monotonic()) > 0:
            if self._socket.poll(math.ceil(min(left_s, _CHECK_S) * 1000)):
                reply = decode_reply(self._socket.recv())
                if reply.id in (self._last_id, 0):
                    self.last_reply = reply
                    result: R = _result(reply, REQUESTS[type(request)])
                    return result
            elif not self._socket.poll(0, zmq.POLLOUT):  # disconnected
                raise CommandError(f"{self.address}: the engine is gone, and has not replied to {name}")
        raise CommandError(f"{self.address}: no reply to {name} within {timeout_s:g} s; it may still be executed")


def _result(reply: Reply, result_type: Any) -> Any:
    if reply.error:
        raise (GeometryChangedError if reply.code == GEOMETRY_CHANGED else CommandError)(reply.error)
    try:
        return msgspec.convert(reply.result, result_type)
    except msgspec.ValidationError as error:
        raise CommandError(f"the reply cannot be read ({error}): install the same livetrack on both sides") from None


def _find(address: str, timeout_s: float, keys: Keys) -> tuple[str, zmq.Socket[bytes]]:
    """Return the engine's command address, `address` itself or that of its heartbeat, and a socket connected to it."""
    socket = _connect(address, keys)
    try:
        with StatusSubscriber(address, keys) as heartbeats:
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline:
                if socket.poll(1, zmq.POLLOUT):  # only possible when connected to a command socket
                    return address, socket
                status = _receive(heartbeats)
                if status is not None and status.command_address:
                    socket.close()
                    address = resolve_address(status.command_address, address)
                    socket = _connect(address, keys)
                    return address, socket
    except BaseException:
        socket.close()
        raise
    socket.close()
    raise CommandError(f"{address}: no response from an engine for {timeout_s:g} s: {diagnose(address, keys).hint}")


def _receive(heartbeats: StatusSubscriber) -> Status | None:
    try:
        return heartbeats.receive(0.02)
    except VersionError:
        raise
    except WireError:  # of another program; commands may still work
        return None


def _connect(address: str, keys: Keys) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IMMEDIATE, 1)  # or a queued command would move a stage when an engine starts later
    connect(socket, address, keys)
    return socket
