"""`livetrack recover`: completes a recorded session whose recorder was killed, and reports what is missing."""

from __future__ import annotations

import argparse
from pathlib import Path

from livetrack.cli.arguments import add_json
from livetrack.cli.inputs import require_folder
from livetrack.cli.recording import print_account, read_recording
from livetrack.cli.terminal import make_console, spinner

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("session", type=Path, help="folder of a recorded session")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Read all files of a session, complete it, and print what it has and what is missing."""
    folder: Path = args.session
    require_folder(folder)
    inventory = read_recording(folder)
    from livetrack.record.recovery import recover

    with spinner(make_console(), f"completing {folder}"):
        account = recover(inventory)
    return print_account(folder, account, args.json)
