"""Finds out why nothing arrives from an address, by connecting to it once more and observing the handshake.

Only for a client that has received nothing: its own sockets are not observed, which would cost something per message.
"""

from __future__ import annotations

import os
import time
from enum import Enum
from typing import NamedTuple

import zmq

from livetrack.client.address import Keys, connect, is_local
from livetrack.curve_keys import ENVIRONMENT
from livetrack.errors import UsageError

__all__ = ["Handshake", "Silence", "diagnose"]

_LONGEST_S = 1.0  # refused connections and handshakes of this computer take milliseconds


class Handshake(Enum):
    """Outcome of a connection."""

    UNKNOWN = "nobody responds, or not yet"
    SUCCEEDED = "connected to an engine that publishes here"
    COMMANDS = "connected to an engine's command address, where nothing is published"
    KEYS_DIFFER = "one side requires keys, the other has none"
    CLIENT_REJECTED = "the engine does not accept this client's key"
    DISCONNECTED = "the other side is no engine, or not the one of the client's key engine.key"


class Silence(NamedTuple):
    """Why nothing arrives."""

    handshake: Handshake
    hint: str
    """What to check."""

    @property
    def is_final(self) -> bool:
        """Nothing can arrive until the client is started again with other keys, as ZeroMQ does not try again."""
        return self.handshake in (Handshake.KEYS_DIFFER, Handshake.CLIENT_REJECTED)


def diagnose(address: str, keys: Keys) -> Silence:
    """Return why nothing arrives from `address` at a client with `keys`; takes up to a second."""
    handshake = _handshake(address, keys)
    return Silence(handshake, _hint(handshake, address, str(os.environ.get(ENVIRONMENT, "") if keys is None else keys)))


def _hint(handshake: Handshake, address: str, folder: str) -> str:
    match handshake:
        case Handshake.KEYS_DIFFER if folder:
            return (
                f"the engine there has no keys, but this client uses those of {folder}: leave out --keys and unset "
                f"{ENVIRONMENT}"
            )
        case Handshake.KEYS_DIFFER:
            return "the engine there requires keys: give the folder of this client's keys with --keys FOLDER"
        case Handshake.CLIENT_REJECTED:
            return (
                f"the engine there does not accept the client's key of {folder}: add its public key to the engine's "
                "folder engine/clients, or copy the folder client from the engine's computer again"
            )
        case Handshake.DISCONNECTED if folder:
            return (
                f"what responds there is no engine with the key {folder}/engine.key: copy the folder client from the "
                "engine's computer again"
            )
        case Handshake.DISCONNECTED:
            return "another program responds there: is this the port of an engine?"
        case Handshake.COMMANDS:
            return "this is the engine's publish.command_address; use its publish.address"
    return _nobody(address)


def _nobody(address: str) -> str:
    if is_local(address):
        return "is an engine running there? Start one with `livetrack demo`"
    return "is an engine running there, open to other machines? Does its firewall open the port?"


def _handshake(address: str, keys: Keys) -> Handshake:
    """Connect with sockets of both kinds, one of which suits the engine's socket, and return the outcome."""
    if not address.startswith(("tcp://", "ipc://")):
        return Handshake.UNKNOWN
    sockets: list[zmq.Socket[bytes]] = []
    monitors: dict[zmq.Socket[bytes], Handshake] = {}
    try:
        for kind, success in ((zmq.SUB, Handshake.SUCCEEDED), (zmq.DEALER, Handshake.COMMANDS)):
            socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
            socket.linger = 0
            sockets.append(socket)
            monitors[socket.get_monitor_socket()] = success
            connect(socket, address, keys)
        return _observe(monitors)
    except UsageError:  # the keys or the host have become invalid
        return Handshake.UNKNOWN
    finally:
        for socket in sockets:
            if not socket.closed:
                socket.disable_monitor()
        for socket in (*monitors, *sockets):
            socket.close()


def _observe(monitors: dict[zmq.Socket[bytes], Handshake]) -> Handshake:
    """Return the outcome that `monitors` report; the values are the outcomes if a connection succeeds."""
    from zmq.utils.monitor import recv_monitor_message  # here, because most clients never need it

    poller = zmq.Poller()
    for monitor in monitors:
        poller.register(monitor, zmq.POLLIN)
    failed: set[zmq.Socket[bytes]] = set()
    deadline_s = time.monotonic() + _LONGEST_S
    while (left_s := deadline_s - time.monotonic()) > 0 and len(failed) < len(monitors):
        for monitor, _ in poller.poll(1 + int(1000 * left_s)):
            message = recv_monitor_message(monitor)
            event, value = message["event"], message["value"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return monitors[monitor]
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                return Handshake.CLIENT_REJECTED
            if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
                return Handshake.KEYS_DIFFER
            if event == zmq.EVENT_CLOSED:  # refused
                return Handshake.UNKNOWN
            if event == zmq.EVENT_DISCONNECTED:
                failed.add(monitor)
    return Handshake.DISCONNECTED if failed else Handshake.UNKNOWN
