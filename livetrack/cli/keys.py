"""`livetrack keys`: let other machines in, those that are meant."""

from __future__ import annotations

import argparse
from pathlib import Path

from livetrack.cli.terminal import make_console
from livetrack.curve_keys import ENVIRONMENT, generate_keys

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder to create")


def run(args: argparse.Namespace) -> int:
    """Make a folder of keys, and say what belongs where."""
    generate_keys(args.folder)
    make_console().print(
        f"keys made in {args.folder}\n"
        f"here, in config.toml: [publish] curve_keys = '{args.folder}', address = 'tcp://*:5555', so the other two\n"
        f"there: copy {args.folder / 'client'}, by a way that nobody listens to; then `livetrack view tcp://HOST:5555 "
        f"--keys FOLDER`, or set the environment variable {ENVIRONMENT} to that folder\n"
        f"to let in a second one by a key of its own, add its public key to {args.folder / 'engine' / 'clients'}"
    )
    return 0
