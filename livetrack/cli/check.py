"""`livetrack check`: inspects a movie and suggests settings, or tests the settings of a live session."""

from __future__ import annotations

import argparse
from pathlib import Path

from livetrack.cli.arguments import add_json, add_overrides, add_selection, new_file, positive, selection
from livetrack.cli.inputs import load_command_config, recording_hints
from livetrack.cli.recording import print_account, read_recording
from livetrack.cli.terminal import make_console, warmup, write_json
from livetrack.errors import UsageError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "target", nargs="?", type=Path, help="a movie, a recorded session, or a settings file (default: as for `run`)"
    )
    parser.add_argument(
        "--picture",
        type=new_file,
        metavar="PNG",
        help="annotated image to write (default: NAME-check.png, in the folder that contains the movie)",
    )
    parser.add_argument(
        "--seconds", type=positive, metavar="S", help="run the camera for S seconds (default: 5, or two exposures)"
    )
    add_overrides(parser)
    add_json(parser)
    add_selection(parser)


def run(args: argparse.Namespace) -> int:
    """Check a movie or a recorded session; or, for a settings file, its devices, its camera and its model."""
    from livetrack.record.inventory import is_session

    if args.target is None or args.target.suffix.lower() == ".toml":
        return _check_settings(args)
    if args.target.is_dir() and is_session(args.target):
        return _check_recording(args.target, args)
    with recording_hints(args.target):
        return _check_movie(args.target, args)


def _check_movie(movie: Path, args: argparse.Namespace) -> int:
    from livetrack.check import check_movie, report_text

    if args.overrides or args.seconds:
        option = "--set" if args.overrides else "--seconds"
        raise UsageError(f"{option} applies to the check of a settings file; a movie is checked without settings")
    picture = args.picture or _movie_picture(movie)
    with warmup(make_console(), "checking frames from the beginning to the end"):
        report = check_movie(movie, picture, selection=selection(args))
    console = make_console(stderr=False)
    console.print(report_text(report))
    if picture is None:
        console.print("no annotated image: neither its folder nor this one can be written; name a file: --picture PNG")
    write_json(args.json, report)
    return 0


def _check_recording(folder: Path, args: argparse.Namespace) -> int:
    """Report what a recorded session has and what is missing; change nothing."""
    if args.overrides or args.seconds or args.picture or selection(args).options:
        raise UsageError(f"{folder} is a recorded session, which is checked without options but --json")
    inventory = read_recording(folder)
    from livetrack.record.account import account_for

    return print_account(inventory, account_for(inventory), args.json)


def _check_settings(args: argparse.Namespace) -> int:
    from livetrack.check.lines import Grade
    from livetrack.check.session import check_session, session_text

    config, name = load_command_config(args.target, args.overrides)
    name_of_file = "config" if args.target is None else args.target.stem
    played = Path(config.driver_settings.path) if config.camera.driver == "movie" else None
    picture = args.picture or _default_picture(name_of_file, played)
    with warmup(make_console(), "testing devices, camera and model"):
        report = check_session(config, name, picture, seconds=args.seconds)
    console = make_console(stderr=False)
    console.print(session_text(report, console.width if console.is_terminal else None))
    write_json(args.json, report)
    first = next((line for line in report.lines if line.grade is Grade.FAULT), None)
    if first is not None:
        subject = "" if first.text.startswith(first.subject) else first.subject
        raise UsageError(": ".join(filter(None, (subject, first.text, first.advice))))
    return 0


def _default_picture(name: str, movie: Path | None) -> Path | None:
    """Return a file in the current folder; None if it would become an image of `movie`."""
    from livetrack.check.annotated_image import is_inside_movie

    picture = Path(f"{name}-check.png")
    return None if movie is not None and is_inside_movie(picture, movie) else picture


def _movie_picture(movie: Path) -> Path | None:
    """Return NAME-check.png in the folder that contains the movie, or else in this one; None if neither can be written.

    No reader of folders takes it for data.
    """
    from livetrack.check.annotated_image import is_inside_movie
    from livetrack.check.command import movie_name

    folder = movie.parent if movie.name not in ("", "..") else movie.resolve().parent
    name = f"{movie_name(movie)}-check.png"
    places = [place / name for place in (folder, Path()) if not is_inside_movie(place / name, movie)]
    return next((place for place in places if _can_write(place)), None)


def _can_write(file: Path) -> bool:
    new = not file.exists()
    try:
        with file.open("ab"):
            pass
        if new:
            file.unlink()
    except OSError:
        return False
    return True
