"""Common to all messages: version, topic, header, schema."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from livetrack.errors import LivetrackError

__all__ = [
    "NOT_JSON",
    "TOPIC_SIZE",
    "VERSION",
    "VersionError",
    "WireError",
    "check_version",
    "decode_header",
    "dtype_schema",
]

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a message that is JSON may raise; the last one for lists within one another by the hundred."""

VERSION = 1
TOPIC_SIZE = 8


class WireError(LivetrackError):
    """A message that is not from livetrack, is truncated, or has an unsupported version."""


class VersionError(WireError):
    """The engine uses another version of the wire format."""


def check_version(version: int) -> None:
    """Raise a `VersionError` if this client cannot read messages of `version`."""
    if version != VERSION:
        raise VersionError(
            f"the engine uses version {version} of the wire format, this client version {VERSION}: "
            "install the same livetrack on both sides"
        )


def decode_header(message: bytes, topic: bytes, header: np.dtype[np.void]) -> dict[str, Any]:
    """Return the fields of the header after `topic` by name; raises `WireError`."""
    if not message.startswith(topic):
        raise WireError(f"not a livetrack message: starts with {message[:TOPIC_SIZE]!r}, expected {topic!r}")
    if len(message) < TOPIC_SIZE + header.itemsize:
        raise WireError(f"message of {len(message)} bytes is cut short: its header has {header.itemsize}")
    values = np.frombuffer(message, header, 1, TOPIC_SIZE)[0].item()
    fields = dict(zip(header.names or (), values, strict=True))
    check_version(fields["version"])
    if fields["header_size"] < header.itemsize:
        raise WireError(f"invalid header size of {fields['header_size']} bytes: it has at least {header.itemsize}")
    return fields


def dtype_schema(kind: np.dtype[np.void]) -> list[tuple[str, str, int]]:
    """Return name, NumPy type and offset of each field of `kind`."""
    return [(name, field[0].str, field[1]) for name, field in (kind.fields or {}).items()]
