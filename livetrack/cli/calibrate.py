"""`livetrack calibrate`: measures how the image moves with an actuator."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn

from livetrack.calibrate.affine import Affine
from livetrack.cli.arguments import add_address, add_json, positive, positive_int
from livetrack.cli.feedback import allow_moves
from livetrack.cli.terminal import ProgressBars, make_console, write_json
from livetrack.client import Remote
from livetrack.control.actuator_calibration import calibrate_actuator
from livetrack.devices import ActuatorCalibration

__all__ = ["add_arguments", "advice", "run"]

_PRECISE = 0.02  # uncertainty relative to the scale
_SETTLED = 6.0  # in delays, each the time until half of a move shows: all of it has arrived and been observed
_MIN_FRAMES = 10
_SETTLE_STEP_S = 0.05  # of the advice
_MANY_ROUNDS = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("actuator", nargs="?", default="stage", help="actuator to calibrate (default: %(default)s)")
    parser.add_argument(
        "--step",
        type=positive,
        metavar="UNITS",
        help="size of each move, in the actuator's unit (default: about 8 px, if the pixel size is known)",
    )
    parser.add_argument(
        "--rounds",
        type=positive_int,
        default=4,
        metavar="N",
        help="moves in each of the four directions (default: %(default)s)",
    )
    parser.add_argument(
        "--settle",
        type=positive,
        default=0.5,
        metavar="S",
        help="time allowed for a move to settle (default: %(default)s)",
    )
    add_address(parser, "--address")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Move an actuator by known steps, have the engine store the calibration, and print it."""
    console = make_console()
    with Remote(args.address) as remote, _bar(f"moving {args.actuator}", console) as show:
        geometry = remote.hello().geometry_number
        allow_moves(remote)
        calibration, affine = calibrate_actuator(
            remote, args.actuator, step=args.step, rounds=args.rounds, settle_s=args.settle, progress=show
        )
        remote.store_calibration(calibration, geometry)
    make_console(stderr=False).print(_describe(calibration, affine))
    if affine.std.max() > _PRECISE * affine.scale:
        console.print(advice(calibration, affine, args.settle, args.rounds))
    write_json(args.json, calibration)
    return 0


def advice(calibration: ActuatorCalibration, affine: Affine, settle_s: float, rounds: int) -> str:
    """Return options for a precise calibration: no longer per move than it takes, and enough moves to average."""
    uncertainty = float(affine.std.max()) / affine.scale
    settled_s = calibration.interval_s * max(_SETTLED * calibration.delay_frames, _MIN_FRAMES)
    settle = min(settle_s, max(1, round(settled_s / _SETTLE_STEP_S)) * _SETTLE_STEP_S)
    needed = math.ceil(rounds * settle / settle_s * (uncertainty / _PRECISE) ** 2)
    more = max(rounds, min(needed, max(_MANY_ROUNDS, 2 * rounds)))
    return (
        f"precise to {uncertainty:.0%} only, as the particles also move by themselves; try --settle {settle:g} "
        f"--rounds {more} (about {4 * more * settle:.0f} s), or particles stuck to the glass"
    )


def _describe(calibration: ActuatorCalibration, affine: Affine) -> str:
    (a, b), (c, d) = calibration.matrix
    (a_std, b_std), (c_std, d_std) = calibration.matrix_std
    unit = calibration.unit or "unit"
    mirrored = ", mirrored" if affine.mirrored else ""
    delay_ms = 1e3 * calibration.delay_frames * calibration.interval_s
    return (
        f"{calibration.actuator}: 1 {unit} is {affine.scale:.4g} px, rotated by {affine.rotation_deg:.1f}°{mirrored}\n"
        f"  a move by (u, v) {unit} shifts particles in the image by\n"
        f"  dx = ({a:+.4f} ± {a_std:.4f}) u + ({b:+.4f} ± {b_std:.4f}) v px\n"
        f"  dy = ({c:+.4f} ± {c_std:.4f}) u + ({d:+.4f} ± {d_std:.4f}) v px\n"
        f"  delay from the frame that a move responds to until a frame shows it: {calibration.delay_frames:.2f} ± "
        f"{calibration.delay_std_frames:.2f} frames ({delay_ms:.1f} ms at {1 / calibration.interval_s:.0f} frames/s)"
    )


@contextmanager
def _bar(text: str, console: Console) -> Iterator[Callable[[float], None]]:
    columns = (TextColumn("{task.description}"), BarColumn())
    with ProgressBars(*columns, console=console, transient=True) as bars:
        task = bars.add_task(text, total=1.0)
        yield lambda fraction: bars.update(task, completed=fraction)
