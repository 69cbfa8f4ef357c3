"""Why a client receives nothing: wrong or missing keys, another version, or nobody there; in every client."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zmq
from zmq.auth.thread import ThreadAuthenticator

from livetrack.cli import main
from livetrack.client import EventSubscriber, PreviewSubscriber, Remote, StatusSubscriber, Subscriber
from livetrack.client.diagnosis import Handshake, diagnose
from livetrack.control import Target
from livetrack.curve_keys import ENVIRONMENT, generate_keys, secure_server, trusted_clients
from livetrack.errors import CommandError, TargetLostError

NOBODY = r"is an engine running there\? Start one with `livetrack demo`"
NEEDED = r"the engine there requires keys: give the folder of this client's keys with --keys FOLDER"
NEEDLESS = r"the engine there has no keys, but this client uses those of .*: leave out --keys and unset LIVETRACK_KEYS"
REJECTED = r"the engine there does not accept the client's key of .*mixed: add its public key to"
OTHERS = r"what responds there is no engine with the key .*others/engine\.key: copy the folder client"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with keys: `own`; of another engine, `others`; of this engine with an unknown client, `mixed`."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("own", "others"):
        generate_keys(folder / name)
    (folder / "mixed").mkdir()
    for name, origin in (("engine.key", "own"), ("client.key_secret", "others")):
        (folder / "mixed" / name).write_bytes((folder / origin / "client" / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def addresses(keys: Path) -> Iterator[dict[str, str]]:
    """Return addresses of silent sockets of an engine with keys and one without, and of nobody."""
    context = zmq.Context.instance()
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve(domain="*", location=trusted_clients(keys / "own"))
    sockets, bound = [], {"nobody": f"tcp://127.0.0.1:{free_port()}"}
    for name, kind in (("positions", zmq.PUB), ("commands", zmq.ROUTER)):
        for locked in (True, False):
            opened: zmq.Socket[bytes] = context.socket(kind)
            if locked:
                secure_server(opened, keys / "own")
            opened.bind("tcp://127.0.0.1:*")
            sockets.append(opened)
            bound[f"locked {name}" if locked else f"open {name}"] = opened.last_endpoint.decode()
    yield bound
    for opened in sockets:
        opened.close(linger=0)
    authenticator.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


CASES = [
    ("nobody", "", NOBODY, False),
    ("nobody", "own", NOBODY, False),
    *(
        case
        for kind in ("positions", "commands")
        for case in (
            (f"locked {kind}", "", NEEDED, True),
            (f"locked {kind}", "others", OTHERS, False),
            (f"locked {kind}", "mixed", REJECTED, True),
            (f"open {kind}", "own", NEEDLESS, True),
        )
    ),
]


@pytest.mark.parametrize(("where", "name", "hint", "final"), CASES)
def test_the_handshake_shows_why_nothing_arrives(
    addresses: dict[str, str], keys: Path, where: str, name: str, hint: str, final: bool
) -> None:
    silence = diagnose(addresses[where], str(keys / name) if name else "")
    assert silence.handshake not in (Handshake.SUCCEEDED, Handshake.COMMANDS)
    assert silence.is_final == final
    assert re.match(hint, silence.hint)


@pytest.mark.parametrize("where", ["locked positions", "locked commands", "open positions", "open commands"])
def test_an_engine_that_accepts_the_connection_is_told_apart(addresses: dict[str, str], keys: Path, where: str) -> None:
    silence = diagnose(addresses[where], keys / "own" if "locked" in where else "")
    assert not silence.is_final
    if "commands" in where:
        assert silence.handshake is Handshake.COMMANDS
        assert silence.hint == "this is the engine's publish.command_address; use its publish.address"
    else:
        assert silence.handshake is Handshake.SUCCEEDED


def test_another_program_is_told_apart() -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def respond() -> None:
            while not stop.is_set():
                with suppress(OSError), server.accept()[0] as connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"." * 100)

        thread = threading.Thread(target=respond)
        thread.start()
        try:
            silence = diagnose(f"tcp://127.0.0.1:{server.getsockname()[1]}", "")
        finally:
            stop.set()
            thread.join()
    assert silence.hint == "another program responds there: is this the port of an engine?"


def test_every_client_reports_wrong_keys(
    addresses: dict[str, str], keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandError, match=f"no response from an engine for 0.2 s: {REJECTED}"):
        Remote(addresses["locked positions"], timeout_s=0.2, keys=keys / "mixed")
    monkeypatch.setenv(ENVIRONMENT, str(keys / "mixed"))
    with (
        Target(addresses["locked positions"], stale_after_s=0.1) as target,
        pytest.raises(TargetLostError, match=f"no frame received for 0.1 s from tcp://.*: {REJECTED}"),
    ):
        next(iter(target))
    for kind in (Subscriber, StatusSubscriber, EventSubscriber, PreviewSubscriber):
        with kind(addresses["locked positions"]) as stream:
            assert re.match(REJECTED, stream.diagnose().hint)


@pytest.mark.parametrize("command", ["listen", "bridge", "follow"])
def test_every_command_reports_missing_keys(
    addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setattr("livetrack.cli.position_stream._SILENCE_S", 0.1)
    address = addresses["locked positions"]
    assert main([command, *([address] if command != "follow" else ["--address", address])]) == 1
    assert re.search(NEEDED, capfd.readouterr().err)


OTHER_VERSION = "the engine uses version 2 of the wire format, this client version 1: install the same livetrack"


@pytest.mark.parametrize("command", ["listen", "bridge", "follow", "trap", "calibrate"])
def test_every_command_names_another_version(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The heartbeat of a later version, of which nothing but the version is known."""
    monkeypatch.setattr("livetrack.cli.position_stream._POLL_S", 0.05)
    publisher: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
    publisher.bind("tcp://127.0.0.1:*")
    address, ended = publisher.last_endpoint.decode(), threading.Event()

    def send() -> None:
        while not ended.wait(0.05):
            publisher.send(b'lt.beat\0{"wire_version": 2, "state": 7}')
        publisher.close(linger=0)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert main([command, *([address] if command in ("listen", "bridge") else ["--address", address])]) == 1
    finally:
        ended.set()
        sender.join()
    assert f"livetrack: {OTHER_VERSION}" in capfd.readouterr().err
