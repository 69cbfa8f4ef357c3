"""What a test leaves behind is found, and what ends on its own is not reported."""

from __future__ import annotations

import multiprocessing
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from leaks import held, left_behind

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="handles are counted on Linux only")


@contextmanager
def a_thread(_: Path) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="forgotten")
    thread.start()
    yield
    stop.set()
    thread.join()


@contextmanager
def a_process(_: Path) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE):
        yield


@contextmanager
def a_worker(_: Path) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    process.start()
    yield
    process.kill()
    process.join()


@contextmanager
def a_file(folder: Path) -> Iterator[None]:
    with (folder / "forgotten").open("wb"):
        yield


@contextmanager
def a_socket(_: Path) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)):
        yield


@contextmanager
def a_zeromq_socket(_: Path) -> Iterator[None]:
    with zmq.Context.instance().socket(zmq.PUB) as publisher:
        publisher.bind("tcp://127.0.0.1:*")
        yield


@pytest.mark.parametrize(
    ("leak", "words"),
    [
        (a_thread, "thread forgotten"),
        (a_process, "process "),
        (a_worker, "process "),
        pytest.param(a_file, "forgotten", marks=LINUX),
        pytest.param(a_socket, "socket:", marks=LINUX),
        pytest.param(a_zeromq_socket, "socket:", marks=LINUX),
    ],
)
def test_what_is_left_behind_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leak: Callable[[Path], Iterator[None]], words: str
) -> None:
    before = held()
    with monkeypatch.context() as patch, leak(tmp_path):
        patch.setattr("leaks._GRACE_S", 0.2)
        assert words in " ".join(left_behind(before))
    assert left_behind(before) == []


def test_what_ends_on_its_own_is_no_leak() -> None:
    before = held()
    threading.Timer(0.3, lambda: None).start()
    assert left_behind(before) == []


def test_looking_is_quick() -> None:
    begun = time.process_time()
    for _ in range(100):
        held()
    assert (time.process_time() - begun) / 100 < 2e-3
