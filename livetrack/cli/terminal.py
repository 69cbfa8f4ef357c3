"""What commands tell: words on the terminal, figures as JSON for `--json FILE`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import Progress, ProgressColumn, TaskID

from livetrack.cli.signals import default_sigint, interruptible
from livetrack.errors import UsageError, reason

__all__ = ["ProgressBars", "make_console", "spinner", "warmup", "write_json"]

_FIRST_S = 2.0  # what is over sooner is not told where the output is no terminal
_LINE_S = 5.0  # between two lines there


def make_console(*, stderr: bool = True, wrap: bool = False) -> Console:
    """Return a console that prints text as it is, brackets too; with `wrap`, lines break at the terminal's width."""
    return _Console(stderr=stderr, markup=False, highlight=False, soft_wrap=not wrap)


@contextmanager
def spinner(console: Console, what: str) -> Iterator[Callable[[str], None]]:
    """Show `what` is being done while it is; yields what puts other words there.

    Where the output is no terminal: as a plain line after two seconds, and every five when the words have changed.
    """
    if console.is_terminal:
        with console.status(what) as status:
            yield status.update
        return
    over, words = threading.Event(), [what]

    def tell() -> None:
        told, wait_s = "", _FIRST_S
        while not over.wait(wait_s):
            if words[0] != told:
                told = words[0]
                console.print(told)
            wait_s = _LINE_S

    teller = threading.Thread(target=tell, name="livetrack-shown", daemon=True)
    teller.start()
    try:
        yield lambda text: words.__setitem__(0, text)
    finally:
        over.set()
        teller.join()


class ProgressBars(Progress):
    """Rich's bars of progress; where the output is no terminal, a plain line every five seconds instead."""

    def __init__(self, *columns: ProgressColumn, console: Console, transient: bool = False) -> None:
        super().__init__(*columns, console=console, transient=transient, disable=not console.is_terminal)
        self._told_s = time.monotonic()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """As `Progress.update`."""
        super().update(task_id, **changes)
        if not self.disable or time.monotonic() - self._told_s < _LINE_S:
            return
        self._told_s = time.monotonic()
        task = self.tasks[task_id]
        done = f"{task.completed:g}" if task.total is None else f"{task.percentage:.0f} %"
        self.console.print(f"{task.description}: {done}")


def write_json(path: Path | None, figures: Any) -> None:
    """Write `figures` (a struct, dict or list) to `path`, indented; nothing where `path` is None."""
    if path is None:
        return
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    except OSError as error:
        raise UsageError(f"--json {path}: cannot be written: {reason(error)}") from None


class _Console(Console):
    """A reader that has gone (`| head`) is `livetrack.cli.main`'s to deal with; rich would end with code 1."""

    def on_broken_pipe(self) -> None:
        raise  # the BrokenPipeError that rich calls this for


@contextmanager
def warmup(console: Console, what: str) -> Iterator[None]:
    """Show `what` is being done, and that kernels are compiled when they are; Ctrl-C is KeyboardInterrupt.

    While Numba compiles, an exception out of a signal's handler may come amid LLVM, and be lost there with half a
    kernel: then it is raised when the next of Numba's passes begins, a fraction of a second later.
    """
    with default_sigint():
        from numba.core.compiler_lock import global_compiler_lock
        from numba.core.event import Event, Listener, install_listener

    with interruptible(later=global_compiler_lock.is_locked) as stop, spinner(console, what) as show:

        class Passes(Listener):
            def on_start(self, event: Event) -> None:
                show(f"{what}; compiling, once for this machine: half a minute")
                if stop.is_set():
                    raise KeyboardInterrupt

            def on_end(self, event: Event) -> None:
                pass

        with install_listener("numba:run_pass", Passes()):
            yield
        if stop.is_set():
            raise KeyboardInterrupt
