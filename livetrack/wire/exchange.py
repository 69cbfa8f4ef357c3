"""How commands travel: a request is one JSON object in one frame, and so is its reply."""

from __future__ import annotations

from typing import Any, Union

import msgspec
from msgspec import Struct

from livetrack.errors import CommandError
from livetrack.wire.commands import REQUESTS, Id, Request

__all__ = ["LARGEST_REQUEST", "Reply", "decode_reply", "decode_request", "encode", "request_id"]

LARGEST_REQUEST = 65_536
"""Bytes; what is larger is refused unread."""


class Reply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a request."""

    id: int = 0
    """The request's; 0 where it could not be read."""
    result: Any = None
    error: str = ""
    """Why it was refused or failed; empty when it was done."""
    took_ms: float = 0.0
    """In the engine."""
    stall_ms: float = msgspec.field(default=0.0, name="holdup_ms")
    """For how long, beyond the usual time between two, no frame came while a device was told."""


def encode(message: Request[Any] | Reply) -> bytes:
    """Return a request or a reply as it is sent."""
    return _ENCODER.encode(message)


def decode_request(payload: bytes) -> Request[Any]:
    """Return the request that was sent.

    Raises
    ------
    CommandError
        It is too large, no JSON, no known command, or a field is missing, unknown or out of bounds.
    """
    if len(payload) > LARGEST_REQUEST:
        raise CommandError(f"a request of {len(payload)} bytes: at most {LARGEST_REQUEST} are taken")
    try:
        request: Request[Any] = _REQUEST.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(_unknown(payload) or f"request cannot be read: {error}") from None
    return request


def request_id(payload: bytes) -> int:
    """Return the id of a request that cannot be read otherwise, 0 where it has none."""
    if len(payload) > LARGEST_REQUEST:
        return 0
    try:
        return msgspec.json.decode(payload, type=_Numbered).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0


def decode_reply(payload: bytes) -> Reply:
    """Return the reply that was sent, its result in JSON's own types. Raises `CommandError` where it is none."""
    try:
        return msgspec.json.decode(payload, type=Reply)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"the engine's answer cannot be read: {error}") from None


_REQUEST = msgspec.json.Decoder(Union[tuple(REQUESTS)])  # noqa: UP007  made at run time
_ENCODER = msgspec.json.Encoder(enc_hook=str)
_NAMES = tuple(str(kind.__struct_config__.tag) for kind in REQUESTS)


class _Numbered(Struct):
    id: Id = 0


class _Named(Struct):
    command: str


def _unknown(payload: bytes) -> str:
    """Say which commands there are where it is an unknown one that was sent; nothing where something else is wrong."""
    try:
        name = msgspec.json.decode(payload, type=_Named).command
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return "" if name in _NAMES else f"there is no command {name[:50]!r}; there are {', '.join(_NAMES)}"
