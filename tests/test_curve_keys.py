"""Keys: no access from other machines without them, access for clients that have one."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from live_engine import ANY_PORT, running

from livetrack.cli import main
from livetrack.client import EventSubscriber, PreviewSubscriber, Remote, StatusSubscriber, Subscriber
from livetrack.client.address import resolve_address
from livetrack.config import PublishSettings, load_config
from livetrack.curve_keys import ENVIRONMENT, generate_keys
from livetrack.errors import CommandError, ConfigError, UsageError
from livetrack.session.engine import Engine
from livetrack.session.sockets import SocketFactory

SMALL = [f"camera.simulated.{each}" for each in ("width=128", "height=96", "count=8", "exposure_ms=2")]
ADDRESSES = ("address", "preview_address", "command_address")


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generate_keys(tmp_path / "keys")
    return tmp_path / "keys"


@contextmanager
def engine_open_to_all(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Run an engine on all interfaces of this machine; yield the local addresses of its sockets."""
    settings = [f"publish.{key}=tcp://*:*" for key in ADDRESSES]
    with Engine(load_config(None, [*settings, f"publish.curve_keys={str(folder)!r}", *SMALL])) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop}, daemon=True)
        thread.start()
        try:
            given = engine.publisher.address, engine.publisher.preview_address, engine.command_address
            assert all(address.startswith("tcp://0.0.0.0:") for address in given)
            positions, pictures, commands = (resolve_address(address, "tcp://127.0.0.1:1") for address in given)
            yield positions, pictures, commands
        finally:
            stop.set()
            thread.join(20)


@pytest.mark.parametrize("key", ADDRESSES)
@pytest.mark.parametrize("address", ["tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://192.168.1.2:5555", "tcp://[::]:5555"])
def test_no_address_is_open_to_other_machines_without_keys(key: str, address: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"\[publish.{key}\] = .* is open to other computers without keys: make keys with"
    ):
        load_config(None, [f"publish.{key}={address}"])
    with pytest.raises(UsageError, match="is open to other computers without keys"):  # whoever made the settings
        SocketFactory(PublishSettings()).bind(zmq.PUB, address, f"publish.{key}", 10)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:*", "tcp://localhost:*", "tcp://127.1.2.3:*", "tcp://[::1]:*", "inproc://here"]
)
def test_addresses_of_this_machine_need_no_keys(address: str) -> None:
    SocketFactory(load_config(None, [f"publish.address={address}"]).publish).bind(
        zmq.PUB, address, "publish.address", 10
    ).close(linger=0)


def test_only_clients_with_a_key_are_accepted(folder: Path, tmp_path: Path) -> None:
    generate_keys(tmp_path / "others")
    mixed = tmp_path / "mixed"  # the engine's right public key, and a key of their own that nobody trusts
    mixed.mkdir()
    for name, origin in (("engine.key", folder), ("client.key_secret", tmp_path / "others")):
        (mixed / name).write_bytes((origin / "client" / name).read_bytes())
    with engine_open_to_all(folder) as (positions, pictures, commands):
        with (
            Subscriber(positions, keys=folder) as update,
            StatusSubscriber(positions, keys=folder / "client") as status,
            EventSubscriber(positions, keys=folder) as events,
            PreviewSubscriber(pictures, keys=folder) as preview,
            Remote(positions, keys=folder) as remote,
        ):
            assert update.receive(10) is not None
            assert status.receive(10) is not None
            assert events.receive(10) is not None
            assert preview.receive(10) is not None
            assert remote.address == commands
            assert remote.pause() == "paused"
            assert remote.resume() == "running"
        wrong = ("", tmp_path / "others", mixed)
        strangers = [kind(positions, keys=keys) for keys in wrong for kind in (Subscriber, EventSubscriber)]
        strangers += [PreviewSubscriber(pictures, keys=keys) for keys in wrong]
        time.sleep(1.2)  # more than a heartbeat
        assert all(each.receive(0) is None for each in strangers)
        for each in strangers:
            each.close()
        for keys in wrong:
            for address in (positions, commands):
                with pytest.raises(CommandError, match="no response from an engine"):
                    Remote(address, timeout_s=0.3, keys=keys)


@pytest.mark.skipif(not has_ipv6(), reason="this computer has no IPv6")
def test_an_engine_is_served_at_addresses_of_ipv6(folder: Path) -> None:
    with running([f"publish.{key}=tcp://[::1]:*" for key in ADDRESSES] + SMALL) as engine:
        address = engine.publisher.address
        assert address.startswith("tcp://[::1]:")
        with Subscriber(address) as positions, PreviewSubscriber(engine.publisher.preview_address) as previews:
            assert positions.receive(10) is not None
            assert previews.receive(10) is not None
        with Remote(address) as remote:
            assert remote.address == engine.command_address
            assert remote.pause() == "paused"


@pytest.mark.skipif(not has_ipv6(), reason="this computer has no IPv6")
@pytest.mark.parametrize("host", ["[::1]", "127.0.0.1", "localhost"])
def test_all_interfaces_are_those_of_ipv6_and_ipv4(folder: Path, host: str) -> None:
    everywhere = [f"publish.{key}=tcp://[::]:*" for key in ADDRESSES] + [f"publish.curve_keys={str(folder)!r}"]
    with running([*everywhere, *SMALL]) as engine:
        port = engine.publisher.address.rpartition(":")[2]
        with Remote(f"tcp://{host}:{port}", keys=folder) as remote:
            assert remote.pause() == "paused"
            assert remote.address.startswith(f"tcp://{host}:")


