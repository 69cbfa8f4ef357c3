"""`livetrack halt`: the emergency stop."""

from __future__ import annotations

import argparse

from livetrack.cli.arguments import add_address
from livetrack.client import Remote
from livetrack.errors import CommandError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--allow", action="store_true", help="allow moves again")
    add_address(parser)


def run(args: argparse.Namespace) -> int:
    """Stop all actuators of a running engine, or allow moves again."""
    with Remote(args.address) as remote:
        if args.allow:
            remote.allow_moves()
            print("moves are allowed again; programs that were moving an actuator must be started again")
            return 0
        result = remote.halt()
    stopped = ", ".join(result.stopped) or "no actuator"
    print(f"motion is halted (stopped: {stopped}); `livetrack halt --allow` allows moves again")
    if result.failed:
        reasons = "; ".join(f"{name}: {why}" for name, why in result.failed.items())
        raise CommandError(f"not all actuators have stopped: {reasons}")
    return 0
