"""`livetrack keys`: creates keys for encrypted access from other machines."""

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
    """Create a folder of keys, and print where they go."""
    generate_keys(args.folder)
    make_console().print(
        f"keys created in {args.folder}\n"
        "On this machine, in config.toml:\n"
        "  [publish]\n"
        f"  curve_keys = '{args.folder}'\n"
        "  address = 'tcp://*:5555'\n"
        "  preview_address = 'tcp://*:5556'\n"
        "  command_address = 'tcp://*:5557'\n"
        f"On the other machine: copy {args.folder / 'client'} there over a secure channel, then run\n"
        "  livetrack view tcp://HOST:5555 --keys FOLDER\n"
        f"or set the environment variable {ENVIRONMENT} to that folder.\n"
        f"For another client with a key of its own, add its public key to {args.folder / 'engine' / 'clients'}."
    )
    return 0
