"""Ends the processes that tests start when the test run ends, in whatever way: nothing outlives it.

Every process that `subprocess` starts, and every one that has ended, is reported to a guardian process, which Ctrl-C in
this terminal does not reach. When the guardian's standard input ends, because the test run has ended or was killed, it
kills the processes that still run.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
from typing import Any

__all__ = ["guard", "running"]

_running: set[int] = set()

_GUARDIAN = """
import os, signal, sys
running = set()
for line in sys.stdin:
    pid = int(line)
    running.add(pid) if pid > 0 else running.discard(-pid)
for pid in running:
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        pass
"""


def running() -> set[int]:
    """Return the processes that `subprocess` has started since `guard`, and that are not known to have ended."""
    return set(_running)


def guard() -> None:
    """Start the guardian, and report to it what `subprocess.Popen` starts from now on."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    guardian = subprocess.Popen([sys.executable, "-I", "-S", "-c", _GUARDIAN], stdin=subprocess.PIPE, **apart)
    atexit.register(guardian.communicate)
    pipe = guardian.stdin
    assert pipe is not None

    def report(pid: int) -> None:
        _running.add(pid) if pid > 0 else _running.discard(-pid)
        with contextlib.suppress(ValueError):  # closed: Python is about to exit
            os.write(pipe.fileno(), f"{pid}\n".encode())

    class GuardedPopen(subprocess.Popen[Any]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            report(self.pid)

        @property
        def returncode(self) -> Any:
            return self._returncode

        @returncode.setter
        def returncode(self, code: int | None) -> None:
            self._returncode = code
            if code is not None:
                report(-self.pid)

    subprocess.Popen = GuardedPopen  # type: ignore[misc]
