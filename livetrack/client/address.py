"""Addresses of engines, and connections to them."""

from __future__ import annotations

import re
from pathlib import Path
from socket import AF_INET, EAI_AGAIN, gaierror, getaddrinfo
from typing import TypeAlias

import zmq

from livetrack.curve_keys import secure_client
from livetrack.errors import UsageError

__all__ = ["DEFAULT_ADDRESS", "Keys", "connect", "is_local", "resolve_address"]

DEFAULT_ADDRESS = "tcp://127.0.0.1:5555"

Keys: TypeAlias = str | Path | None
"""Folder of a client's keys; None for the one in the environment variable LIVETRACK_KEYS, or no keys."""

_TCP = re.compile(r"tcp://(?P<host>.+):(?P<port>\d+)$", re.ASCII)
_PORTS = range(1, 65536)  # ZeroMQ reads 65537 as 1, and waits for unknown hosts
_ALL_INTERFACES = ("0.0.0.0", "[::]", "*")
_LOCAL = re.compile(r"tcp://(127\.|localhost:|\[::1\])|(ipc|inproc)://")


def resolve_address(address: str, seen_at: str) -> str:
    """Return `address`, as reported by an engine that was reached at `seen_at`, with a host to connect to.

    An engine that listens on all interfaces reports 0.0.0.0, which is replaced by the host of `seen_at`.
    """
    reported, reached = _TCP.match(address), _TCP.match(seen_at)
    if reported and reached and reported["host"] in _ALL_INTERFACES:
        return f"tcp://{reached['host']}:{reported['port']}"
    return address


def is_local(address: str) -> bool:
    """Return whether the engine at `address` runs on this computer."""
    return _LOCAL.match(address) is not None


def connect(socket: zmq.Socket[bytes], address: str, keys: Keys) -> None:
    """Connect `socket` to an engine, and close it on an error.

    Raises
    ------
    UsageError
        Not an address, an unknown host, or no keys in the folder.
    """
    try:
        secure_client(socket, keys)
        socket.ipv6 = _check(address)
        socket.connect(address)
    except zmq.ZMQError as error:
        socket.close()
        raise UsageError(f"{address}: not an address to connect to ({error}); try {DEFAULT_ADDRESS}") from None
    except UsageError:
        socket.close()
        raise


def _check(address: str) -> bool:
    """Return whether `address` needs IPv6; raise a `UsageError` if ZeroMQ would wait for it forever."""
    parts = _TCP.match(address)
    if address.startswith("tcp://") and (parts is None or int(parts["port"]) not in _PORTS):
        raise UsageError(f"{address}: not an address to connect to (no port from 1 to 65535); try {DEFAULT_ADDRESS}")
    if parts is None:
        return False
    host = parts["host"].rpartition(";")[2].strip("[]")  # before the semicolon: the local interface
    try:
        families = {found[0] for found in getaddrinfo(host, None)}
    except (OSError, UnicodeError) as error:  # the latter for an invalid name
        if isinstance(error, gaierror) and error.errno == EAI_AGAIN:
            return False  # the name server does not respond now; ZeroMQ tries again
        raise UsageError(
            f"{address}: unknown host {host!r} ({error}); try its IP address, as in tcp://192.168.1.5:5555"
        ) from None
    return AF_INET not in families  # with IPv6, ZeroMQ would not try the IPv4 address of a host that has both
