"""The command line: what there is to type, and how an error is told.

Each command lives in a module of its own and is imported when it is called, so that `livetrack --help` is quick.
Exit codes: 0 fine, 1 failure, 2 usage or settings, 130 stopped by Ctrl-C before there was anything to finish.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from livetrack import __version__
from livetrack.cli.signals import default_sigint
from livetrack.errors import LivetrackError, reason

__all__ = ["main"]

_ACCURACY_PARTS = "spot, bead, light, size, detection, empty, density, training, recording, speed (all)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        with default_sigint():
            parser = _parser()
        _check_text(parser, sys.argv[1:] if argv is None else argv)
        return _run(parser.parse_args(argv))
    except KeyboardInterrupt:
        return 130


def _check_text(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Refuse names that cannot be written down: JSON, tables and messages are in UTF-8."""
    for argument in argv:
        try:
            argument.encode()
        except UnicodeEncodeError:
            parser.error(f"{argument!a} is no text in UTF-8: rename it, and the folders that it is in")


def _run(args: argparse.Namespace) -> int:
    try:
        code = _call(args.command, args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our output, as `head`, has gone
        _output_fails()
        return 0
    except (LivetrackError, OSError) as error:
        if args.debug:
            raise
        print(f"livetrack: {_words(error)}", file=sys.stderr)
        return error.exit_code if isinstance(error, LivetrackError) else 1


def _words(error: LivetrackError | OSError) -> str:
    if isinstance(error, LivetrackError):
        return str(error)
    if _output_fails():
        return f"the output cannot be written: {reason(error)}"
    return f"{error.filename}: {reason(error)}" if error.filename else reason(error)


def _output_fails() -> bool:
    """Whether standard output takes no more; if so let go of what is left, or Python would complain at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _call(command: str, args: argparse.Namespace) -> int:
    """Import `livetrack.cli.MODULE` and call its function, both named in `command` as `module:function`."""
    module, function = command.split(":")
    if getattr(args, "keys", None):
        os.environ["LIVETRACK_KEYS"] = args.keys  # for this process, and the window's
    with default_sigint():
        call: Callable[[argparse.Namespace], int] = getattr(import_module(f"livetrack.cli.{module}"), function)
    return call(args)


def _parser() -> argparse.ArgumentParser:
    from livetrack.client import DEFAULT_ADDRESS  # here: it brings NumPy, and Ctrl-C may come meanwhile

    parser = argparse.ArgumentParser(
        prog="livetrack", description="Real-time particle tracking inside the acquisition loop of a live microscope."
    )
    parser.add_argument("--version", action="version", version=f"livetrack {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, target: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        sub.set_defaults(command=target)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return sub

    demo = command("demo", "live:demo", "track a simulated microscope: no hardware needed")
    demo.add_argument("--trap", action="store_true", help="with a bead in an optical trap, among free ones")
    _session_options(demo)
    run = command("run", "live:run", "track the camera of the settings, with the window")
    run.add_argument("config", nargs="?", type=Path, help="settings (default: config.toml here, else the defaults)")
    _session_options(run)

    view = command("view", "live:view", "open a window on a running engine")
    view.add_argument("address", nargs="?", default=DEFAULT_ADDRESS, help="the engine's address (%(default)s)")
    view.add_argument("--seconds", type=_positive, metavar="S", help="close after so long")
    view.add_argument(
        "--screenshot", type=_new_file, metavar="PNG", help="save a picture of the window before it closes"
    )
    _keys_option(view)
    view.add_argument("--no-config", action="store_true", help="leave the config.toml of this folder unread")
    _setting_option(view)

    listen = command("listen", "listen:listen", "print the positions of a running engine")
    listen.add_argument("address", nargs="?", default=DEFAULT_ADDRESS, help="the engine's address (%(default)s)")
    listen.add_argument("--newest", action="store_true", help="only the newest frame, as a control loop reads")
    shown = listen.add_mutually_exclusive_group()
    shown.add_argument("--csv", action="store_true", help="every particle as a line of CSV")
    shown.add_argument("--quiet", action="store_true", help="only the summary")
    shown.add_argument(
        "--trap", action="store_true", help="stiffness and diffusion of the target, or of the particle in the middle"
    )
    listen.add_argument("--seconds", type=_positive, metavar="S", help="stop after so long")
    listen.add_argument(
        "--timeout",
        type=_positive,
        metavar="S",
        default=10.0,
        help="give up without a message for so long (%(default)s s)",
    )
    _keys_option(listen)
    _json_option(listen)

    bridge = command("bridge", "bridge:bridge", "send the positions on as text over UDP, for MATLAB and LabVIEW")
    bridge.add_argument("address", nargs="?", default=DEFAULT_ADDRESS, help="the engine's address (%(default)s)")
    bridge.add_argument(
        "--to", metavar="HOST:PORT", default="127.0.0.1:5560", help="where the datagrams go (%(default)s)"
    )
    bridge.add_argument("--target", action="store_true", help="only the particle that was chosen as target")
    bridge.add_argument("--seconds", type=_positive, metavar="S", help="stop after so long")
    bridge.add_argument(
        "--timeout",
        type=_positive,
        metavar="S",
        default=10.0,
        help="give up without a message for so long (%(default)s s)",
    )
    _keys_option(bridge)

    keys = command("keys", "keys:keys", "make keys with which other machines are let in")
    keys.add_argument("folder", type=Path, metavar="FOLDER", help="to be made")

    calibrate = command("calibrate", "calibrate:calibrate", "measure how the picture answers stage, galvo or trap")
    calibrate.add_argument("actuator", nargs="?", default="stage", help="what is moved (%(default)s)")
    calibrate.add_argument(
        "--step",
        type=_positive,
        metavar="UNITS",
        help="of each move, in its own unit (default: 8 px, where that is known)",
    )
    calibrate.add_argument("--rounds", type=_count, default=4, help="moves in each of four directions (%(default)s)")
    calibrate.add_argument(
        "--settle", type=_positive, default=0.5, metavar="S", help="that it has for a move (%(default)s s)"
    )
    _client_options(calibrate)

    follow = command("follow", "feedback:follow", "keep a particle in its place by moving the stage")
    follow.add_argument("--actuator", default="stage", help="what is moved (%(default)s)")
    follow.add_argument(
        "--deadband", type=_not_negative, default=0.25, metavar="PX", help="leave this much alone (%(default)s px)"
    )
    _target_options(follow, "the middle of the picture")
    _client_options(follow)

    trap = command("trap", "feedback:trap", "hold or steer a particle, with an answer to every frame")
    trap.add_argument(
        "--actuator", default="stage", help="what is moved; `trap` is an optical trap's own centre (%(default)s)"
    )
    trap.add_argument("--gain", type=_positive, help="share of the error that is answered (default: the best)")
    trap.add_argument(
        "--circle",
        nargs=2,
        type=_positive,
        metavar=("PX", "S"),
        help="steer it round a circle of this radius and period",
    )
    _target_options(trap, "where it is")
    _client_options(trap)

    track = command("track", "track:track", "find and link the particles of a movie or a recorded session")
    track.add_argument("movie", type=Path, help="TIFF stack, folder of images, video, or a recorded session's folder")
    track.add_argument("-o", "--output", type=Path, required=True, help="table to write: .csv or .parquet")
    track.add_argument("--model", help="a model's name or an ONNX file (default: [localizer] model)")
    track.add_argument("--config", type=Path, help="settings (default: the defaults)")
    _channel_option(track)
    _setting_option(track)
    _json_option(track)

    check = command(
        "check", "check:check", "look at a movie and suggest settings, or try the settings of a live session"
    )
    check.add_argument("target", nargs="?", type=Path, help="a movie, or a settings file (default: as `run`)")
    check.add_argument(
        "--picture", type=_new_file, metavar="PNG", help="annotated picture to write (default: NAME-check.png)"
    )
    _channel_option(check)
    _setting_option(check)
    _json_option(check)

    train = command("train", "models:train", "train a model from a recipe (needs the extra `train`)")
    train.add_argument("recipe", nargs="?", type=Path, help="the recipe, TOML")
    train.add_argument("-o", "--output", type=Path, metavar="MODEL", help="the .onnx file to write")
    train.add_argument("--list", action="store_true", help="show recipes to start from")
    train.add_argument(
        "--minutes", type=_positive, metavar="MIN", help="stop after so long (default: the recipe's steps)"
    )
    train.add_argument("--seed", type=int, help="instead of the recipe's")
    train.add_argument(
        "--device", default="auto", help="PyTorch's name of what to train on, as cpu or cuda (default: a GPU if any)"
    )
    train.add_argument(
        "--restart", action="store_true", help="begin anew where an interrupted training could be continued"
    )
    _json_option(train)

    bench = commands.add_parser("bench", help="measure livetrack beside its peers (needs the extra `bench`)")
    benches = bench.add_subparsers(metavar="BENCH", required=True)
    accuracy = _bench(
        benches,
        "accuracy",
        "error, detection and uncertainty against the Cramér-Rao bound",
        quick="an eighth of the images: a look, no verdict",
    )
    accuracy.add_argument("--only", metavar="PART,...", help="of " + _ACCURACY_PARTS)
    accuracy.add_argument("--model", action="append", default=[], metavar="FILE", help="a model more; may be repeated")
    accuracy.add_argument("--without-peers", action="store_true", help="the models alone, no other methods")
    accuracy.add_argument("--recording", type=Path, metavar="TIF", help="bulk_water.tif, for the targets on real beads")
    accuracy.add_argument("--figure", type=_new_figure, metavar="PNG", help="draw error against SNR")
    linking = _bench(
        benches,
        "linking",
        "time for a frame, correct links and least cost, beside other linkers",
        quick="up to 1,000 particles, one scene of each kind: a look",
    )
    linking.add_argument("--figure", type=_new_figure, metavar="PNG", help="draw the time against the particles")

    latency = _bench(
        benches,
        "latency",
        "the whole path of a frame beside its floors, full search and trackpy",
        quick="a quarter of the frames: a look, no verdict",
    )
    latency.add_argument("--only", metavar="PART,...", help="some of the parts; a wrong one tells which there are")
    latency.add_argument("--recording", type=Path, metavar="TIF", help="bulk_water.tif, for trackpy on real beads")
    latency.add_argument(
        "--soak", type=_positive, default=0.0, metavar="MINUTES", help="let a session run so long instead"
    )
    latency.add_argument("--figure", type=_new_figure, metavar="PNG", help="draw where the time goes")

    window = _bench(
        benches,
        "window",
        "a refresh beside the bare technique, and what the engine feels of it",
        quick="a quarter of it: a look, no verdict",
    )
    window.add_argument("--only", metavar="PART,...", help="some of: refresh, beside, busy")

    feedback = _bench(
        benches,
        "feedback",
        "feedback loops beside theory, and the calibration of a trap",
        quick="an eighth of the frames: a look, no verdict",
    )
    feedback.add_argument("--only", metavar="PART,...", help="some of: theory, edge, live, stiffness")

    models = command("models", "models:models", "list the models there are")
    _json_option(models)
    cameras = command("cameras", "cameras:cameras", "list the camera drivers and their settings")
    _json_option(cameras)
    return parser


def _target_options(parser: argparse.ArgumentParser, place: str) -> None:
    parser.add_argument("--particle", type=int, metavar="ID", help="which (default: the engine's target)")
    parser.add_argument(
        "--near", nargs=2, type=float, metavar=("X", "Y"), help="or the nearest to this place, px (default: the middle)"
    )
    parser.add_argument(
        "--at", nargs=2, type=float, metavar=("X", "Y"), help=f"where to hold it, px (default: {place})"
    )
    parser.add_argument(
        "--lost-after", type=_positive, default=0.5, metavar="S", help="stop without it for so long (%(default)s s)"
    )
    parser.add_argument("--seconds", type=_positive, metavar="S", help="stop after so long")


def _client_options(parser: argparse.ArgumentParser) -> None:
    from livetrack.client import DEFAULT_ADDRESS

    parser.add_argument("--address", default=DEFAULT_ADDRESS, help="the engine's (%(default)s)")
    _keys_option(parser)
    _json_option(parser)


def _session_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true", help="no window")
    parser.add_argument("--seconds", type=_positive, metavar="S", help="stop after so long")
    parser.add_argument("--record", metavar="FOLDER", help="record frames and trajectories into a new folder in FOLDER")
    _setting_option(parser)
    _json_option(parser)


def _setting_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="override a setting; may be repeated",
    )


def _keys_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keys", metavar="FOLDER", help="of a client's keys, for an engine that asks for them (see `livetrack keys`)"
    )


def _bench(benches: Any, name: str, what: str, *, quick: str) -> argparse.ArgumentParser:
    """Add the parser of a bench, with the options that all of them have."""
    parser: argparse.ArgumentParser = benches.add_parser(name, help=what)
    parser.set_defaults(command=f"bench:{name}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--markdown", type=_new_file, metavar="FILE", help="write the tables there, not here")
    _json_option(parser)
    return parser


def _json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=_new_file, metavar="FILE", help="write the figures as JSON")


def _channel_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--channel", type=int, metavar="N", help="channel of the movie, from 0 (default: the only one, or grey)"
    )


def _new_file(text: str) -> Path:
    """Tell a folder that is not there at the start, not at the end of an hour's work."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}; make it first")
    return path


def _new_figure(text: str) -> Path:
    path = _new_file(text)
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(f"{path}: the name must end in .png, .svg or .pdf")
    return path


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return value


def _not_negative(text: str) -> float:
    return 0.0 if text.strip() in ("0", "0.0") else _positive(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value
