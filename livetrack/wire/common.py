"""What the layouts of all messages share: version, topic, headers, schema."""

from __future__ import annotations

from typing import Any

import numpy as np

from livetrack.errors import LivetrackError

__all__ = ["TOPIC_SIZE", "VERSION", "WireError", "decode_header", "dtype_schema"]

VERSION = 1
TOPIC_SIZE = 8


class WireError(LivetrackError):
    """A message that is not livetrack's, is cut short, or is of a version that this client cannot read."""


def decode_header(message: bytes, topic: bytes, header: np.dtype[np.void]) -> dict[str, Any]:
    """Return the fields of the header behind `topic` by name; raises `WireError`."""
    if not message.startswith(topic):
        raise WireError(f"not a livetrack message: starts with {message[:TOPIC_SIZE]!r}, expected {topic!r}")
    if len(message) < TOPIC_SIZE + header.itemsize:
        raise WireError(f"message of {len(message)} bytes is cut short: its header takes {header.itemsize}")
    values = np.frombuffer(message, header, 1, TOPIC_SIZE)[0].item()
    fields = dict(zip(header.names or (), values, strict=True))
    if fields["version"] != VERSION:
        raise WireError(
            f"the engine speaks version {fields['version']} of the wire format, this client version {VERSION}: "
            "install the same livetrack on both sides"
        )
    if fields["header_size"] < header.itemsize:
        raise WireError(
            f"message says that its header takes {fields['header_size']} bytes, at least {header.itemsize} do"
        )
    return fields


def dtype_schema(kind: np.dtype[np.void]) -> list[tuple[str, str, int]]:
    """Return name, NumPy type and offset of each field of `kind`."""
    return [(name, field[0].str, field[1]) for name, field in (kind.fields or {}).items()]
