"""How an engine is reached from here."""

from __future__ import annotations

import re
from pathlib import Path
from socket import EAI_AGAIN, gaierror, getaddrinfo
from typing import TypeAlias

import zmq

from livetrack.curve_keys import secure_client
from livetrack.errors import UsageError

__all__ = ["DEFAULT_ADDRESS", "Keys", "connect", "connection_hint", "resolve_address"]

DEFAULT_ADDRESS = "tcp://127.0.0.1:5555"

Keys: TypeAlias = str | Path | None
"""Folder of a client's keys; None takes what the environment variable LIVETRACK_KEYS says, or none."""

_TCP = re.compile(r"tcp://(?P<host>.+):(?P<port>\d+)$", re.ASCII)
_PORTS = range(1, 65536)  # ZeroMQ takes 65537 for 1, and any name for a machine that may come
_EVERYWHERE = ("0.0.0.0", "[::]", "*")
_HERE = re.compile(r"tcp://(127\.|localhost:|\[::1\])|(ipc|inproc)://")


def resolve_address(address: str, seen_at: str) -> str:
    """Return `address`, which an engine that was reached at `seen_at` has given, with a host that can be connected to.

    An engine that listens on all of its machine's addresses says 0.0.0.0: then the host of `seen_at` is taken.
    """
    there, here = _TCP.match(address), _TCP.match(seen_at)
    if there and here and there["host"] in _EVERYWHERE:
        return f"tcp://{here['host']}:{there['port']}"
    return address


def connection_hint(address: str) -> str:
    """Say what to look at when nothing comes from `address`."""
    if _HERE.match(address):
        return "is an engine running there? Start one with `livetrack demo`"
    return "is an engine running there, open to other machines; are these its keys; does its firewall let the port in?"


def connect(socket: zmq.Socket[bytes], address: str, keys: Keys) -> None:
    """Connect `socket` to an engine; on an error it is closed.

    Raises
    ------
    UsageError
        Not an address, no machine of that name, or no keys in the folder.
    """
    try:
        secure_client(socket, keys)
        _check(address)
        socket.connect(address)
    except zmq.ZMQError as error:
        socket.close()
        raise UsageError(f"{address}: not an address to connect to ({error}); try {DEFAULT_ADDRESS}") from None
    except UsageError:
        socket.close()
        raise


def _check(address: str) -> None:
    """Refuse what ZeroMQ would wait for in vain."""
    parts = _TCP.match(address)
    if address.startswith("tcp://") and (parts is None or int(parts["port"]) not in _PORTS):
        raise UsageError(f"{address}: not an address to connect to (no port from 1 to 65535); try {DEFAULT_ADDRESS}")
    if parts is not None:
        host = parts["host"].rpartition(";")[2].strip("[]")  # before the semicolon: which way to go there
        try:
            getaddrinfo(host, None)
        except (OSError, UnicodeError) as error:  # the latter of a name that cannot be one
            if isinstance(error, gaierror) and error.errno == EAI_AGAIN:
                return  # who could tell is not there now; ZeroMQ goes on asking
            raise UsageError(
                f"{address}: there is no machine of the name {host!r} ({error}); its number, as in "
                "tcp://192.168.1.5:5555, needs no name"
            ) from None
