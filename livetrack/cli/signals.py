"""Handling of Ctrl-C, SIGTERM, the closing of the terminal, and the end of the program that started this one."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["default_sigint", "end_on_eof", "interruptible", "stop_event"]

_CLOSING_S = 5.0


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """Yield an event that these signals set; a second Ctrl-C raises KeyboardInterrupt."""
    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    with _handled_by(handle):
        yield stop


@contextmanager
def interruptible(later: Callable[[], bool]) -> Iterator[threading.Event]:
    """Let these signals raise KeyboardInterrupt; while `later()` is true they set the event that is yielded instead."""
    stop = threading.Event()

    def handle(_number: int, _frame: object) -> None:
        if later():
            stop.set()
        else:
            raise KeyboardInterrupt

    with _handled_by(handle):
        yield stop


@contextmanager
def default_sigint() -> Iterator[None]:
    """Let Ctrl-C end the process at once and silently: NumPy and Qt crash on an exception during their import."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_on_eof() -> None:
    """End this process when its standard input ends, a pipe from the program that started it and that is gone then."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1):  # not sys.stdin: its lock, held by a daemon thread, would break Python's exit
                pass
        signal.raise_signal(signal.SIGTERM)  # while Qt loads, this ends the process; later it closes the window
        time.sleep(_CLOSING_S)
        os._exit(1)

    threading.Thread(target=wait, name="livetrack-eof", daemon=True).start()


@contextmanager
def _handled_by(handle: Callable[[int, object], None]) -> Iterator[None]:
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
