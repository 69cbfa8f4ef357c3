"""Ends connections whose senders would fill the memory, or keep the publisher busy with subscriptions.

ZeroMQ bounds the size of a message part and the number of whole messages that wait, but neither the parts of one
message nor the subscriptions of a client. Only the operating system counts what a connection has received.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import zmq
from zmq.utils.monitor import parse_monitor_message

from livetrack.session.series import Series

__all__ = ["COMMANDS", "SUBSCRIPTIONS", "Allowance", "ConnectionGuard"]

_log = logging.getLogger(__name__)

_SUPPORTED = sys.platform == "linux"
_INTERVAL_S = 0.05
_MAX_CONNECTIONS = 256  # per socket
_HANDSHAKE_BYTES = 91  # of the shortest complete one
_BYTES_RECEIVED = slice(128, 136)  # in Linux's `struct tcp_info`
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED
_CLOSE_S = 2.0  # a socket ends half a second after it was closed, when its last messages are sent
_RESET = struct.pack("ii", 1, 0)  # the sender gets an error at once, even while it waits for the receiver


class Allowance(NamedTuple):
    """What one connection, and all of a socket together, may have sent that is not a whole message."""

    each_bytes: int
    all_bytes: int
    bytes_s: int
    """Part of it that is forgotten in each second."""


COMMANDS = Allowance(2 << 20, 4 << 20, 0)
"""Counted from the last whole request on, see `ConnectionGuard.note_whole_message`."""

SUBSCRIPTIONS = Allowance(64 << 10, 256 << 10, 4 << 10)
"""Some 5,000 subscriptions at once, and 300 in each second."""


@dataclass
class _Connection:
    handle: socket.socket
    received: int = 0
    level: float = 0.0


@dataclass
class _Watched:
    events: zmq.Socket[bytes]
    allowance: Allowance
    connections: dict[int, _Connection] = field(default_factory=dict)
    series: Series = field(default_factory=Series)
    ended: bool = False


class ConnectionGuard:
    """Watches the connections of the engine's sockets in a thread of its own, 20 times a second, on Linux.

    A connection that exceeds the socket's `Allowance` ends, and what it has sent is forgotten; so do connections above
    256 per socket, first those without a complete handshake. On other systems nothing is watched.
    """

    def __init__(self) -> None:
        self._new: queue.SimpleQueue[_Watched] = queue.SimpleQueue()
        self._whole: set[int] = set()  # connections with a whole message since the last look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="livetrack-connections", daemon=True)
        if _SUPPORTED:
            self._thread.start()

    def watch(self, bound: zmq.Socket[bytes], allowance: Allowance) -> None:
        """Watch a socket; to be called before it is bound, in the thread that owns it."""
        if not _SUPPORTED:
            return
        address = f"inproc://livetrack-connections-{id(bound)}"
        bound.monitor(address, _EVENTS)
        events: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PAIR)
        events.connect(address)
        self._new.put(_Watched(events, allowance))

    def note_whole_message(self, connection: int) -> None:
        """Forget what a connection, by its `zmq.SRCFD`, has sent until now: its message was complete."""
        self._whole.add(connection)

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if _SUPPORTED:
            self._thread.join(5)

    def _run(self) -> None:
        watched: list[_Watched] = []
        looked_s = time.monotonic()
        while not self._stop.wait(_INTERVAL_S):
            with suppress(queue.Empty):
                while True:
                    watched.append(self._new.get_nowait())
            now_s = time.monotonic()
            whole = self._whole.copy()
            self._whole -= whole
            for each in watched:
                _read_events(each)
                _check_connections(each, whole, now_s - looked_s)
            looked_s = now_s
        with suppress(queue.Empty):
            while True:
                watched.append(self._new.get_nowait())
        deadline_s = time.monotonic() + _CLOSE_S
        for each in watched:  # ZeroMQ would wait for ever to hand over an event that nobody reads any more
            while not each.ended and time.monotonic() < deadline_s:
                each.events.poll(100)
                _read_events(each)
            each.events.close(linger=0)
            for connection in each.connections.values():
                connection.handle.close()


def _read_events(watched: _Watched) -> None:
    """Take up new connections, and let go of those that have ended."""
    while watched.events.poll(0):
        event = parse_monitor_message(watched.events.recv_multipart())
        if event["event"] == zmq.EVENT_MONITOR_STOPPED:
            watched.ended = True
            return
        number = int(event["value"])
        ended = watched.connections.pop(number, None)
        if ended is not None:
            ended.handle.close()
        if event["event"] == zmq.EVENT_ACCEPTED:
            handle = _own_handle(number, int(event["endpoint"].rpartition(b":")[2]))
            if handle is not None:
                watched.connections[number] = _Connection(handle)


def _own_handle(number: int, port: int) -> socket.socket | None:
    """Return a handle of our own of a connection to `port`; None if it has ended, and its number is another file's."""
    try:
        copied = os.dup(number)
    except OSError:
        return None
    try:
        handle = socket.socket(fileno=copied)
    except OSError:
        os.close(copied)
        return None
    name = handle.getsockname()
    if isinstance(name, tuple) and name[1] == port:
        return handle
    handle.close()
    return None


def _check_connections(watched: _Watched, whole: set[int], elapsed_s: float) -> None:
    """Count what each connection has received, and end those that have received too much."""
    allowance, connections = watched.allowance, watched.connections
    for number, connection in list(connections.items()):
        try:
            info = connection.handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.stop)
        except OSError:  # no TCP connection
            connections.pop(number).handle.close()
            continue
        received = int.from_bytes(info[_BYTES_RECEIVED], sys.byteorder)
        connection.level += received - connection.received - allowance.bytes_s * elapsed_s
        connection.level = 0.0 if number in whole else max(connection.level, 0.0)
        connection.received = received
        if connection.level > allowance.each_bytes:
            _end(watched, number, "it sent too much")
    while connections and sum(each.level for each in connections.values()) > allowance.all_bytes:
        _end(watched, max(connections, key=lambda number: connections[number].level), "all together sent too much")
    while len(connections) > _MAX_CONNECTIONS:
        silent = (number for number, each in connections.items() if each.received < _HANDSHAKE_BYTES)
        _end(watched, next(silent, next(reversed(connections))), f"there are more than {_MAX_CONNECTIONS}")


def _end(watched: _Watched, number: int, why: str) -> None:
    """End a connection; ZeroMQ then forgets its incomplete message and its subscriptions."""
    handle = watched.connections.pop(number).handle
    with suppress(OSError):
        if watched.series.begins():
            _log.warning("the connection from %s was ended: %s", handle.getpeername()[0], why)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        handle.shutdown(socket.SHUT_RDWR)
    handle.close()
