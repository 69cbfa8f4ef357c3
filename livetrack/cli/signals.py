"""What Ctrl-C and a polite kill do."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["plain_ctrl_c", "stopped_by_signals"]


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Let Ctrl-C, a polite kill, and the terminal's end do what the session's end does; a second Ctrl-C at once."""
    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    ending = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else: nohup
        ending.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in ending}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def plain_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process at once and silently: an exception amid the imports of NumPy or Qt crashes them."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
