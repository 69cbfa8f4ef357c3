"""One connection to the ZMQ bridge of a Micro-Manager window: requests and replies, and whether anybody answers."""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import suppress
from typing import Any

import numpy as np
import zmq

__all__ = ["BridgeAbsentError", "BridgeError", "BridgeLostError", "Channel"]

_HOST = "127.0.0.1"
_VERSION = "5.1.0"
"""Version of the protocol that this client speaks: that of pyjavaz 1.2."""
_CONNECT_S = 1.0
_PROBE_S = 1.0
_PATIENCE_S = 10.0  # for a reply, of a window that answers nobody
_DEVICE_S = 60.0  # of one that answers others: the device that was asked is slow
_ENCODING = "iso-8859-1"
_GREETING = json.dumps({"command": "connect", "debug": False}).encode(_ENCODING)
_ARRAYS = {
    "byte-array": np.uint8,
    "short-array": np.uint16,
    "int-array": np.uint32,  # Java has no unsigned types
    "float-array": np.float32,
    "double-array": np.float64,
}


class BridgeError(RuntimeError):
    """An exception in the Java process, in one line."""


class BridgeLostError(OSError):
    """Nothing usable answers on the port, or no longer."""


class BridgeAbsentError(BridgeLostError):
    """Nothing listens on the port."""


class Channel:
    """A socket and the Java thread behind it, used by one thread at a time.

    `root` describes the Java object of class `root` on it. Raises `BridgeLostError`.
    """

    def __init__(self, port: int, root: str, patience_s: float) -> None:
        self._main_port = self._port = port
        self._socket = _connect(port)
        try:
            self._greet(patience_s)
            self.root = self.request(
                {
                    "command": "constructor",
                    "classpath": root,
                    "argument-types": [],
                    "argument-deserialization-types": [],
                    "arguments": [],
                    "new-port": True,
                }
            )
            self._socket.close()
            self._port = int(self.root["port"])
            self._socket = _connect(self._port)
        except BaseException:
            self.discard()
            raise

    def close(self) -> None:
        """Release the root object, which ends the Java thread."""
        with suppress(BridgeError, BridgeLostError):
            self.request({"command": "destructor", "hash-code": self.root["hash-code"]})
        self.discard()

    def discard(self) -> None:
        """Close the socket without a word to a window that may be gone."""
        self._socket.close()

    def _greet(self, patience_s: float) -> None:
        if not _listens(self._port, _CONNECT_S):
            raise BridgeAbsentError(f"no Micro-Manager answers on port {self._port}")
        self._socket.send(_GREETING)
        if not self._socket.poll(round(patience_s * 1000)):
            raise BridgeLostError(f"what listens on port {self._port} does not answer as Micro-Manager's server does")
        try:
            version = json.loads(self._socket.recv_multipart()[0].decode(_ENCODING)).get("version", "2.0.0")
        except (ValueError, AttributeError):
            raise BridgeLostError(f"what listens on port {self._port} is not Micro-Manager's server") from None
        if version.split(".")[0] != _VERSION.split(".")[0]:
            raise BridgeLostError(
                f"the Micro-Manager on port {self._port} has version {version} of the bridge, and livetrack needs"
                f" {_VERSION}: update Micro-Manager to a nightly build"
            )

    def request(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a request; return the reply, with an array in its place. Raises `BridgeError` and `BridgeLostError`."""
        try:
            self._socket.send(json.dumps(message).encode(_ENCODING, "replace"), zmq.NOBLOCK)
            self._await_reply(str(message.get("name", message["command"])))
            parts = self._socket.recv_multipart()
            reply: dict[str, Any] = json.loads(parts[0].decode(_ENCODING))
        except zmq.ZMQError as error:
            raise BridgeLostError(
                f"the connection to Micro-Manager on port {self._main_port} failed: {error}"
            ) from None
        except ValueError:
            raise BridgeLostError(f"the Micro-Manager on port {self._main_port} sent what is no reply") from None
        kind = reply.get("type")
        if kind == "exception":
            raise self._error(str(reply.get("value", "")))
        if kind in _ARRAYS and len(parts) > 2:
            reply["value"] = np.frombuffer(parts[2], _ARRAYS[kind]).copy()  # kernels are compiled for writeable arrays
        return reply

    def _await_reply(self, what: str) -> None:
        """Return when a reply has come."""
        begun = time.monotonic()
        while not self._socket.poll(round(_PROBE_S * 1000)):
            waited_s = time.monotonic() - begun
            if not _listens(self._port, _PROBE_S):
                raise BridgeLostError(f"the Micro-Manager on port {self._main_port} was closed")
            if waited_s > _DEVICE_S or (waited_s > _PATIENCE_S and not _answers(self._main_port)):
                raise BridgeLostError(
                    f"the Micro-Manager on port {self._main_port} has not answered {what} for {waited_s:.0f} s:"
                    " look whether a dialog is open in its window, or a device hangs"
                )

    def _error(self, text: str) -> Exception:
        """Return the exception of Java whose text and stack are `text`."""
        line = re.sub(r"^(?:[a-z_]+\.)+[A-Za-z]+: ", "", text.strip().split("\n")[0].strip())
        if "NullPointerException" in text.split("\n")[0]:  # it does not have the object
            return BridgeLostError(f"the Micro-Manager on port {self._main_port} was restarted")
        return BridgeError(line or "an error without a message")


def _connect(port: int) -> zmq.Socket[bytes]:
    connection: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REQ)
    connection.linger = 0
    connection.connect(f"tcp://{_HOST}:{port}")
    return connection


def _listens(port: int, timeout_s: float) -> bool:
    """Whether something accepts connections on `port`."""
    try:
        with socket.create_connection((_HOST, port), timeout_s):
            return True
    except OSError:
        return False


def _answers(port: int) -> bool:
    """Whether the server on `port` answers a newcomer."""
    connection = _connect(port)
    try:
        connection.send(_GREETING)
        return bool(connection.poll(round(_PROBE_S * 1000)))
    finally:
        connection.close()
