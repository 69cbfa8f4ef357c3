"""Handling of Ctrl-C, SIGTERM and the closing of the terminal."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["default_sigint", "interruptible", "stop_event"]


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
