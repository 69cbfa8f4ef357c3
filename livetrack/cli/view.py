"""`livetrack view`: the window on a running engine."""

from __future__ import annotations

import argparse

from livetrack.cli.arguments import add_address, add_overrides, new_file, positive
from livetrack.cli.inputs import load_command_config
from livetrack.cli.signals import default_sigint, end_on_eof
from livetrack.config import load_config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_address(parser)
    parser.add_argument("--seconds", type=positive, metavar="S", help="close after S seconds")
    parser.add_argument("--screenshot", type=new_file, metavar="PNG", help="save a screenshot before the window closes")
    parser.add_argument("--no-config", action="store_true", help="ignore config.toml in this folder")
    add_overrides(parser)
    parser.add_argument("--close-on-eof", action="store_true", help=argparse.SUPPRESS)  # for `WindowProcess`


def run(args: argparse.Namespace) -> int:
    """Open the window on an engine."""
    from livetrack import viewer

    config = load_config(None, args.overrides) if args.no_config else load_command_config(None, args.overrides)[0]
    if args.close_on_eof:
        end_on_eof()
    with default_sigint():
        return viewer.main(args.address, config.view, seconds=args.seconds, screenshot=args.screenshot)
