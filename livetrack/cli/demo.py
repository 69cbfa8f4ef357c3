"""`livetrack demo`: tracks a simulated microscope."""

from __future__ import annotations

import argparse

from livetrack.cli.live import add_session_options, run_session, session_overrides
from livetrack.config import load_config

__all__ = ["add_arguments", "run"]

_TRAP = tuple(
    f"camera.simulated.{setting}"
    for setting in (
        "width=160", "height=160", "fps=200.0", "exposure_ms=4.0", "count=6", "spread=0.0", "diffusion_um2_s=0.455",
        "drift_um_s=[0.0, 0.0]", "min_distance_um=3.0", "trap_stiffness_pn_um=1.0",
    )
)  # fmt: skip
"""Beads of 1 µm in water, the first in a trap with a corner frequency of 18 Hz."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--trap", action="store_true", help="simulate one bead in an optical trap, among free beads")
    add_session_options(parser)


def run(args: argparse.Namespace) -> int:
    """Track the simulated microscope."""
    trap = _TRAP if args.trap else ()
    return run_session(load_config(None, [*trap, *session_overrides(args)]), args)
