"""The `livetrack` command line.

A command is a module `livetrack.cli.NAME` with `add_arguments(parser)` and `run(args)`, which returns the exit code,
and a line in `COMMANDS`. Only the module of the chosen command is imported, so `livetrack --help` is quick.

Exit codes: 0 success, 1 failure, 2 wrong usage or settings, 130 interrupted by Ctrl-C before there was a result.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from livetrack import __version__
from livetrack.cli.arguments import add_debug
from livetrack.cli.signals import default_sigint
from livetrack.errors import LivetrackError, reason

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "demo": "track a simulated microscope; needs no hardware",
    "run": "track the camera live, with the window",
    "view": "open a window on a running engine",
    "listen": "print the positions of a running engine",
    "bridge": "forward positions as text over UDP, for MATLAB and LabVIEW",
    "keys": "create keys for encrypted access from other machines",
    "calibrate": "measure how the image moves with the stage, galvo or trap",
    "follow": "keep a particle in place by moving the stage",
    "trap": "hold or steer a particle with feedback on every frame",
    "reload": "initialise all devices of the microscope again, after a question",
    "halt": "stop all motion at once, and refuse moves until they are allowed again",
    "track": "find and link the particles of a movie or a recorded session",
    "play": "show a movie or a recorded session with its tracks, or write it as a video",
    "recover": "complete a recorded session whose recorder was killed, and report what is missing",
    "export": "write the frames of a recorded session as OME-TIFF",
    "check": "inspect a movie or a recorded session, or test the settings of a live session",
    "train": "train a model from a recipe (needs livetrack[train])",
    "learn": "train a model of one particle of a running session (needs livetrack[train])",
    "bench": "benchmark livetrack against other trackers (needs livetrack[bench])",
    "models": "list the available models",
    "cameras": "list the camera drivers and their settings",
}
"""The commands, in the order of `livetrack --help`, with their help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        with default_sigint():
            parser = _parser(arguments)
        _check_encoding(parser, arguments)
        return _run(parser.parse_args(arguments))
    except KeyboardInterrupt:
        return 130


class _Parser(argparse.ArgumentParser):
    """Parser that gives a hint where the shell has replaced a pattern by the names of files."""

    given: Sequence[str] = ()
    """The arguments to parse."""

    def error(self, message: str) -> NoReturn:
        files = [Path(argument) for argument in self.given if Path(argument).is_file()]
        if message.startswith("unrecognized arguments: ") and len(files) > 1:
            message = (
                f"one movie is needed, and {len(files)} files were given, as a shell makes of a pattern: put the "
                f'pattern in quotation marks, such as "{files[0].with_name("*" + files[0].suffix)}", or give the folder'
            )
        super().error(message)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser of all commands' names, and of the chosen command's arguments."""
    parser = _Parser(
        prog="livetrack", description="Real-time particle tracking inside the acquisition loop of a live microscope."
    )
    parser.given = arguments
    parser.add_argument("--version", action="version", version=f"livetrack {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        if name == chosen:
            module = import_module(f"livetrack.cli.{name}")
            module.add_arguments(command)
            add_debug(command)
            command.set_defaults(run=module.run, debug=False)
    return parser


def _check_encoding(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Reject names that are not UTF-8, as JSON, tables and messages are."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            parser.error(f"{argument!a} is not valid UTF-8; rename the file or folder")


def _run(args: argparse.Namespace) -> int:
    if getattr(args, "keys", None):
        os.environ["LIVETRACK_KEYS"] = args.keys  # for this process, and the window's
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        _discard_failed_output()
        return 0
    except (LivetrackError, OSError) as error:
        if args.debug:
            raise
        print(f"livetrack: {_message(error)}", file=sys.stderr)
        return error.exit_code if isinstance(error, LivetrackError) else 1


def _message(error: LivetrackError | OSError) -> str:
    if isinstance(error, LivetrackError):
        return str(error)
    if _discard_failed_output():
        return f"cannot write the output: {reason(error)}"
    return f"{error.filename}: {reason(error)}" if error.filename else reason(error)


def _discard_failed_output() -> bool:
    """Return whether standard output fails; if so discard what is buffered, or Python would complain at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
