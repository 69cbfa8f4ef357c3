"""Messages of an Arrow stream, each of which can be verified on its own.

A sealed message is a message of Arrow's stream format with a trailer in the padding after its metadata, which Arrow's
own readers skip:

    4 bytes     ff ff ff ff
    4 bytes     size of metadata, padding and trailer
                metadata and its padding to 8 bytes
    8 bytes     size of the body
    8 bytes     rows of the table before this message
    12 bytes    "livetrack 1", line feed
    4 bytes     CRC-32 of everything before and of the body
                body

So a reader finds the next whole message after a damaged one, and the number of rows between them.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, NamedTuple, Protocol

__all__ = ["END", "Bytes", "SealedMessage", "find_sealed", "is_sealed", "read_sealed", "seal"]

END = b"\xff\xff\xff\xff\0\0\0\0"
"""The end of a complete stream."""

_PREFIX = struct.Struct("<4si")
_MARK = b"\xff\xff\xff\xff"
_TRAILER = struct.Struct("<QQ12s")
_NAME = b"livetrack 1\n"
_CRC = struct.Struct("<I")
_SEAL = _TRAILER.size + _CRC.size


class Bytes(Protocol):
    """What is used of a `bytes` object here; a file may offer it too."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice) -> bytes: ...
    def find(self, pattern: bytes, start: int) -> int:
        """Return the offset of the next `pattern` from `start` on; -1 if there is none."""
        ...


class SealedMessage(NamedTuple):
    """A message whose checksum is right."""

    start: int
    """Its offset."""
    content: bytes
    """The message, as Arrow reads it."""
    rows_before: int

    @property
    def end(self) -> int:
        """Offset of the next message."""
        return self.start + len(self.content)


def seal(message: Any, rows_before: int) -> tuple[bytes, bytes]:
    """Return the two parts of the sealed form of an encapsulated Arrow message, given as a buffer."""
    message = bytes(message)
    mark, size = _PREFIX.unpack_from(message)
    at = _PREFIX.size + size
    body = message[at:]
    head = _PREFIX.pack(mark, size + _SEAL) + message[_PREFIX.size : at] + _TRAILER.pack(len(body), rows_before, _NAME)
    return head + _CRC.pack(zlib.crc32(body, zlib.crc32(head))), body


def is_sealed(data: Bytes) -> bool:
    """Whether a stream consists of sealed messages, also where its beginning is torn or altered."""
    return data.find(_NAME, 0) >= 0


def read_sealed(data: Bytes, offset: int) -> SealedMessage | None:
    """Return the sealed message at `offset` of `data`; None if there is no whole one."""
    start = offset + _PREFIX.size
    if start > len(data):
        return None
    mark, size = _PREFIX.unpack(data[offset:start])
    body = start + size
    if mark != _MARK or size < _SEAL or body > len(data):
        return None
    head = data[offset:body]
    length, rows_before, name = _TRAILER.unpack(head[-_SEAL : -_CRC.size])
    end = body + length
    if name != _NAME or end > len(data):
        return None
    content = data[body:end]
    if _CRC.unpack(head[-_CRC.size :]) != (zlib.crc32(content, zlib.crc32(head[: -_CRC.size])),):
        return None
    return SealedMessage(offset, head + content, rows_before)


def find_sealed(data: Bytes, offset: int) -> SealedMessage | None:
    """Return the first whole sealed message from `offset` on; None if there is none."""
    while (offset := data.find(_MARK, offset)) >= 0:
        message = read_sealed(data, offset)
        if message is not None:
            return message
        offset += 1
    return None
