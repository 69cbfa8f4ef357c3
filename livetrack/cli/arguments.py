"""Argument types and options that several commands share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

__all__ = [
    "add_address",
    "add_channel",
    "add_debug",
    "add_json",
    "add_overrides",
    "add_seconds",
    "add_timeout",
    "new_figure",
    "new_file",
    "not_negative",
    "positive",
    "positive_int",
]


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add `--debug`, absent by default: a subcommand's default would undo what the command was given."""
    parser.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json FILE`, for `write_json`."""
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write the results to FILE as JSON")


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add `--set`, a list in `overrides`."""
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="override a setting; may be repeated",
    )


def add_seconds(parser: argparse.ArgumentParser) -> None:
    """Add `--seconds S`, None by default."""
    parser.add_argument("--seconds", type=positive, metavar="S", help="stop after S seconds")


def add_channel(parser: argparse.ArgumentParser) -> None:
    """Add `--channel N` of a movie."""
    parser.add_argument(
        "--channel", type=int, metavar="N", help="channel of the movie, from 0 (default: the only one, or grey)"
    )


def add_address(parser: argparse.ArgumentParser, name: str = "address") -> None:
    """Add the engine's address, as an argument or, called `--address`, as an option; and `--keys`."""
    from livetrack.client import DEFAULT_ADDRESS  # imports NumPy; many commands have no address

    count = None if name.startswith("-") else "?"
    parser.add_argument(name, nargs=count, default=DEFAULT_ADDRESS, help="the engine's address (default: %(default)s)")
    parser.add_argument(
        "--keys", metavar="FOLDER", help="folder with this client's keys (encrypted engines only, see `livetrack keys`)"
    )


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Add `--timeout S` of a stream of messages."""
    parser.add_argument(
        "--timeout",
        type=positive,
        metavar="S",
        default=10.0,
        help="give up after S seconds without a message (default: %(default)s)",
    )


def positive(text: str) -> float:
    """Return a finite number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def not_negative(text: str) -> float:
    """Return a finite number from zero."""
    return 0.0 if text.strip() in ("0", "0.0") else positive(text)


def positive_int(text: str) -> int:
    """Return a whole number above zero."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return value


def new_file(text: str) -> Path:
    """Return a path to write to, whose folder exists: better refused now than after an hour's work."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}; create it first")
    return path


def new_figure(text: str) -> Path:
    """Return a path that a figure can be written to."""
    path = new_file(text)
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(f"{path}: the name must end in .png, .svg or .pdf")
    return path
