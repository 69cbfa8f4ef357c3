"""Client of the ZMQ bridge of a running Micro-Manager window: objects of its Java process, called from Python.

The protocol is that of PyJavaZ, on which pycromanager's Java backend is built: a request is one JSON object, the reply
another, with arrays as binary parts behind it. Pyjavaz itself waits for ever for a reply, and keeps the process from
ending, when the window is closed or killed under way; this client notices. See decision 20.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from livetrack_drivers._mm_bridge_channel import BridgeError, BridgeLostError, Channel

__all__ = ["Bridge", "RemoteObject"]


_FIRST_S = 1.0  # for an answer of whatever listens on the port
_FURTHER_S = 10.0  # of a window that has answered before, and may be busy with another program's calls


class Bridge:
    """The bridge on `port` of this computer; any number of threads may use it.

    Each call has a socket of its own while it lasts, and behind it a thread of the Java process, so that a slow one
    holds up no other. `root` is the Java object of that class, of which the window has one.

    Raises
    ------
    BridgeLostError
        Nothing answers on the port, or what answers is of another version.
    """

    def __init__(self, port: int, root: str) -> None:
        self.port = port
        self._class = root
        self._lock = threading.Lock()
        self._closed = False
        self._idle = [self._open(_FIRST_S)]  # the root object, each on a connection of its own

    @contextmanager
    def root(self) -> Iterator[RemoteObject]:
        """Lend the root object on a connection of its own. Raises `BridgeLostError`."""
        with self._lock:
            if self._closed:
                raise BridgeLostError("the connection to Micro-Manager is closed")
            lent = self._idle.pop() if self._idle else None
        lent = lent or self._open(_FURTHER_S)
        try:
            yield lent
        except Exception as error:
            if not isinstance(error, BridgeLostError):
                self._give_back(lent)
                raise
            lent.channel.discard()
            self._discard_idle()  # the window they belong to may be gone
            raise
        except BaseException:  # Ctrl-C in the middle of a call
            lent.channel.discard()
            raise
        self._give_back(lent)

    def close(self) -> None:
        """Release the objects of the Java process; the window stays as it is."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for root in idle:
            root.channel.close()

    def _discard_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for root in idle:
            root.channel.discard()

    def _give_back(self, root: RemoteObject) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(root)
                return
        root.channel.close()

    def _open(self, patience_s: float) -> RemoteObject:
        channel = Channel(self.port, self._class, patience_s)
        return RemoteObject(channel, channel.root)


class RemoteObject:
    """An object of the Java process. It is released there by `release`, never by the garbage collector."""

    def __init__(self, channel: Channel, described: dict[str, Any]) -> None:
        self.channel = channel
        self._handle = described["hash-code"]
        self.java_class: str = described["class"]
        self._methods: dict[str, list[dict[str, Any]]] = {}
        for method in described["api"]:
            self._methods.setdefault(_snake_case(method["name"]), []).append(method)

    def has(self, name: str) -> bool:
        """Whether the object has a method of this name, in snake_case."""
        return name in self._methods

    def call(self, name: str, *args: Any) -> Any:
        """Call a method by its name in snake_case; objects of Java come as `RemoteObject`, arrays as NumPy arrays.

        Raises
        ------
        BridgeError
            There is no such method, it does not take these arguments, or it raised.
        BridgeLostError
            The window is gone.
        """
        method = self._choose(name, args)
        types = method["arguments"]
        reply = self.channel.request(
            {
                "command": "run-method",
                "static": False,
                "hash-code": self._handle,
                "java_class_name": self.java_class,
                "name": method["name"],
                "argument-types": types,
                "argument-deserialization-types": types,
                "arguments": [_CASTS[kind][1](value) for kind, value in zip(types, args, strict=True)],
            }
        )
        value = self._value(reply)
        return float(value) if method["return-type"] == "double" else value

    def field(self, name: str) -> Any:
        """Return a public field."""
        return self._value(self.channel.request({"command": "get-field", "hash-code": self._handle, "name": name}))

    def release(self) -> None:
        """Let Java forget the object."""
        self.channel.request({"command": "destructor", "hash-code": self._handle, "java_class_name": self.java_class})

    def _value(self, reply: dict[str, Any]) -> Any:
        """Return the value of a reply."""
        kind = reply.get("type")
        if kind in ("null", "none", None):
            return None
        return RemoteObject(self.channel, reply) if kind == "unserialized-object" else reply["value"]

    def _choose(self, name: str, args: Sequence[Any]) -> dict[str, Any]:
        """Return the overload for `args`."""
        methods = self._methods.get(name)
        if methods is None:
            raise BridgeError(f"Micro-Manager's core of this version has no {name}")
        for method in methods:
            types = method["arguments"]
            if len(types) == len(args) and all(
                kind in _CASTS and isinstance(value, _CASTS[kind][0]) for kind, value in zip(types, args, strict=True)
            ):
                return method
        raise BridgeError(f"{name}: no overload takes {', '.join(type(value).__name__ for value in args)}")


def _snake_case(name: str) -> str:
    """Return a name of Java as pycromanager writes it: `getROI` is `get_roi`."""
    return re.sub("([a-z0-9])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


_CASTS: dict[str, tuple[Any, Any]] = {
    "boolean": (bool, bool),
    "int": ((int, np.integer), int),
    "long": ((int, np.integer), int),
    "short": ((int, np.integer), int),
    "float": ((int, float, np.integer, np.floating), float),
    "double": ((int, float, np.integer, np.floating), float),
    "java.lang.String": (str, str),
}
"""What Python types an argument of Java may be given as, and what it is sent as."""