def test_keys_are_found_through_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(folder / "client"))
    with engine_open_to_all(folder) as (_, _, commands), Remote(commands) as remote:
        assert remote.state().state


def test_keys_are_generated_and_used_on_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "keys"
    assert main(["keys", str(folder)]) == 0
    assert "curve_keys" in capfd.readouterr().err
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "engine/engine.key_secret", "engine/clients/client.key", "client/client.key_secret", "client/engine.key",
    }  # fmt: skip
    assert main(["keys", str(folder)]) == 2
    assert "exists already: choose another folder" in capfd.readouterr().err
    with engine_open_to_all(folder) as (positions, _, _):
        command = [sys.executable, "-m", "livetrack", "listen", positions, "--quiet", "--seconds=1"]
        with_key = subprocess.run([*command, f"--keys={folder}"], capture_output=True, text=True, timeout=60)
        without = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert with_key.returncode == 0, with_key.stderr
    assert without.returncode == 1
    assert "0 frames received" in without.stderr


def test_a_sessions_own_view_uses_the_engines_keys_not_those_for_another_engine(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    generate_keys(tmp_path / "others")
    monkeypatch.setattr("livetrack.cli.console._LINE_INTERVAL_S", 0.2)
    command = ["demo", "--headless", "--seconds=2.5", *(f"--set={each}" for each in [*ANY_PORT, *SMALL])]
    for keys in ([], [f"--set=publish.curve_keys={str(folder)!r}"]):
        monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "others"))
        assert main([*command, *keys]) == 0
        assert re.search(r"^running  camera \d", capfd.readouterr().err, re.MULTILINE)


@pytest.mark.skipif(os.name != "posix", reason="Windows ignores the mode")
def test_a_secret_key_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes, opened = [], os.open

    def noted(path: Path, flags: int, mode: int = 0o777) -> int:
        handle = opened(path, flags, mode)
        if flags & os.O_CREAT and ".key_secret" in Path(path).name:
            modes.append(os.fstat(handle).st_mode & 0o777)
        return handle

    before = os.umask(0)
    try:
        monkeypatch.setattr(os, "open", noted)
        generate_keys(tmp_path / "keys")
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]  # before there is a byte in them
    secrets = list(tmp_path.rglob("*.key_secret"))
    assert [path.stat().st_mode & 0o777 for path in secrets] == [0o600, 0o600]
    assert not [path for path in tmp_path.rglob("*.key") if "secret" in path.read_text()]


@pytest.mark.skipif(os.name != "posix", reason="Windows ignores the mode")
def test_the_folders_of_keys_are_private_whatever_the_umask(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        generate_keys(tmp_path / "new" / "keys")
        generate_keys(tmp_path / "shared")
    finally:
        os.umask(before)
    made = [
        each for each in tmp_path.rglob("*") if each.is_dir() and each.name in ("keys", "engine", "clients", "client")
    ]
    assert len(made) == 7
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.name != "posix", reason="Windows ignores the mode")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o622])
def test_a_secret_key_that_others_can_read_is_made_private(
    folder: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    secret = folder / "client" / "client.key_secret"
    secret.chmod(mode)
    for _ in range(2):
        Subscriber(keys=folder).close()
        assert secret.stat().st_mode & 0o777 == 0o600
    assert len(caplog.messages) == 1
    assert f"{secret}: this secret key could be read by other users" in caplog.text
    (folder / "engine" / "engine.key_secret").chmod(mode)
    with engine_open_to_all(folder):
        assert (folder / "engine" / "engine.key_secret").stat().st_mode & 0o777 == 0o600
    assert "engine.key_secret: this secret key could be read" in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="Windows ignores the mode")
def test_a_secret_key_that_others_can_always_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a USB stick, whose file system has no permissions, or where the file belongs to another user."""
    (folder / "client" / "client.key_secret").chmod(0o644)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    with pytest.raises(UsageError, match=r"client\.key_secret: this secret key can be read by other users, and its"):
        Subscriber(keys=folder)


def test_missing_keys_raise(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"engine\.key_secret does not exist: make keys with `livetrack keys FOLDER`"):
        Engine(load_config(None, [f"publish.curve_keys={str(tmp_path / 'no')!r}", *SMALL]))
    with pytest.raises(UsageError, match=r"client\.key_secret does not exist"):
        Subscriber(keys=tmp_path / "no")
    ports = [f"publish.{key}=tcp://127.0.0.1:*" for key in ADDRESSES]
    locked = load_config(None, [f"publish.curve_keys={str(folder)!r}", *ports, *SMALL])
    with Engine(locked), pytest.raises(UsageError, match="another engine in this process uses keys"):
        Engine(locked)
    client = folder / "engine" / "clients" / "client.key"
    client.write_text(client.read_text().replace('"', '"too long', 1))
    with pytest.raises(UsageError, match=r"client\.key: the key cannot be read: it must have 40 characters"):
        Engine(locked)
    shutil.rmtree(client.parent)
    with pytest.raises(UsageError, match=r"clients does not exist: make keys"):
        Engine(locked)
    (folder / "client" / "engine.key").write_text("nonsense")
    with pytest.raises(UsageError, match="key"):
        Subscriber(keys=folder)
