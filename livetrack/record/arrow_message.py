"""What an encapsulated message of an Arrow stream claims, read before Arrow's own reader gets it.

Arrow reserves whatever memory a message claims, and unpacks compressed columns to whatever size. livetrack writes
neither dictionaries nor compressed columns, and refuses both.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from livetrack.record.arrow_record import Bytes

__all__ = ["read_batch", "read_message", "read_schema"]

_PREFIX = struct.Struct("<4si")
_MARK = b"\xff\xff\xff\xff"
_SCHEMA, _BATCH = 1, 3  # kinds of message
_KIND, _HEADER, _BODY_BYTES = 1, 2, 3  # fields of a message
_FORMER_NAMES = {"id": "particle"}  # of columns
_COMPRESSION = 3  # field of a record batch


def read_message(data: Bytes, offset: int) -> bytes:
    """Return the message at `offset`; raises ArrowInvalid if it is not in `data` as a whole."""
    start = offset + _PREFIX.size
    prefix = data[offset:start]
    if len(prefix) < _PREFIX.size:
        raise pa.ArrowInvalid("the message is truncated")
    mark, size = _PREFIX.unpack(prefix)
    if mark != _MARK or not 0 < size <= len(data) - start:
        raise pa.ArrowInvalid("not a message")
    metadata = data[start : start + size]
    body_bytes = _number(metadata, _root(metadata), _BODY_BYTES, "<q")
    if not 0 <= body_bytes <= len(data) - start - size:
        raise pa.ArrowInvalid("the message is truncated")
    return prefix + metadata + data[start + size : start + size + body_bytes]


def read_schema(message: bytes, expected: Any) -> Any:
    """Return the schema in a message, with today's names; raises ArrowInvalid if it lacks columns of `expected`."""
    if _kind(message) != _SCHEMA:
        raise pa.ArrowInvalid("not a schema")
    with _arrow_errors():
        schema = pa.ipc.read_schema(pa.py_buffer(message))
        for old, new in _FORMER_NAMES.items():
            if new in expected.names and new not in schema.names and old in schema.names:
                at = schema.get_field_index(old)
                schema = schema.set(at, schema.field(at).with_name(new))
        found = dict(zip(schema.names, schema.types, strict=True))
    if any(found.get(field.name) != field.type for field in expected):
        raise pa.ArrowInvalid("its columns are not those of a recording")
    return schema


def read_batch(message: bytes, schema: Any) -> Any:
    """Return the batch in a message, verified in full; raises ArrowInvalid for anything else."""
    metadata = memoryview(message)[_PREFIX.size :]
    root = _root(metadata)
    header = _field(metadata, root, _HEADER)
    if _kind(message) != _BATCH or header is None:
        raise pa.ArrowInvalid("not a batch")
    if _field(metadata, header + _unpack("<I", metadata, header), _COMPRESSION) is not None:
        raise pa.ArrowInvalid("its columns are compressed")
    with _arrow_errors():
        batch = pa.ipc.read_record_batch(pa.py_buffer(message), schema)
        batch.validate(full=True)
    return batch


@contextmanager
def _arrow_errors() -> Iterator[None]:
    """Raise ArrowInvalid for whatever Arrow raises for messages that contradict themselves."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, MemoryError) as error:
        raise pa.ArrowInvalid((str(error).splitlines() or [type(error).__name__])[0]) from None


def _kind(message: bytes) -> int:
    metadata = memoryview(message)[_PREFIX.size :]
    return _number(metadata, _root(metadata), _KIND, "<B")


def _root(metadata: Any) -> int:
    """Return where the first table of a flatbuffer is."""
    return _unpack("<I", metadata, 0)


def _number(metadata: Any, table: int, field: int, form: str) -> int:
    """Return a number of a flatbuffer's table, 0 if it is not there."""
    at = _field(metadata, table, field)
    return 0 if at is None else _unpack(form, metadata, at)


def _field(metadata: Any, table: int, field: int) -> int | None:
    """Return where a field of a flatbuffer's table is, None if it is not there."""
    fields = table - _unpack("<i", metadata, table)
    if 4 + 2 * field >= _unpack("<H", metadata, fields):
        return None
    distance = _unpack("<H", metadata, fields + 4 + 2 * field)
    return table + distance if distance else None


def _unpack(form: str, metadata: Any, at: int) -> int:
    if at < 0:
        raise pa.ArrowInvalid("not a message")
    try:
        return int(struct.unpack_from(form, metadata, at)[0])
    except struct.error:
        raise pa.ArrowInvalid("not a message") from None
