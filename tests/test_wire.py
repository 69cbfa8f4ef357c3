"""Messages: what is encoded is decoded, and invalid messages raise."""

from __future__ import annotations

import os
import struct
import sys
import threading
import time
from pathlib import Path
from socket import EAI_AGAIN, gaierror

import msgspec
import numpy as np
import pytest
import zmq

from livetrack.client import PreviewSubscriber, StatusSubscriber, Subscriber, Update
from livetrack.errors import UsageError
from livetrack.particles import ROW, Flag, empty_rows
from livetrack.wire import (
    HEADER,
    POSITIONS,
    PREVIEW_HEADER,
    PositionsEncoder,
    Preview,
    Status,
    WireError,
    decode_positions,
    decode_preview,
    decode_status,
    encode_preview,
    encode_status,
)

FIELDS = {
    "frame": 12,
    "camera_number": -1,
    "t_s": 0.25,
    "t_exposed_ns": -1,
    "t_received_ns": 1_000,
    "t_started_ns": 2_000,
    "t_localized_ns": 3_000,
    "t_linked_ns": 4_000,
    "t_published_ns": 5_000,
    "wall_ns": 6_000,
    "skipped": 7,
    "lost": 8,
    "geometry": 9,
    "width": 512,
    "height": 256,
    "x_origin": 10,
    "y_origin": 20,
    "binning": 2,
    "pixel_size_um": 0.125,
}
STATUS = Status(
    session=1,
    state="running",
    message="",
    camera="simulated",
    model="spot",
    provider="CPU",
    preview_address="",
    uptime_s=1.0,
    camera_fps=100.0,
    tracked_fps=99.0,
    received=3,
    tracked=2,
    skipped=1,
    lost=0,
    particles=4,
    latency_us={},
)


def make_rows(count: int) -> np.ndarray:
    rows = empty_rows(count)
    rows["id"] = np.arange(count) + 2**40
    rows["x"] = np.linspace(0, 500, count)
    rows["flags"] = Flag.NEW | Flag.EDGE
    return rows


@pytest.mark.parametrize("kind", [HEADER, PREVIEW_HEADER, ROW])
def test_every_field_is_naturally_aligned(kind: np.dtype) -> None:
    for name in kind.names:
        field, offset = kind.fields[name]
        assert field.str[0] in "<|"
        assert offset % (1 if field.kind == "S" else field.itemsize) == 0, name
    assert kind.itemsize % 8 == 0


def test_positions_round_trip() -> None:
    encoder = PositionsEncoder(session=77)
    for seq, count in enumerate([0, 3, 5000, 1]):  # the buffer grows, and shrinks in use
        rows = make_rows(count)
        header, decoded = decode_positions(bytes(encoder.encode(rows, **FIELDS)))
        assert decoded.tobytes() == rows.tobytes()
        assert header | FIELDS == header
        assert (header["session"], header["seq"], header["row_count"]) == (77, seq, count)


def test_a_plain_struct_reads_the_header() -> None:
    """Clients in other languages rely on these offsets."""
    message = bytes(PositionsEncoder(5).encode(make_rows(2), **FIELDS))
    assert message[:8] == POSITIONS
    version, header_size, row_size, _ = struct.unpack_from("<4H", message, 8)
    assert (version, header_size, row_size) == (1, HEADER.itemsize, 56)
    assert struct.unpack_from("<QQQ", message, 16) == (5, 0, 12)
    particle, x = struct.unpack_from("<qf", message, 8 + header_size + row_size)
    assert (particle, x) == (2**40 + 1, 500.0)


def test_appended_fields_are_ignored() -> None:
    message = bytes(PositionsEncoder(5).encode(make_rows(2), **FIELDS))
    start = 8 + HEADER.itemsize
    rows = [message[start + k * 56 : start + (k + 1) * 56] + b"new!" * 2 for k in range(2)]
    header = bytearray(message[8:start])
    struct.pack_into("<2H", header, 2, HEADER.itemsize + 16, 64)
    later = message[:8] + bytes(header) + b"\1" * 16 + b"".join(rows)
    _, decoded = decode_positions(later)
    assert decoded["id"].tolist() == [2**40, 2**40 + 1]
    assert decoded["x"].tolist() == [0.0, 500.0]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda message: b"something else", "not a livetrack message"),
        (lambda message: message[:40], "cut short"),
        (lambda message: message[:-1], "too short for 2 rows"),
        (lambda message: message[:8] + b"\x09\0" + message[10:], "version 9"),
    ],
)
def test_an_unreadable_message_raises(damage, expected: str) -> None:
    message = bytes(PositionsEncoder(5).encode(make_rows(2), **FIELDS))
    with pytest.raises(WireError, match=expected):
        decode_positions(damage(message))


