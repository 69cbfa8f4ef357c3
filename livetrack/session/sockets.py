"""Binds the engine's sockets, with encryption if keys are set; without keys, never open to other computers."""

from __future__ import annotations

from typing import Any

import zmq

from livetrack.config import PublishSettings, is_open
from livetrack.curve_keys import secure_server, trusted_clients
from livetrack.errors import UsageError
from livetrack.session.connection_guard import COMMANDS, SUBSCRIPTIONS, ConnectionGuard

__all__ = ["SocketFactory"]

# limits on incoming messages, which bound the memory
_MAX_FRAME_BYTES = 1 << 20  # a sender of more is disconnected
_MAX_SUBSCRIPTION_BYTES = 4096  # likewise for a socket that only receives subscriptions and handshakes
_MAX_QUEUED = 100  # messages per sender; then it blocks
_MAX_UNREAD_BYTES = 1 << 17  # per connection, in the operating system
_HANDSHAKE_MS = 5000  # then a connection that has not finished it ends


class SocketFactory:
    """Binds the addresses of `[publish]`.

    Connections are watched by a `guard`, if one is given.

    With `publish.curve_keys`, only clients whose key is in its folder `engine/clients` are accepted.

    Raises
    ------
    UsageError
        There is no such folder, a key in it cannot be read, or another engine in this process uses keys.
    """

    def __init__(self, settings: PublishSettings, guard: ConnectionGuard | None = None) -> None:
        self._guard = guard
        self._keys = settings.curve_keys
        self._authenticator = _authenticator(self._keys) if self._keys else None

    def bind(self, kind: int, address: str, key: str, queue: int) -> zmq.Socket[bytes]:
        """Return a socket of `kind` bound to `address`, with a queue of `queue` messages per client.

        Raises
        ------
        UsageError
            The address, from the setting `key`, cannot be bound, most often because another livetrack is using it; or
            it is open to other computers and there are no keys.
        """
        if is_open(address) and not self._keys:
            raise UsageError(
                f"{key} = {address!r} is open to other computers without keys: make keys with `livetrack keys FOLDER` "
                "and set publish.curve_keys = 'FOLDER', or use an address of this computer: tcp://127.0.0.1:PORT"
            )
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        try:
            socket.setsockopt(zmq.SNDHWM, queue)
            socket.setsockopt(zmq.RCVHWM, _MAX_QUEUED)
            commands = kind == zmq.ROUTER
            socket.setsockopt(zmq.MAXMSGSIZE, _MAX_FRAME_BYTES if commands else _MAX_SUBSCRIPTION_BYTES)
            socket.setsockopt(zmq.RCVBUF, _MAX_UNREAD_BYTES)
            socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
            if self._guard is not None and address.startswith("tcp://"):
                self._guard.watch(socket, COMMANDS if commands else SUBSCRIPTIONS)
            if self._keys:
                secure_server(socket, self._keys)
            socket.ipv6 = address.startswith("tcp://[")  # [::] serves IPv4 too
            socket.bind(address)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            hint = "is another livetrack running? Stop it, or " if error.errno == zmq.EADDRINUSE else ""
            raise UsageError(
                f"{key} = {address!r} cannot be bound ({zmq.strerror(error.errno or 0)}): {hint}choose another port: "
                f"--set {key}=tcp://127.0.0.1:PORT, likewise for the other addresses of [publish]; port * uses a "
                "free one"
            ) from None
        except UsageError:
            socket.close(linger=0)
            raise
        return socket

    def close(self) -> None:
        """Stop checking keys: no further client is accepted."""
        if self._authenticator is not None:
            self._authenticator.stop()


def _authenticator(keys: str) -> Any:
    """Start the thread that checks the keys of connecting clients."""
    from zmq.auth.thread import ThreadAuthenticator  # imports asyncio, which is not needed without keys

    clients = trusted_clients(keys)
    authenticator = ThreadAuthenticator(zmq.Context.instance())
    try:
        authenticator.start()
    except zmq.ZMQError as error:
        raise UsageError(
            f"publish.curve_keys = {keys!r} cannot be used ({error.strerror}): another engine in this process uses keys"
        ) from None
    authenticator.configure_curve(domain="*", location=clients)
    return authenticator
