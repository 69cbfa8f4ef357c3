"""Reading a recorded session in full, and printing what it has and what is missing, for `check` and `recover`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import to_builtins

from livetrack.cli.signals import default_sigint
from livetrack.cli.terminal import make_console, spinner, write_json

if TYPE_CHECKING:
    from livetrack.record.account import Account
    from livetrack.record.inventory import Inventory

__all__ = ["print_account", "read_recording"]


def read_recording(folder: Path) -> Inventory:
    """Read and verify all files of a session, with progress."""
    with default_sigint():
        from livetrack.record.inventory import take_inventory

    with spinner(make_console(), f"reading {folder}") as show:
        return take_inventory(folder, lambda done, size: show(f"reading {folder}: {done / max(size, 1):.0%}"))


def print_account(inventory: Inventory, account: Account, json: Path | None) -> int:
    """Print the account and what else is recorded; return the exit code: 1 if something is missing.

    `json`: a file to write the account to.
    """
    from livetrack.record.account_text import account_lines

    console = make_console(stderr=False)
    for line in [*account_lines(account), *inventory.events]:
        console.print(line)
    write_json(json, {"session": str(inventory.folder), "complete": account.complete, **to_builtins(account)})
    return 0 if account.complete else 1
