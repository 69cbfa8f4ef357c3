"""Argument types and options that several commands share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livetrack.movies.selection import Selection

__all__ = [
    "add_address",
    "add_debug",
    "add_json",
    "add_overrides",
    "add_scales",
    "add_seconds",
    "add_selection",
    "add_timeout",
    "new_figure",
    "new_file",
    "not_negative",
    "positive",
    "positive_int",
    "selection",
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


def add_selection(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options that select a part of a movie, for `selection`; return their group."""
    group = parser.add_argument_group("part of the movie")
    group.add_argument("--channel", type=int, metavar="N", help="channel, from 0 (default: the only one, or grey)")
    group.add_argument("--position", type=int, metavar="N", help="field of view, from 0 (default: the only one)")
    group.add_argument(
        "--z", type=_plane, metavar="N|max|mean", help="plane of a depth stack, from 0, or a projection of all planes"
    )
    group.add_argument(
        "--axes",
        default="",
        metavar="LETTERS",
        help="what the axes are, where the file names them otherwise: T frames, Z planes, C channels, P positions; "
        "for example T for frames that are stored as channels",
    )
    group.add_argument(
        "--frames", type=_frames, metavar="A:B[:S]", help="frames from A to before B, every S-th (default: all)"
    )
    group.add_argument("--region", type=_region, metavar="X,Y,W,H", help="rectangle of the images, px (default: all)")
    return group


def selection(args: argparse.Namespace) -> Selection:
    """Return what was selected. Raises `InputError` for a number that is out of bounds."""
    from livetrack.movies.selection import FrameRange, Region, Selection  # imports NumPy

    return Selection(
        args.channel,
        args.position,
        args.z,
        args.axes.upper(),
        None if args.frames is None else FrameRange(*args.frames),
        None if args.region is None else Region(*args.region),
    )


def add_scales(parser: argparse.ArgumentParser) -> None:
    """Add `--pixel-size UM` and `--fps N` of a movie, None by default."""
    parser.add_argument(
        "--pixel-size",
        type=positive,
        metavar="UM",
        help="µm per pixel (default: calibration.pixel_size_um of the settings, or what the movie contains)",
    )
    parser.add_argument("--fps", type=positive, metavar="N", help="frames per second (default: the movie's times)")


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


def _plane(text: str) -> int | str:
    try:
        return text if text in ("max", "mean") else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, max or mean") from None


def _frames(text: str) -> tuple[int, int | None, int]:
    try:
        first, stop, *step = text.split(":")
        return int(first or 0), int(stop) if stop else None, *(map(int, step) if step else (1,))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of frames such as 0:100 or 0:100:2") from None


def _region(text: str) -> tuple[int, ...]:
    try:
        x, y, width, height = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rectangle X,Y,WIDTH,HEIGHT in px") from None
    return x, y, width, height


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
