"""`livetrack recover`: completes a recorded session whose recorder was killed, and reports what is missing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livetrack.cli.arguments import add_json
from livetrack.cli.inputs import require_folder
from livetrack.cli.recording import print_account, read_recording
from livetrack.cli.terminal import make_console, spinner
from livetrack.config import RecordSettings
from livetrack.errors import LivetrackError

if TYPE_CHECKING:
    from livetrack.record.inventory import Inventory

__all__ = ["add_arguments", "run"]

_FORMATS = ("parquet", "csv", "feather", "trackmate", "trackpy", "napari")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("session", type=Path, help="folder of a recorded session")
    parser.add_argument(
        "--tables",
        type=_formats,
        metavar="FORMATS",
        help=f"write these tables of the tracks: {', '.join(_FORMATS)}, separated by commas (default: those of "
        "record.tables that are missing)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Read all files of a session, complete it, and print what it has and what is missing."""
    folder: Path = args.session
    require_folder(folder)
    inventory = read_recording(folder)
    from livetrack.record.recovery import recover

    with spinner(make_console(), f"completing {folder}"):
        account = recover(inventory)
    code = print_account(inventory, account, args.json)
    _write_tables(inventory, args.tables)
    return code


def _write_tables(inventory: Inventory, requested: list[str] | None) -> None:
    from livetrack.record.tables import MAX_BYTES, TABLE_FILES, write_tables

    folder, rows = inventory.folder, max(int(inventory.rows.sum()), 1)
    formats = requested or [name for name in _set_formats(inventory.info) if not (folder / TABLE_FILES[name]).exists()]
    console = make_console()
    with spinner(console, f"writing tables into {folder}") as show:
        try:
            write_tables(
                folder,
                formats,
                max_bytes=None if requested else MAX_BYTES,
                progress=lambda name, done: show(f"writing {name}: {done / rows:.0%}"),
            )
        except LivetrackError as error:
            if requested:
                raise
            console.print(f"{error}; use --tables {','.join(formats)}")


def _set_formats(info: dict[str, Any]) -> list[str]:
    """Return the formats that the recording's settings name; the default if it has no settings."""
    try:
        names = info["settings"]["record"]["tables"]
    except (KeyError, TypeError):
        names = RecordSettings().tables
    return [name for name in _FORMATS if isinstance(names, list | tuple) and name in names]


def _formats(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in _FORMATS]:
        raise argparse.ArgumentTypeError(f"unknown format {unknown[0]!r}; there are {', '.join(_FORMATS)}")
    return names
