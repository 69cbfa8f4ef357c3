"""Warming up: told while it lasts, and broken off by Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from livetrack.cli.output import shown
from livetrack.cli.signals import broken_off_by_signals, plain_ctrl_c

__all__ = ["warming_up"]


@contextmanager
def warming_up(console: Console, what: str) -> Iterator[None]:
    """Show `what` is being done, and that kernels are compiled when they are; Ctrl-C is KeyboardInterrupt.

    While Numba compiles, an exception out of a signal's handler may come amid LLVM, and be lost there with half a
    kernel: then it is raised when the next of Numba's passes begins, a fraction of a second later.
    """
    with plain_ctrl_c():
        from numba.core.compiler_lock import global_compiler_lock
        from numba.core.event import Event, Listener, install_listener

    with broken_off_by_signals(later=global_compiler_lock.is_locked) as stop, shown(console, what) as show:

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
