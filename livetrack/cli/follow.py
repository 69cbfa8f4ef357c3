"""`livetrack follow`: keeps a particle in place by moving the stage."""

from __future__ import annotations

import argparse
import math

import numpy as np

from livetrack.cli.arguments import not_negative
from livetrack.cli.feedback import (
    SETTLING_FRAMES,
    add_feedback_options,
    allow_moves,
    describe_hold,
    end_in_order,
    feedback_target,
    show_position,
    store_results,
)
from livetrack.cli.terminal import make_console
from livetrack.client import Remote
from livetrack.control.follow import follow, max_move_px
from livetrack.control.loop_log import LoopLog

__all__ = ["add_arguments", "hint", "run"]

_LARGE_ERROR = 3.0  # relative to the localisation error
_OFTEN = 0.25  # fraction of the moves


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
    """Keep a particle in place by moving the stage; print how well it was held."""
    console = make_console()
    with feedback_target(args) as target, Remote(args.address) as remote:
        remote.calibration(args.actuator)  # fails here, before anything moves, if there is none
        limit_px = max_move_px(remote)
        allow_moves(remote)
        log = LoopLog()
        with end_in_order() as ends, show_position(console, target) as on_frame:
            follow(
                remote,
                target,
                actuator=args.actuator,
                at_px=args.at,
                deadband_px=args.deadband,
                limit_px=limit_px,
                seconds=args.seconds or math.inf,
                on_frame=on_frame,
                log=log,
            )
    summary = log.summary(SETTLING_FRAMES)
    console.print(describe_hold(target, summary))
    if text := hint(log, args.deadband, limit_px):
        console.print(text)
    return store_results(args, {"particle": target.particle, "held": summary}, ends)


def hint(log: LoopLog, deadband_px: float, limit_px: float) -> str:
    """Return how to hold the particle closer; empty if its distance is no more than the localisation error explains."""
    rows = log.array(SETTLING_FRAMES)
    moves = np.flatnonzero(np.hypot(rows["dx"], rows["dy"]))
    error_px = math.sqrt(float(np.mean(rows["x"] ** 2 + rows["y"] ** 2)) / 2) if len(rows) else 0.0
    std = rows["std"][np.isfinite(rows["std"])]
    if len(moves) < 2 or not len(std) or error_px < _LARGE_ERROR * math.sqrt(float(np.mean(std**2))):
        return ""
    if error_px < 1.5 * deadband_px:
        return f"errors of up to {deadband_px:g} px were ignored; a smaller --deadband holds the particle closer"
    lengths = np.hypot(rows["dx"], rows["dy"])[moves]
    limited = float(np.mean(lengths > 0.999 * limit_px))
    if limited > _OFTEN:
        return (
            f"{limited:.0%} of the moves were limited to {limit_px:.2g} px, half of linker.search_radius_px; "
            "a larger search radius brings the particle back sooner"
        )
    frames, interval_s = np.diff(rows["frame"][moves]), np.diff(rows["t_s"][moves])
    return (
        f"moves were {np.median(frames):.0f} frames ({1e3 * np.median(interval_s):.0f} ms) apart, as each must show "
        "in the image first; `livetrack trap` corrects in every frame, and a faster stage or camera has less delay"
    )
