"""What commands tell: words on the terminal, figures as JSON for `--json FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from livetrack.errors import UsageError, reason

__all__ = ["terminal", "write_json"]


def terminal(*, stderr: bool = True, fold: bool = False) -> Console:
    """Return a console that prints text as it is, brackets and all; with `fold`, in lines of the terminal's width."""
    return _Terminal(stderr=stderr, markup=False, highlight=False, soft_wrap=not fold)


def write_json(path: Path | None, figures: Any) -> None:
    """Write `figures` (a struct, dict or list) to `path`, indented; nothing where `path` is None."""
    if path is None:
        return
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    except OSError as error:
        raise UsageError(f"--json {path}: cannot be written: {reason(error)}") from None


class _Terminal(Console):
    """A reader that has gone (`| head`) is `livetrack.cli.main`'s to deal with; rich would end with code 1."""

    def on_broken_pipe(self) -> None:
        raise  # the BrokenPipeError that rich calls this for
