"""Any message: what is encoded is decoded, and what cannot be read raises the one error that clients expect."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest
from any_value import JSON_VALUES, any_value
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from livetrack.errors import CommandError
from livetrack.particles import ROW
from livetrack.wire import (
    HEADER,
    POSITIONS,
    PREVIEW_HEADER,
    PositionsEncoder,
    Preview,
    Status,
    WireError,
    accounting_errors,
    decode_positions,
    decode_preview,
    decode_status,
    encode_preview,
    encode_status,
)
from livetrack.wire.commands import REQUESTS
from livetrack.wire.events import EVENT, EventMessage, decode_event, encode_event
from livetrack.wire.exchange import Reply, decode_reply, decode_request, encode, request_id
from livetrack.wire.preview import FULL_PREVIEW, PREVIEW
from livetrack.wire.status import HEARTBEAT

SET_BY_ENCODER = {"version", "header_size", "row_size", "reserved", "reserved_2", "session", "seq", "row_count"}
PIXEL_TYPES = ["u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8"]
STATUS = any_value(Status)
EVENTS = any_value(EventMessage)
ROWS = st.binary(max_size=5 * ROW.itemsize).map(lambda data: np.frombuffer(data[: len(data) // 56 * 56], ROW))


def header_fields() -> st.SearchStrategy[dict[str, Any]]:
    names = [name for name in HEADER.names or () if name not in SET_BY_ENCODER]
    return st.fixed_dictionaries(
        {name: arrays.from_dtype(HEADER[name]).map(lambda value: value.item()) for name in names}
    )


@st.composite
def previews(draw: st.DrawFn) -> Preview:
    pixels = draw(arrays.arrays(draw(st.sampled_from(PIXEL_TYPES)), st.tuples(st.integers(1, 6), st.integers(1, 6))))
    scale = draw(st.floats(0, exclude_min=True, allow_infinity=False))
    offset = draw(st.floats(allow_nan=False, allow_infinity=False))
    number = st.integers(0, 2**64 - 1)
    return Preview(draw(number), draw(number), draw(st.integers(1, 2**16 - 1)), pixels, offset, scale)


def read_positions(message: bytes) -> None:
    header, rows = decode_positions(message)
    assert len(rows) == header["row_count"]
    assert len(rows.tobytes()) == len(rows) * ROW.itemsize


def read_preview(message: bytes) -> None:
    preview = decode_preview(message)
    assert preview.pixels.tobytes()
    assert preview.step


def read_status(message: bytes) -> None:
    accounting_errors(decode_status(message))


def read_request(message: bytes) -> None:
    assert request_id(message) >= 0
    decode_request(message)


READERS: dict[str, tuple[Callable[[bytes], Any], type[Exception], tuple[bytes, ...]]] = {
    "positions": (read_positions, WireError, (POSITIONS,)),
    "preview": (read_preview, WireError, (PREVIEW, FULL_PREVIEW)),
    "status": (read_status, WireError, (HEARTBEAT,)),
    "event": (decode_event, WireError, (EVENT,)),
    "request": (read_request, CommandError, (b"",)),
    "reply": (decode_reply, CommandError, (b"",)),
}
VALID: dict[str, st.SearchStrategy[bytes]] = {
    "positions": st.tuples(ROWS, header_fields()).map(
        lambda each: bytes(PositionsEncoder(3).encode(each[0], **each[1]))
    ),
    "preview": previews().map(lambda preview: bytes(encode_preview(preview))),
    "status": STATUS.map(encode_status),
    "event": EVENTS.map(encode_event),
    "request": st.one_of(*map(any_value, REQUESTS)).map(encode),
    "reply": any_value(Reply).map(encode),
}
DEEP = b'{"a":' * 2000, b"[" * 20_000, b'{"command":"hello","a":' + b"[" * 2000


@st.composite
def damaged(draw: st.DrawFn, kind: str) -> bytes:
    """Return a message of a kind of which some bytes are changed, cut off, added or left out."""
    message = bytearray(draw(VALID[kind]))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(message)))
        length = draw(st.sampled_from([0, 1, 1, 2, 4, 8, 1000]))
        message[place : place + length] = draw(
            st.binary(max_size=8) | st.sampled_from([b"\xff" * 8, bytes(8), b"1e999", b"null"])
        )
    return bytes(message)


def read(kind: str, message: bytes) -> None:
    """Read a message, which may raise the one error of its kind."""
    reader, error, _ = READERS[kind]
    with suppress(error):
        reader(message)


@pytest.mark.parametrize("kind", READERS)
@given(st.data())
def test_a_damaged_message_raises_the_one_error(kind: str, data: Any) -> None:
    read(kind, data.draw(damaged(kind)))


@pytest.mark.parametrize("kind", READERS)
@given(st.binary(max_size=300) | JSON_VALUES.map(lambda value: json.dumps(value).encode()) | st.sampled_from(DEEP))
def test_any_bytes_raise_the_one_error(kind: str, content: bytes) -> None:
    for topic in READERS[kind][2]:
        read(kind, topic + content)
    read(kind, content)


@given(st.lists(st.tuples(ROWS, header_fields()), max_size=3), st.integers(0, 2**64 - 1))
def test_positions_are_decoded_as_encoded(messages: list[Any], session: int) -> None:
    encoder = PositionsEncoder(session)
    for seq, (rows, fields) in enumerate(messages):
        header, decoded = decode_positions(bytes(encoder.encode(rows, **fields)))
        assert decoded.tobytes() == rows.tobytes()
        assert (header["session"], header["seq"], header["row_count"]) == (session, seq, len(rows))
        for name, value in fields.items():
            np.testing.assert_equal(header[name], value, name)


@given(previews(), st.booleans())
def test_previews_are_decoded_as_encoded(preview: Preview, full: bool) -> None:
    decoded = decode_preview(bytes(encode_preview(preview, full_resolution=full)))
    assert decoded.pixels.dtype == preview.pixels.dtype
    assert decoded.pixels.shape == preview.pixels.shape
    assert decoded.pixels.tobytes() == preview.pixels.tobytes()
    assert decoded._replace(pixels=None) == preview._replace(pixels=None)
    assert len(encode_preview(preview)) >= PREVIEW_HEADER.itemsize + preview.pixels.nbytes


@given(STATUS)
def test_a_status_is_decoded_as_encoded(status: Status) -> None:
    decoded = decode_status(encode_status(msgspec.structs.replace(status, wire_version=1)))
    assert msgspec.structs.replace(decoded, header=[], rows=[]) == msgspec.structs.replace(
        status, header=[], rows=[], wire_version=1
    )


@given(EVENTS)
def test_an_event_is_decoded_as_encoded(message: EventMessage) -> None:
    assert decode_event(encode_event(message)) == message


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
@given(st.data())
def test_a_request_is_decoded_as_encoded(kind: Any, data: Any) -> None:
    request = data.draw(any_value(kind))
    assert decode_request(encode(request)) == request
    assert request_id(encode(request)) == request.id


@given(any_value(Reply))
def test_a_reply_is_decoded_as_encoded(reply: Reply) -> None:
    assert decode_reply(encode(reply)) == reply
