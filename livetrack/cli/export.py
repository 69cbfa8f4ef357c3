"""`livetrack export`: writes the frames of a recorded session as OME-TIFF."""

from __future__ import annotations

import argparse
from pathlib import Path

from livetrack.cli.arguments import new_file
from livetrack.cli.inputs import require_folder
from livetrack.cli.terminal import make_console, spinner
from livetrack.errors import UsageError

__all__ = ["add_arguments", "run"]

_SUFFIXES = (".ome.tif", ".ome.tiff")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("session", type=Path, help="folder of a recorded session")
    parser.add_argument("-o", "--output", type=new_file, required=True, help="file to write, .ome.tif")


def run(args: argparse.Namespace) -> int:
    """Write the file; print what it contains."""
    from livetrack.record import read_session
    from livetrack.record.ome_tiff import write_ome_tiff

    folder, output = args.session, args.output
    if not output.name.endswith(_SUFFIXES):
        raise UsageError(f"{output}: unsupported output format; the name must end in {' or '.join(_SUFFIXES)}")
    require_folder(folder)
    session = read_session(folder)
    if output.resolve().parent == folder.resolve():
        raise UsageError(f"{output}: is inside the recorded session, which is left as it is; name a file elsewhere")
    console = make_console()
    frames = 0

    def advance(done: int, total: int) -> None:
        nonlocal frames
        frames = done
        show(f"writing {output}: {done / total:.0%}")

    with spinner(console, f"reading {folder}") as show:
        images = write_ome_tiff(session, output, advance)
    console.print(f"{frames} frames in {images} image{'s' if images > 1 else ''}; {output}")
    if session.problem:
        console.print(f"incomplete: {folder}: {session.problem}")
    return 0
