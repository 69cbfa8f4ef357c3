"""`livetrack run`: tracks the camera of the settings."""

from __future__ import annotations

import argparse
from pathlib import Path

from livetrack.cli.inputs import load_command_config
from livetrack.cli.live import add_session_options, run_session, session_overrides
from livetrack.cli.terminal import make_console

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "config",
        nargs="?",
        type=Path,
        help="settings file, .toml (default: config.toml in this folder, or else the default settings)",
    )
    add_session_options(parser)


def run(args: argparse.Namespace) -> int:
    """Track the camera of the settings."""
    config, name = load_command_config(args.config, session_overrides(args))
    make_console().print(f"settings: {name}")
    return run_session(config, args)
