"""The window of a live session, as a process."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

from msgspec import structs
from rich.console import Console

from livetrack.config import ViewSettings
from livetrack.toml_file import assignment
from livetrack.wire import Status

__all__ = ["WindowProcess"]

_CLOSING_S = 3.0


class WindowProcess:
    """`livetrack view` on the engine at `address`; closing or crashing it does not affect tracking.

    It ends with the `with` block, and also when this process is killed: its standard input is a pipe from here, and it
    closes at the end of file. Ctrl-C in the terminal does not reach it, as Qt would crash on it while loading.
    """

    def __init__(self, address: str, view: ViewSettings, console: Console) -> None:
        self._address = address
        self._console = console
        settings = ["--set=" + assignment(f"view.{key}", value) for key, value in structs.asdict(view).items()]
        command = [sys.executable, "-m", "livetrack", "view", address, "--no-config", "--close-on-eof", *settings]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, **_isolation())
        self._open = True

    def on_status(self, _: Status) -> None:
        """Print once that the window has ended, and how; for `Engine.run(on_status=...)`."""
        if self._open and (code := self._process.poll()) is not None:
            self._open = False
            self._console.print(
                f"{_ending(code)}; tracking continues (Ctrl-C stops). To reopen: livetrack view {self._address}"
            )

    def __enter__(self) -> WindowProcess:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(_CLOSING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _ending(code: int) -> str:
    """Return how the window's process ended."""
    if code == 0:
        return "window closed"
    if code < 0:  # a signal, on POSIX
        return f"the window was killed by {_signal_name(-code)}"
    return f"the window ended with exit code {code if code < 256 else hex(code)}"  # Windows: 0xc0000005 and such


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _isolation() -> dict[str, Any]:
    """Return options of a process that this terminal's Ctrl-C does not reach; on Windows also of lower priority."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS}
    return {"start_new_session": True}
