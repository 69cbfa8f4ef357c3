"""The window's process as the engine's process sees it: opened, looked after, and ended with the session."""

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

_PATIENCE_S = 3.0


class WindowProcess:
    """`livetrack view` on the engine at `address`; nothing that happens to it touches the engine.

    The terminal's Ctrl-C does not reach it, which Qt would not survive while it loads. It ends when the `with` block is
    left, and when this process dies: its standard input is a pipe from here, at whose end the window closes.
    """

    def __init__(self, address: str, view: ViewSettings, console: Console) -> None:
        self._address = address
        self._console = console
        settings = ["--set=" + assignment(f"view.{key}", value) for key, value in structs.asdict(view).items()]
        command = [sys.executable, "-m", "livetrack", "view", address, "--no-config", "--close-on-eof", *settings]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, **_apart())
        self._open = True

    def on_status(self, _: Status) -> None:
        """Tell once when the window has gone, and how; for `Engine.run(on_status=...)`."""
        if self._open and (code := self._process.poll()) is not None:
            self._open = False
            self._console.print(
                f"{_how(code)}; tracking goes on: Ctrl-C ends it, `livetrack view {self._address}` opens a window again"
            )

    def __enter__(self) -> WindowProcess:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _how(code: int) -> str:
    """Say how the window's process has ended: by its user, or not."""
    if code == 0:
        return "window closed"
    if code < 0:  # POSIX's way to tell a signal
        return f"the window was killed by {_name(-code)}"
    return f"the window ended with exit code {code if code < 256 else hex(code)}"  # Windows: 0xc0000005 and such


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _apart() -> dict[str, Any]:
    """Return what starts a process out of reach of this terminal's Ctrl-C, and on Windows behind the engine."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS}
    return {"start_new_session": True}
