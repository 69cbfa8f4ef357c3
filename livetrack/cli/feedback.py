"""Options, progress and summary of the feedback programs, `livetrack follow` and `livetrack trap`."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from livetrack.cli.arguments import add_address, add_json, add_seconds, positive
from livetrack.cli.signals import stop_event
from livetrack.cli.terminal import spinner, write_json
from livetrack.client import Remote
from livetrack.control import Observation, Target
from livetrack.control.loop_log import LoopSummary
from livetrack.errors import CommandError, LivetrackError, TargetLostError

__all__ = [
    "SETTLING_FRAMES",
    "add_feedback_options",
    "allow_moves",
    "describe_hold",
    "end_in_order",
    "feedback_target",
    "show_position",
    "store_results",
]

SETTLING_FRAMES = 50
"""Frames at the start that the summary leaves out."""

_UPDATE_INTERVAL_S = 0.5


def add_feedback_options(parser: argparse.ArgumentParser, *, default_place: str) -> None:
    """Add the options of a feedback program: which particle, where to hold it, when to stop, which engine."""
    parser.add_argument("--particle", type=int, metavar="ID", help="id of the particle (default: the engine's target)")
    parser.add_argument(
        "--near",
        nargs=2,
        type=float,
        metavar=("X", "Y"),
        help="or take the particle nearest to this position, px (default, without a target: the image centre)",
    )
    parser.add_argument(
        "--at", nargs=2, type=float, metavar=("X", "Y"), help=f"where to hold it, px (default: {default_place})"
    )
    parser.add_argument(
        "--lost-after",
        type=positive,
        default=0.5,
        metavar="S",
        help="stop when the particle has been lost for S seconds (default: %(default)s)",
    )
    add_seconds(parser)
    add_address(parser, "--address")
    add_json(parser)


def feedback_target(args: argparse.Namespace) -> Target:
    """Return the particle that the options select."""
    near = None if args.near is None else tuple(args.near)
    return Target(args.address, args.particle, near_px=near, lost_after_s=args.lost_after)


def describe_hold(target: Target, summary: LoopSummary) -> str:
    """Summarise how well a particle was held."""
    if not summary.frames:
        return "stopped too early for a summary"
    return (
        f"particle {target.particle} held for {summary.seconds:.1f} s: standard deviation {summary.std_px[0]:.3f} (x), "
        f"{summary.std_px[1]:.3f} (y) px, mean offset {summary.mean_px[0]:+.3f}, {summary.mean_px[1]:+.3f} px, "
        f"largest distance {summary.largest_px:.2f} px; {summary.frames} frames, {summary.unanswered} missed, "
        f"{summary.moves} moves"
    )


def allow_moves(remote: Remote) -> None:
    """Allow moves if they are halted: somebody has started this program. An older engine has no halt to end."""
    if remote.state().halted:
        remote.allow_moves()


@contextmanager
def end_in_order() -> Iterator[list[LivetrackError]]:
    """Keep the error that ends the block in the list, so that the summary is printed and stored before it is raised."""
    ends: list[LivetrackError] = []
    try:
        yield ends
    except (CommandError, TargetLostError) as error:
        ends.append(error)


def store_results(args: argparse.Namespace, results: dict[str, Any], ends: list[LivetrackError]) -> int:
    """Write the results of a loop, with what ended it, and return 0; or raise that error."""
    write_json(args.json, results | {"ended_by": str(ends[0]) if ends else ""})
    if ends:
        raise ends[0]
    return 0


@contextmanager
def show_position(console: Console, target: Target) -> Iterator[Callable[[Observation], bool]]:
    """Show where the particle is while the block runs.

    Yields a function to call on every frame; it returns whether the loop is to end, because of Ctrl-C.
    """
    shown_s = -math.inf
    with stop_event() as stop, spinner(console, "waiting for the particle") as show:

        def on_frame(observation: Observation) -> bool:
            nonlocal shown_s
            if (now_s := time.monotonic()) - shown_s > _UPDATE_INTERVAL_S:
                shown_s = now_s
                show(f"particle {target.particle} at {observation.x:.2f}, {observation.y:.2f} px; Ctrl-C stops")
            return stop.is_set()

        yield on_frame
