"""`livetrack run` in a process of its own, with a fault that is injected below livetrack."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from live_engine import ANY_PORT
from waiting import wait_for

__all__ = ["Run", "livetrack", "running_process"]

SMALL = [f"camera.simulated.{each}" for each in ("width=96", "height=64", "count=3", "exposure_ms=2.0", "fps=100.0")]
_MAIN = "\nimport sys\nfrom livetrack.cli import main\nsys.exit(main(sys.argv[1:]))\n"
_QUIET = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "QT_QPA_PLATFORM": "offscreen", "COLUMNS": "200"}


class Run:
    """A running session in another process."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def address(self) -> str:
        """Wait until it is ready; return the address of its positions."""

        def found() -> re.Match[str] | None:
            assert self.process.poll() is None, self.text
            return re.search(r"positions at (tcp://\S+)", self.text)

        return wait_for(found, timeout_s=240.0)[1]  # type: ignore[index]

    def end(self) -> int:
        """End it as Ctrl-C does; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    @property
    def last_line(self) -> str:
        """The last line that it has printed."""
        return self.text.splitlines()[-1]


@contextmanager
def running_process(folder: Path, *settings: str, fault: str = "", record: Path | None = None) -> Iterator[Run]:
    """Yield a session on a small simulated camera; `fault` is code that is run first in its process."""
    options = [f"--set={each}" for each in [*ANY_PORT, *SMALL, *settings]]
    options += [] if record is None else [f"--record={record}"]
    output = folder / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", fault + _MAIN, "run", "--headless", *options],
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=os.environ | _QUIET,
        )
        try:
            yield Run(process, output)
        finally:
            process.kill()
            process.wait()


def livetrack(folder: Path, *arguments: str | Path) -> tuple[int, str]:
    """Run a command in a process of its own in `folder`; return its exit code and its output."""
    result = subprocess.run(
        [sys.executable, "-m", "livetrack", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=os.environ | _QUIET,
        timeout=240,
        check=False,
    )
    return result.returncode, result.stdout.decode(errors="replace")
