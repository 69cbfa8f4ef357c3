"""Addresses that an engine gives, as they are reached from here."""

from __future__ import annotations

import re

__all__ = ["reachable"]

_TCP = re.compile(r"tcp://(?P<host>.+):(?P<port>\d+)$")
_EVERYWHERE = ("0.0.0.0", "[::]", "*")


def reachable(address: str, seen_at: str) -> str:
    """Return `address`, which an engine that was reached at `seen_at` has given, with a host that can be connected to.

    An engine that listens on all of its machine's addresses says 0.0.0.0: then the host of `seen_at` is taken.
    """
    there, here = _TCP.match(address), _TCP.match(seen_at)
    if there and here and there["host"] in _EVERYWHERE:
        return f"tcp://{here['host']}:{there['port']}"
    return address