@pytest.mark.parametrize("kind", ["u1", "<u2", ">u2", "<f4"])
def test_previews_round_trip(kind: str) -> None:
    pixels = np.arange(35).reshape(5, 7).astype(kind)[::2, ::3]
    picture = decode_preview(encode_preview(Preview(3, 4, 2, pixels)))
    assert (picture.session, picture.frame, picture.step) == (3, 4, 2)
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_a_truncated_preview_raises() -> None:
    message = encode_preview(Preview(3, 4, 2, np.zeros((5, 7), np.uint8)))
    with pytest.raises(WireError, match="cannot be read"):
        decode_preview(message[:-1])


def test_the_heartbeat_contains_status_and_schema() -> None:
    status = decode_status(encode_status(STATUS))
    assert msgspec.structs.replace(status, header=[], rows=[]) == STATUS
    assert ("x", "<f4", 8) in status.rows
    assert ("seq", "<u8", 16) in status.header
    with pytest.raises(WireError):
        decode_status(b"lt.beat\0{")


def test_subscribers_get_newest_or_all_and_report_gaps() -> None:
    context = zmq.Context.instance()
    publisher = context.socket(zmq.PUB)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    address = f"tcp://127.0.0.1:{port}"
    encoder = PositionsEncoder(1)
    with (
        Subscriber(address) as newest,
        Subscriber(address, newest=False) as every,
        StatusSubscriber(address) as status,
        PreviewSubscriber(address) as previews,
    ):
        deadline = time.monotonic() + 10
        while every.receive(0.01) is None or newest.receive(0.01) is None:  # until both are connected
            publisher.send(encoder.encode(make_rows(1), **FIELDS))
            assert time.monotonic() < deadline
        while every.receive(0.1) is not None or newest.receive(0.1) is not None:
            pass
        for _ in range(20):
            publisher.send(encoder.encode(make_rows(1), **FIELDS))
        encoder.encode(make_rows(1), **FIELDS)  # one that is never sent
        publisher.send(encoder.encode(make_rows(3), **FIELDS))
        publisher.send(encode_status(STATUS))
        updates: list[Update] = [every.receive(5) for _ in range(21)]
        assert [update.gap for update in updates] == [0] * 20 + [1]
        assert updates[-1].camera_number is None
        assert updates[-1].t_exposed_ns is None
        assert updates[-1].pixel_size_um == 0.125
        assert len(updates[-1].particles) == 3
        assert status.receive(5).camera == "simulated"
        last = newest.receive(5)
        assert last.seq == updates[-1].seq
        assert last.gap == 21
        assert newest.receive(0) is None
        assert previews.receive(0) is None
    publisher.close(linger=0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
def test_a_client_that_reads_slowly_holds_little_more_than_the_messages() -> None:
    """Each read from the network on its own, as at a frame rate."""
    with zmq.Context.instance().socket(zmq.PUB) as publisher:
        publisher.bind("tcp://127.0.0.1:*")
        encoder = PositionsEncoder(1)
        with Subscriber(publisher.last_endpoint.decode(), newest=False) as positions:
            while positions.receive(0.01) is None:
                publisher.send(encoder.encode(make_rows(20), **FIELDS))
            before = resident_bytes()
            for _ in range(4000):
                message = encoder.encode(make_rows(20), **FIELDS)
                publisher.send(message)
                time.sleep(2e-4)
            time.sleep(0.2)
            assert resident_bytes() - before < 2.5 * 4000 * len(message)
            assert positions.receive(5) is not None


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_wrong_address_raises() -> None:
    with pytest.raises(UsageError, match="not an address to connect to"):
        Subscriber("localhost:5555")
    with pytest.raises(UsageError, match=r"no\.\.where:5555: unknown host 'no\.\.where'"):
        Subscriber("tcp://no..where:5555")


def test_a_host_name_that_cannot_be_resolved_yet_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_knows_yet(*_: object) -> None:
        raise gaierror(EAI_AGAIN, "try again")

    monkeypatch.setattr("livetrack.client.address.getaddrinfo", nobody_knows_yet)
    with Subscriber("tcp://lab.invalid:5555") as positions:
        assert positions.receive(0.01) is None


def test_waiting_without_messages_logs_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("livetrack.client.streams._SILENCE_S", 0.1)
    publisher = zmq.Context.instance().socket(zmq.PUB)
    publisher.bind("tcp://127.0.0.1:*")
    address = publisher.last_endpoint.decode()
    message = bytes(PositionsEncoder(1).encode(empty_rows(1), **FIELDS))
    late = threading.Timer(1.0, publisher.send, [message])
    with Subscriber(address) as positions:
        late.start()
        assert positions.receive() is not None
        threading.Timer(0.5, publisher.send, [message]).start()
        assert positions.receive() is not None
    publisher.close(linger=0)
    assert [record.getMessage() for record in caplog.records] == [
        f"{address}: nothing received yet: is an engine running there? Start one with `livetrack demo`"
    ]
