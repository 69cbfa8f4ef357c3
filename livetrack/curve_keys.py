"""Keys for access from other machines: ZeroMQ's CURVE, which encrypts and authenticates.

`generate_keys` fills a folder: `engine/` stays on the engine's machine, `client/` is copied to each client's machine.
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path

import zmq

from livetrack.errors import LivetrackError, UsageError, reason
from livetrack.limits import KEY_BYTES, read_bytes_up_to
from livetrack.whole_file import write_whole

__all__ = ["ENVIRONMENT", "generate_keys", "secure_client", "secure_server", "trusted_clients"]

ENVIRONMENT = "LIVETRACK_KEYS"
"""Environment variable with the folder of a client's keys, the default for all clients."""

_log = logging.getLogger(__name__)

_PRIVATE = 0o700  # no access for others: whoever could add a key to `clients` could connect
_OTHERS = 0o077  # permissions of the group and of all users
_KEY_LENGTH = 40  # characters, in the encoding Z85


def generate_keys(folder: str | Path) -> None:
    """Generate a key pair for the engine and one for its clients, in folders that no other user can open.

    Raises
    ------
    UsageError
        The folder contains keys already, or cannot be written to.
    """
    engine, client = Path(folder) / "engine", Path(folder) / "client"
    _require_curve()
    for part in (engine, client):
        if part.exists():
            raise UsageError(
                f"{part} exists already: choose another folder, or delete it, which makes all copies invalid"
            )
    try:
        trusted = engine / "clients"
        Path(folder).parent.mkdir(parents=True, exist_ok=True)
        Path(folder).mkdir(_PRIVATE, exist_ok=True)  # one that was there keeps its access: it may hold other files
        for part in (engine, trusted, client):
            part.mkdir(_PRIVATE)
        _generate(engine, "engine", client)
        _generate(client, "client", trusted)
    except OSError as error:
        for part in (engine, client):  # half of the keys would be in the way of the next attempt
            shutil.rmtree(part, ignore_errors=True)
        raise UsageError(f"{folder}: keys cannot be written there: {reason(error)}") from None


def secure_server(socket: zmq.Socket[bytes], folder: str | Path) -> None:
    """Require keys at `socket`, before it is bound: the engine's key of `folder`, and a client's key.

    A secret key that other users can read is made private, which is logged.

    Raises
    ------
    UsageError
        The folder has no such key, or other users can read it and its permissions cannot be changed.
    """
    public, secret = _load(folder, "engine", "engine.key_secret")
    assert secret is not None
    socket.curve_server = True
    socket.curve_publickey, socket.curve_secretkey = public, secret


def trusted_clients(folder: str | Path) -> Path:
    """Return the folder with the public keys of the accepted clients.

    Raises
    ------
    UsageError
        `folder` has no engine's key or no clients, or a key cannot be read.
    """
    _load(folder, "engine", "engine.key_secret")
    clients = Path(folder) / "engine" / "clients"
    if not clients.is_dir():
        raise UsageError(_no_keys(clients))
    for path in clients.glob("*.key"):
        _read(path)
    return clients


def secure_client(socket: zmq.Socket[bytes], folder: str | Path | None) -> None:
    """Set the client's keys of `folder` on `socket`, before it connects; None for those of `ENVIRONMENT`, or no keys.

    A secret key that other users can read is made private, which is logged.

    Raises
    ------
    UsageError
        The folder has no such keys, or other users can read them and their permissions cannot be changed.
    """
    folder = os.environ.get(ENVIRONMENT, "") if folder is None else folder
    if not folder:
        return
    public, secret = _load(folder, "client", "client.key_secret")
    assert secret is not None
    socket.curve_serverkey, _ = _load(folder, "client", "engine.key")
    socket.curve_publickey, socket.curve_secretkey = public, secret


def _generate(folder: Path, name: str, public_folder: Path) -> None:
    """Write the secret key, readable by the owner only from its first byte on, and the public key."""
    public, secret = zmq.curve_keypair()
    text = f'curve\n    public-key = "{public.decode()}"\n'
    secret_text = f'# Secret: do not share\n{text}    secret-key = "{secret.decode()}"\n'
    write_whole(folder / f"{name}.key_secret", secret_text, private=True)
    write_whole(public_folder / f"{name}.key", text)


def _load(folder: str | Path, part: str, name: str) -> tuple[bytes, bytes | None]:
    """Return the public and the secret key of a file in `folder` or its subfolder `part`."""
    _require_curve()
    candidates = [Path(folder) / part / name, Path(folder) / name]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise UsageError(_no_keys(candidates[0]))
    public, secret = _read(path)
    if name.endswith("_secret"):
        if secret is None:
            raise UsageError(f"{path}: contains no secret key")
        _make_private(path)
    return public, secret


def _make_private(path: Path) -> None:
    """Withdraw the access of other users to a secret key, and log it.

    Only on POSIX: on Windows the access is set by the folder's access list, which the mode does not show.

    Raises
    ------
    UsageError
        Others can still read it: the file belongs to another user, or its file system has no permissions.
    """
    if os.name != "posix" or not path.stat().st_mode & _OTHERS:
        return
    with suppress(OSError):
        path.chmod(0o600)
    if path.stat().st_mode & _OTHERS:
        raise UsageError(
            f"{path}: this secret key can be read by other users, and its permissions cannot be changed: copy the keys "
            "to a folder of your own, then chmod 600"
        )
    _log.warning(
        "%s: this secret key could be read by other users; from now on only by you. If somebody may have copied it, "
        "make new keys",
        path,
    )


def _read(path: Path) -> tuple[bytes, bytes | None]:
    """Return the public and the secret key of a file."""
    from zmq.auth import load_certificate  # here, because most sessions have no keys

    try:
        read_bytes_up_to(path, KEY_BYTES)
        keys = load_certificate(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: the key cannot be read: {error}") from None
    if any(len(key) != _KEY_LENGTH for key in keys if key is not None):
        raise UsageError(f"{path}: the key cannot be read: it must have {_KEY_LENGTH} characters")
    return keys


def _no_keys(path: Path) -> str:
    return f"{path} does not exist: make keys with `livetrack keys FOLDER`, and give that folder"


def _require_curve() -> None:
    if not zmq.has("curve"):
        raise LivetrackError("this pyzmq was built without CURVE: install one of its wheels from PyPI")
