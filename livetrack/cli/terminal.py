"""Output of the commands: text and progress on the terminal, results as JSON."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from livetrack.cli.signals import default_sigint, interruptible
from livetrack.errors import UsageError, reason
from livetrack.whole_file import write_whole

__all__ = ["ProgressBars", "frame_progress", "make_console", "spinner", "warmup", "write_json"]

# where the output is not a terminal
_FIRST_LINE_S = 2.0  # shorter work prints nothing
_LINE_INTERVAL_S = 5.0


def make_console(*, stderr: bool = True, wrap: bool = False) -> Console:
    """Return a console that prints text as it is, brackets too; with `wrap`, lines break at the terminal's width."""
    return _Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=not wrap)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise  # the BrokenPipeError: `livetrack.cli.main` handles it, where rich would exit with code 1


@contextmanager
def spinner(console: Console, text: str) -> Iterator[Callable[[str], None]]:
    """Show `text` while the block runs; yields a function that replaces it.

    Where the output is not a terminal, print the text as a line after two seconds, and every five if it has changed.
    """
    if console.is_terminal:
        with console.status(text) as status:
            yield status.update
        return
    finished, newest = threading.Event(), [text]

    def print_lines() -> None:
        printed, wait_s = "", _FIRST_LINE_S
        while not finished.wait(wait_s):
            if newest[0] != printed:
                printed = newest[0]
                console.print(printed)
            wait_s = _LINE_INTERVAL_S

    thread = threading.Thread(target=print_lines, name="livetrack-spinner", daemon=True)
    thread.start()
    try:
        yield lambda text: newest.__setitem__(0, text)
    finally:
        finished.set()
        thread.join()


class ProgressBars(Progress):
    """Rich's progress bars; where the output is not a terminal, a plain line every five seconds."""

    def __init__(self, *columns: ProgressColumn, console: Console, transient: bool = False) -> None:
        super().__init__(*columns, console=console, transient=transient, disable=not console.is_terminal)
        self._printed_s = time.monotonic()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """As `Progress.update`."""
        super().update(task_id, **changes)
        if not self.disable or time.monotonic() - self._printed_s < _LINE_INTERVAL_S:
            return
        self._printed_s = time.monotonic()
        task = self.tasks[task_id]
        done = f"{task.completed:g}" if task.total is None else f"{task.percentage:.0f} %"
        self.console.print(f"{task.description}: {done}")


def frame_progress(console: Console) -> ProgressBars:
    """Return the progress bar of the frames of a movie."""
    return ProgressBars(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )


@contextmanager
def warmup(console: Console, text: str) -> Iterator[None]:
    """Show `text` while the block runs, and whether kernels are being compiled; Ctrl-C raises KeyboardInterrupt.

    An exception raised by a signal handler while LLVM compiles can be lost there, and leave half a kernel. During
    compilation it is therefore raised at the start of Numba's next pass, a fraction of a second later.
    """
    with default_sigint():
        from numba.core.compiler_lock import global_compiler_lock

        from livetrack.jit import at_compiler_passes, compiles_at_each_start

    with interruptible(later=global_compiler_lock.is_locked) as stop, spinner(console, text) as show:

        def begin() -> None:
            often = "as at each start" if compiles_at_each_start() else "once on this machine"
            show(f"{text}; compiling, {often}: half a minute")
            if stop.is_set():
                raise KeyboardInterrupt

        with at_compiler_passes(begin):
            yield
        if stop.is_set():
            raise KeyboardInterrupt


def write_json(path: Path | None, results: Any) -> None:
    """Write `results` (a struct, dict or list) to `path`, indented; do nothing if `path` is None.

    Raises
    ------
    UsageError
        The file cannot be written.
    """
    if path is None:
        return
    try:
        write_whole(path, msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    except OSError as error:
        raise UsageError(f"--json {path}: cannot be written: {reason(error)}") from None
