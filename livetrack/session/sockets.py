"""The engine's addresses: bound, with keys where they are set, and never open to other machines without."""

from __future__ import annotations

from typing import Any

import zmq

from livetrack.config import PublishSettings, is_open
from livetrack.curve_keys import secure_server, trusted_clients
from livetrack.errors import UsageError

__all__ = ["SocketFactory"]

# what may come in, so that memory is safe
_LARGEST_FRAME = 1 << 20  # bytes; who sends more is disconnected
_WAITING = 100  # messages from each sender; then it has to wait itself


class SocketFactory:
    """Binds the addresses of `[publish]`.

    With `publish.curve_keys`, only clients with one of the keys in its folder `engine/clients` are let in.

    Raises
    ------
    UsageError
        There is no such folder, a key in it cannot be read, or another engine of this process has keys.
    """

    def __init__(self, settings: PublishSettings) -> None:
        self._keys = settings.curve_keys
        self._authenticator = _authenticator(self._keys) if self._keys else None

    def bind(self, kind: int, address: str, key: str, queue: int) -> zmq.Socket[bytes]:
        """Return a socket of `kind` bound to `address`, holding `queue` messages for each reader.

        Raises
        ------
        UsageError
            The address, that of the setting `key`, cannot be bound, most often because another livetrack holds it;
            or it is open to other machines and there are no keys.
        """
        if is_open(address) and not self._keys:
            raise UsageError(
                f"{key} = {address!r} is open to other machines, for anybody: make keys with `livetrack keys FOLDER` "
                "and set publish.curve_keys = 'FOLDER', or take an address of this machine: tcp://127.0.0.1:PORT"
            )
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        try:
            socket.setsockopt(zmq.SNDHWM, queue)
            socket.setsockopt(zmq.RCVHWM, _WAITING)
            socket.setsockopt(zmq.MAXMSGSIZE, _LARGEST_FRAME)
            if self._keys:
                secure_server(socket, self._keys)
            socket.bind(address)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            taken = "is another livetrack running? Stop it, or " if error.errno == zmq.EADDRINUSE else ""
            raise UsageError(
                f"{key} = {address!r} cannot be bound ({zmq.strerror(error.errno or 0)}): {taken}choose another port: "
                f"--set {key}=tcp://127.0.0.1:PORT, and so for the others of [publish]; a port of * takes one that is "
                "free"
            ) from None
        except UsageError:
            socket.close(linger=0)
            raise
        return socket

    def close(self) -> None:
        """Let nobody in any more."""
        if self._authenticator is not None:
            self._authenticator.stop()


def _authenticator(keys: str) -> Any:
    """Return what looks at the keys of those who connect, in a thread of its own."""
    from zmq.auth.thread import ThreadAuthenticator  # asyncio: not where there are no keys

    clients = trusted_clients(keys)
    guard = ThreadAuthenticator(zmq.Context.instance())
    try:
        guard.start()
    except zmq.ZMQError as error:
        raise UsageError(
            f"publish.curve_keys = {keys!r} cannot be used ({error.strerror}): another engine of this process has keys"
        ) from None
    guard.configure_curve(domain="*", location=clients)
    return guard
