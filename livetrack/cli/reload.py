"""`livetrack reload`: initialises all devices of the microscope again, as nothing else does."""

from __future__ import annotations

import argparse

from livetrack.cli.arguments import add_address
from livetrack.client import Remote

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--yes", action="store_true", help="do it without the question")
    add_address(parser)


def run(args: argparse.Namespace) -> int:
    """Print what a reload does to each device, ask, and do it."""
    with Remote(args.address) as remote:
        print("A reload initialises every device of the microscope:")
        for line in remote.reload_devices():
            print(f"- {line}")
        if not args.yes and not _agreed():
            print("nothing was done")
            return 1
        remote.reload_devices(confirm=True)
    print("all devices were initialised again")
    return 0


def _agreed() -> bool:
    try:
        return input("Type yes to do it: ").strip().lower() == "yes"
    except EOFError:  # nobody can answer
        return False
