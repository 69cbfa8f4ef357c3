"""Keys with which an engine is reached from other machines, by those who have one: ZeroMQ's CURVE.

`generate_keys` fills a folder: `engine/` stays on the engine's machine, a copy of `client/` goes to each of the others.
"""

from __future__ import annotations

import os
from pathlib import Path

import zmq

from livetrack.errors import LivetrackError, UsageError, reason

__all__ = ["ENVIRONMENT", "generate_keys", "secure_client", "secure_server", "trusted_clients"]

ENVIRONMENT = "LIVETRACK_KEYS"
"""Names the folder of a client's keys, for programs that are not told otherwise."""

_KEY_LENGTH = 40  # characters, in ZeroMQ's Z85


def generate_keys(folder: str | Path) -> None:
    """Make a pair of keys for the engine and one for its clients.

    Raises
    ------
    UsageError
        The folder has keys already, or cannot be written to.
    """
    engine, client = Path(folder) / "engine", Path(folder) / "client"
    _require_curve()
    for part in (engine, client):
        if part.exists():
            raise UsageError(
                f"{part} is there already: take another folder, or delete it, and its copies are worthless"
            )
    try:
        trusted = engine / "clients"
        trusted.mkdir(parents=True)
        client.mkdir()
        _make(engine, "engine", client)
        _make(client, "client", trusted)
    except OSError as error:
        raise UsageError(f"{folder}: keys cannot be written there: {reason(error)}") from None


def secure_server(socket: zmq.Socket[bytes], folder: str | Path) -> None:
    """Let nobody in at `socket`, which is yet to be bound, but with the engine's key of `folder` and one of their own.

    Raises
    ------
    UsageError
        There is no such key.
    """
    public, secret = _load(folder, "engine", "engine.key_secret")
    assert secret is not None
    socket.curve_server = True
    socket.curve_publickey, socket.curve_secretkey = public, secret


def trusted_clients(folder: str | Path) -> Path:
    """Return where the public keys of those clients are that are let in.

    Raises
    ------
    UsageError
        `folder` has no engine's key or no such folder, or a key in it cannot be read.
    """
    _load(folder, "engine", "engine.key_secret")
    clients = Path(folder) / "engine" / "clients"
    if not clients.is_dir():
        raise UsageError(_none_at(clients))
    for path in clients.glob("*.key"):
        _read(path)
    return clients


def secure_client(socket: zmq.Socket[bytes], folder: str | Path | None) -> None:
    """Give `socket`, which is yet to be connected, the client's keys of `folder`; None: of `ENVIRONMENT`, or none.

    Raises
    ------
    UsageError
        There are no such keys.
    """
    folder = os.environ.get(ENVIRONMENT, "") if folder is None else folder
    if not folder:
        return
    public, secret = _load(folder, "client", "client.key_secret")
    assert secret is not None
    socket.curve_serverkey, _ = _load(folder, "client", "engine.key")
    socket.curve_publickey, socket.curve_secretkey = public, secret


def _make(folder: Path, name: str, for_others: Path) -> None:
    """Write the secret key for the owner alone, from its first byte on, and the public one."""
    public, secret = zmq.curve_keypair()
    text = f'curve\n    public-key = "{public.decode()}"\n'
    handle = os.open(folder / f"{name}.key_secret", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "w", encoding="ascii") as file:
        file.write(f'# Secret: not for others\n{text}    secret-key = "{secret.decode()}"\n')
    (for_others / f"{name}.key").write_text(text, encoding="ascii")


def _load(folder: str | Path, part: str, name: str) -> tuple[bytes, bytes | None]:
    """Return the public and the secret key of a file, in `folder` or its `part`."""
    _require_curve()
    places = [Path(folder) / part / name, Path(folder) / name]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise UsageError(_none_at(places[0]))
    public, secret = _read(path)
    if name.endswith("_secret") and secret is None:
        raise UsageError(f"{path}: there is no secret key in it")
    return public, secret


def _read(path: Path) -> tuple[bytes, bytes | None]:
    """Return the public and the secret key of a file."""
    from zmq.auth import load_certificate  # here: most have no keys

    try:
        keys = load_certificate(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: the key cannot be read: {error}") from None
    if any(len(key) != _KEY_LENGTH for key in keys if key is not None):
        raise UsageError(f"{path}: the key cannot be read: a key has {_KEY_LENGTH} characters")
    return keys


def _none_at(path: Path) -> str:
    return f"there is no {path}: make keys with `livetrack keys FOLDER`, and give that folder"


def _require_curve() -> None:
    if not zmq.has("curve"):
        raise LivetrackError("this pyzmq was built without CURVE: install it from its wheels")
