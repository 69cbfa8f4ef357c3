"""`livetrack follow`: keeps a particle in place by moving the stage."""

from __future__ import annotations

import argparse
import math

import numpy as np

from livetrack.cli.arguments import not_negative
from livetrack.cli.feedback import (
    SETTLING_FRAMES,
    add_feedback_options,
    describe_hold,
    feedback_target,
    show_position,
)
from livetrack.cli.terminal import make_console, write_json
from livetrack.client import Remote
from livetrack.control.follow import follow, max_move_px
from livetrack.control.loop_log import LoopLog

__all__ = ["add_arguments", "hint", "run"]

_FAR = 3.0  # times the error of a position
_OFTEN = 0.25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--actuator", default="stage", help="actuator to move (default: %(default)s)")
    parser.add_argument(
        "--deadband",
        type=not_negative,
        default=0.25,
        metavar="PX",
        help="ignore errors up to PX (default: %(default)s)",
    )
    add_feedback_options(parser, default_place="the image centre")


def run(args: argparse.Namespace) -> int:
    """Keep a particle in place by moving the stage; tell how well."""
    console = make_console()
    with feedback_target(args) as target, Remote(args.address) as remote:
        remote.calibration(args.actuator)  # refused before anything moves
        limit_px = max_move_px(remote)
        with show_position(console, target) as show:
            record = follow(
                remote,
                target,
                actuator=args.actuator,
                at_px=args.at,
                deadband_px=args.deadband,
                limit_px=limit_px,
                seconds=args.seconds or math.inf,
                on_frame=show,
            )
    summary = record.summary(SETTLING_FRAMES)
    console.print(describe_hold(target, summary))
    if text := hint(record, args.deadband, limit_px):
        console.print(text)
    write_json(args.json, {"particle": target.particle, "held": summary})
    return 0


def hint(record: LoopLog, deadband_px: float, limit_px: float) -> str:
    """Say what kept a particle from being followed closer; nothing where it was, to what the positions are known."""
    rows = record.array(SETTLING_FRAMES)
    moved = np.flatnonzero(np.hypot(rows["dx"], rows["dy"]))
    strayed = math.sqrt(float(np.mean(rows["x"] ** 2 + rows["y"] ** 2)) / 2) if len(rows) else 0.0
    known = rows["std"][np.isfinite(rows["std"])]
    if len(moved) < 2 or not len(known) or strayed < _FAR * math.sqrt(float(np.mean(known**2))):
        return ""
    if strayed < 1.5 * deadband_px:
        return f"errors of up to {deadband_px:g} px were left alone: a smaller --deadband holds it closer"
    orders = np.hypot(rows["dx"], rows["dy"])[moved]
    cut = float(np.mean(orders > 0.999 * limit_px))
    if cut > _OFTEN:
        return (
            f"{cut:.0%} of the moves were as long as they may be, {limit_px:.2g} px, half of "
            "linker.search_radius_px: with a larger one it is fetched sooner"
        )
    frames, between_s = np.diff(rows["frame"][moved]), np.diff(rows["t_s"][moved])
    return (
        f"after a move {np.median(frames):.0f} frames ({1e3 * np.median(between_s):.0f} ms) go by until it has shown, "
        "and the particle goes on: `livetrack trap` answers every frame, a quicker stage or camera has less delay"
    )
