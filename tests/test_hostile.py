"""The command socket with hostile messages: nothing fails, nothing stalls, all are rejected."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import zmq
from live_engine import running

from livetrack.client import Remote, Subscriber
from livetrack.config import load_config
from livetrack.errors import CommandError
from livetrack.session.engine import Engine
from livetrack.session.publisher import bind_command_socket
from livetrack.session.sockets import SocketFactory
from livetrack.wire import Status
from livetrack.wire.commands import REQUESTS
from livetrack.wire.exchange import decode_reply, decode_request

MESSAGES = 100_000
BATCH = 250
SMALL = [f"camera.simulated.{each}" for each in ("width=64", "height=64", "count=3", "exposure_ms=2", "fps=200")]
NAMES = [str(request.__struct_config__.tag) for request in REQUESTS]
VALID = [
    {"command": "set_threshold", "id": 3, "threshold": 0.5},
    {"command": "set_roi", "id": 4, "x": 0, "y": 0, "width": 32, "height": 32},
    {"command": "move_to", "id": 5, "actuator": "stage", "position": [1.0, 2.0], "wait": True},
    {"command": "choose_target", "id": 6, "x": 3.0, "y": 4.0},
    {"command": "hello", "id": 7, "t_client_ns": 12345},
]
REJECTED_BY_HANDLER = [  # valid requests: rejected by the loop, the camera, the disk
    {"command": "set_roi", "x": 1, "y": 1, "width": 10**6, "height": 10**6},
    {"command": "set_roi", "x": 0, "y": 0, "width": 1, "height": 1},
    {"command": "set_exposure", "exposure_ms": 1e300},
    {"command": "set_property", "name": "SimulateCrash", "value": "Divide by Zero"},
    {"command": "set_property", "name": "signal", "value": "\x00"},
    {"command": "set_property", "name": "signal", "value": -1e308},
    {"command": "set_property", "name": "read_noise", "value": 1e300},
    {"command": "swap_model", "model": "../../../../etc/passwd"},
    {"command": "swap_model", "model": "\x00.onnx"},
    {"command": "choose_target", "particle": -(2**63)},
    {"command": "choose_target", "x": 1e308, "y": -1e308},
    {"command": "start_recording", "folder": "\x00"},
    {"command": "stop_recording"},
    {"command": "move_to", "actuator": "stage", "position": [1.0] * 8},
    {"command": "move_to", "actuator": "stage", "position": [1e308, 1e308]},
    {"command": "move_by", "actuator": "\x00" * 999, "step": [1.0]},
]
ODD = [None, True, -1, 0, 2**63, 2**64, 1e308, "", "\x00", "x" * 5000, [], {}, [[[[]]]], {"id": {}}, "NaN"]


def hostile(rng: random.Random) -> bytes:
    """Return a message that is not a valid request."""
    while True:
        kind = rng.randrange(6)
        if kind == 0:
            message = rng.randbytes(rng.randrange(200))
        elif kind == 1:  # bits flipped
            damaged = bytearray(json.dumps(rng.choice(VALID)).encode())
            for _ in range(rng.randrange(1, 6)):
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            message = bytes(damaged)
        elif kind == 2:  # truncated, or with something appended
            whole = json.dumps(rng.choice(VALID)).encode()
            message = whole[: rng.randrange(len(whole))] if rng.random() < 0.5 else whole + rng.randbytes(5)
        elif kind == 3:  # a field of another type
            fields = dict(rng.choice(VALID))
            fields[rng.choice([*fields, "more"])] = rng.choice(ODD)
            message = json.dumps(fields).encode()
        elif kind == 4:
            message = json.dumps(
                {"command": rng.choice([*NAMES, "quit", "__init__"]), rng.choice(["x", "\x00"]): 1}
            ).encode()
        else:
            message = rng.choice([b"[", b'{"a":', b'{"command":"hello","id":', b"{" * 3, b"\xff\xfe{"]) * rng.randrange(
                300
            )
        try:
            decode_request(message)
        except CommandError:
            return message


@contextmanager
def dealer(engine: Engine) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context.instance().socket(zmq.DEALER) as client:
        client.setsockopt(zmq.LINGER, 0)
        client.setsockopt(zmq.RCVTIMEO, 20_000)
        client.connect(engine.command_address)
        yield client


def state(engine: Engine) -> Status:
    with Remote(engine.command_address) as remote:
        return remote.state()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with running(SMALL) as engine:
        yield engine


def test_a_hundred_thousand_hostile_messages_are_rejected(engine: Engine) -> None:
    rng = random.Random(1)
    messages = [hostile(rng) for _ in range(MESSAGES // 10)]  # each ten times, in another order
    before, settings, longest_s = state(engine), engine.config, 0.0
    with dealer(engine) as client, Remote(engine.command_address) as remote:
        for _ in range(MESSAGES // BATCH):
            for message in rng.choices(messages, k=BATCH):
                client.send(message)
            for _ in range(BATCH):
                reply = decode_reply(client.recv())
                assert reply.error
                assert reply.result is None
            begun = time.monotonic()
            assert remote.state().state == "running"
            longest_s = max(longest_s, time.monotonic() - begun)
    after = state(engine)
    assert longest_s < 2  # no delay for others
    assert after.tracked - before.tracked > 50
    assert engine.config == settings
    assert (after.model, after.target, after.recording) == (before.model, None, None)


def test_valid_requests_with_impossible_values_are_rejected(engine: Engine) -> None:
    before = engine.config
    rng = random.Random(2)
    with dealer(engine) as client:
        for _ in range(20):
            for fields in rng.sample(REJECTED_BY_HANDLER, len(REJECTED_BY_HANDLER)):
                client.send(json.dumps(fields).encode())
            for _ in REJECTED_BY_HANDLER:
                reply = decode_reply(client.recv())
                assert reply.error, reply
    assert engine.config == before
    assert state(engine).state == "running"


def test_messages_of_many_frames_and_of_many_bytes(engine: Engine) -> None:
    with dealer(engine) as client:
        for frames in ([b"", b"{}"], [b"{}", b"{}"], [b""] * 5, [b'{"command":"state"}'] * 100):
            client.send_multipart(frames)
            got = client.recv_multipart()
            assert decode_reply(got[-1]).error
        client.send(b" " * 1_000_000)
        assert "at most 65536" in decode_reply(client.recv()).error
        client.send(b" " * 2_000_000)  # larger than any message that is accepted: the connection ends
        client.setsockopt(zmq.RCVTIMEO, 300)
        with pytest.raises(zmq.Again):
            client.recv()
    assert state(engine).state == "running"


def test_a_message_of_very_many_frames_is_rejected_and_not_kept(engine: Engine) -> None:
    with dealer(engine) as client:
        client.send_multipart([b"{}"] * 300_000)
        begun = time.monotonic()
        assert state(engine).state == "running"
        assert time.monotonic() - begun < 5
        reply = client.recv_multipart()
        assert "a request is one frame, this has several" in decode_reply(reply[-1]).error


def test_the_number_of_waiting_requests_is_bounded() -> None:
    """If requests are not read, the sender blocks: their memory is bounded."""
    settings = load_config(None, ["publish.command_address=tcp://127.0.0.1:*"]).publish
    router, address = bind_command_socket(settings, SocketFactory(settings))
    with router, zmq.Context.instance().socket(zmq.DEALER) as client:
        client.setsockopt(zmq.SNDHWM, 10)
        client.setsockopt(zmq.SNDTIMEO, 500)
        client.setsockopt(zmq.LINGER, 0)
        client.connect(address)
        sent = 0
        with suppress(zmq.Again):
            while sent < 2000:
                client.send(b" " * 65536)
                sent += 1
        assert 100 < sent < 600  # in both queues, and in the operating system


def test_a_client_that_never_reads_replies_does_no_harm(engine: Engine) -> None:
    before = state(engine)
    with dealer(engine) as client:
        for _ in range(20_000):
            client.send(b'{"command": "hello"}')
        begun = time.monotonic()
        after = state(engine)
        assert time.monotonic() - begun < 10
    assert after.tracked > before.tracked


def test_bytes_that_are_not_zeromq_do_no_harm(engine: Engine) -> None:
    rng = random.Random(3)
    host, port = engine.command_address.removeprefix("tcp://").split(":")
    for _ in range(50):
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(rng.choice([b"GET / HTTP/1.1\r\n\r\n", rng.randbytes(500), b"\xff" + rng.randbytes(63), b""]))
    assert state(engine).state == "running"


# connections that send more than a client has reason to

needs_watched_connections = pytest.mark.skipif(sys.platform != "linux", reason="connections are watched on Linux only")


def connected(address: str, kind: bytes) -> socket.socket:
    """Return a connection that has finished the handshake of ZMTP 3.0 as a socket of this kind, byte by byte."""
    host, port = address.removeprefix("tcp://").split(":")
    raw = socket.create_connection((host, int(port)), timeout=20)
    raw.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
    ready = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    raw.sendall(bytes([4, len(ready)]) + ready)
    received = b""
    while len(received) < 64 + 2:
        received += raw.recv(1000)
    return raw


def memory_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


@contextmanager
def every_message_arrives(engine: Engine) -> Iterator[None]:
    """Receive positions meanwhile, and check that none is missing, and that the memory grows by less than 100 MB."""
    stop, frames = threading.Event(), list[int]()

    def listen() -> None:
        with Subscriber(engine.publisher.address, newest=False) as subscriber:
            while not stop.is_set():
                update = subscriber.receive(0.1)
                if update is not None:
                    frames.append(update.seq)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        while len(frames) < 10:
            time.sleep(0.01)
        before_mb = memory_mb()
        yield
        assert memory_mb() - before_mb < 100
        count = len(frames)
        while len(frames) < count + 20:  # the stream goes on
            time.sleep(0.01)
    finally:
        stop.set()
        listener.join()
    assert frames == list(range(frames[0], frames[-1] + 1))


def flood(raw: socket.socket, data: bytes, most_bytes: int) -> int:
    """Send `data` again and again until the other side ends the connection; return the bytes sent."""
    sent = 0
    with suppress(ConnectionError):
        while sent < most_bytes:
            raw.sendall(data)
            sent += len(data)
    return sent


@needs_watched_connections
@pytest.mark.parametrize("stream", ["commands", "positions", "preview"])
def test_a_message_of_endless_parts_does_not_fill_the_memory(engine: Engine, stream: str) -> None:
    publisher = engine.publisher
    address, kind = {
        "commands": (engine.command_address, b"DEALER"),
        "positions": (publisher.address, b"SUB"),
        "preview": (publisher.preview_address, b"SUB"),
    }[stream]
    with every_message_arrives(engine), connected(address, kind) as raw:
        most = 100_000_000
        assert flood(raw, b"\x01\x01x" * 10_000, most) < most  # flag "more", length, one byte
        assert state(engine).state == "running"


@needs_watched_connections
def test_a_hundred_thousand_subscriptions_of_one_client_silence_nobody(engine: Engine) -> None:
    with every_message_arrives(engine), connected(engine.publisher.address, b"SUB") as raw:
        topics = (b"\x01lt.pos" + str(number).encode() for number in range(100_000))
        with suppress(ConnectionError):
            for topic in topics:
                raw.sendall(bytes([0, len(topic)]) + topic)
            flood(raw, b"\x00\x02\x01x" * 1000, 10_000_000)
            pytest.fail("the connection was not ended")
        assert state(engine).state == "running"


@needs_watched_connections
def test_a_thousand_connections_that_never_speak_keep_nobody_out(engine: Engine) -> None:
    addresses = [engine.publisher.address, engine.command_address]
    with every_message_arrives(engine), ExitStack() as opened:
        for number in range(1000):
            host, port = addresses[number % 2].removeprefix("tcp://").split(":")
            raw = opened.enter_context(socket.create_connection((host, int(port)), timeout=20))
            if number % 3:
                with suppress(ConnectionError):
                    raw.sendall((b"\xff" + bytes(8) + b"\x7f")[: number % 10])
        for _ in range(5):
            assert state(engine).state == "running"
        with Subscriber(engine.publisher.address) as newcomer:
            assert newcomer.receive(20) is not None
