"""Encoding of commands: a request and its reply are one JSON object each, in one message part."""

from __future__ import annotations

from typing import Any, Union

import msgspec
from msgspec import Struct

from livetrack.errors import CommandError
from livetrack.wire.commands import REQUESTS, Request
from livetrack.wire.common import NOT_JSON
from livetrack.wire.request import Id

__all__ = ["GEOMETRY_CHANGED", "MAX_REQUEST_BYTES", "Reply", "decode_reply", "decode_request", "encode", "request_id"]

MAX_REQUEST_BYTES = 65_536
"""Larger requests are rejected without being decoded."""

GEOMETRY_CHANGED = "geometry_changed"
"""`Reply.code` of a `GeometryChangedError`."""


class Reply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The reply to a request."""

    id: int = 0
    """The request's id; 0 if it could not be decoded."""
    result: Any = None
    error: str = ""
    """Why the command was rejected or failed; empty on success."""
    code: str = ""
    """Kind of error, for programs: "geometry_changed", or empty."""
    took_ms: float = 0.0
    """Time in the engine."""
    stall_ms: float = msgspec.field(default=0.0, name="holdup_ms")
    """Time without frames, beyond the usual interval, while a device was commanded."""


def encode(message: Request[Any] | Reply) -> bytes:
    """Return the encoded request or reply."""
    return _ENCODER.encode(message)


def decode_request(payload: bytes) -> Request[Any]:
    """Return the decoded request.

    Raises
    ------
    CommandError
        Too large, not JSON, an unknown command, or a field that is missing, unknown or out of bounds.
    """
    if len(payload) > MAX_REQUEST_BYTES:
        raise CommandError(f"a request of {len(payload)} bytes: at most {MAX_REQUEST_BYTES} are accepted")
    try:
        request: Request[Any] = _REQUEST.decode(payload)
    except NOT_JSON as error:
        raise CommandError(_unknown_command(payload) or f"request cannot be read: {error}") from None
    return request


def request_id(payload: bytes) -> int:
    """Return the id of a request of which the rest cannot be decoded, 0 if it has none."""
    if len(payload) > MAX_REQUEST_BYTES:
        return 0
    try:
        return msgspec.json.decode(payload, type=_Numbered).id
    except NOT_JSON:
        return 0


def decode_reply(payload: bytes) -> Reply:
    """Return the decoded reply, its result as plain JSON types. Raises `CommandError`."""
    try:
        return msgspec.json.decode(payload, type=Reply)
    except NOT_JSON as error:
        raise CommandError(f"the engine's reply cannot be read: {error}") from None


_REQUEST = msgspec.json.Decoder(Union[tuple(REQUESTS)])  # noqa: UP007  made at run time
_ENCODER = msgspec.json.Encoder(enc_hook=str)
_NAMES = tuple(str(kind.__struct_config__.tag) for kind in REQUESTS)


class _Numbered(Struct):
    id: Id = 0


class _Named(Struct):
    command: str


def _unknown_command(payload: bytes) -> str:
    """Return a message that lists the commands if the request names an unknown one; empty for any other fault."""
    try:
        name = msgspec.json.decode(payload, type=_Named).command
    except NOT_JSON:
        return ""
    return "" if name in _NAMES else f"unknown command {name[:50]!r}; there are {', '.join(_NAMES)}"
