"""The feedback bench from its parts to the report."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import NamedTuple

from livetrack import __version__
from livetrack.bench.feedback.live import hold_bead, live_results
from livetrack.bench.feedback.lockstep import CASES, Case, run_case, stability_result, variance_result
from livetrack.bench.feedback.report import Report
from livetrack.bench.feedback.stiffness import CORNERS_HZ, stiffness_results
from livetrack.bench.result import TargetResult
from livetrack.bench.runner import check_parts, machine

__all__ = ["PARTS", "run_feedback"]

PARTS = ("theory", "edge", "live", "stiffness")
"""What there is to run, by name."""

_FRAMES = 12_000  # at each gain
_LIVE_S = 60.0
_EDGES = tuple(case for case in CASES if case.model.exposure_s == 0 and case.model.action != "step")
_QUICK = 8  # times fewer


def run_feedback(
    *,
    only: Collection[str] = PARTS,
    quick: bool = False,
    progress: Callable[[float, str], None] = lambda share, what: None,
) -> Report:
    """Measure what a feedback loop through the whole system does beside theory.

    Parameters
    ----------
    only
        Of `PARTS`.
    quick
        An eighth of the frames: too few to tell 5 %.
    progress
        Called with the share done and the name of what is next.

    Raises
    ------
    UsageError
        A part that is not known.
    LivetrackError
        A feedback client has failed.
    """
    check_parts(only, PARTS)
    share = _QUICK if quick else 1
    parts = {
        "theory": [_Piece(case.name, len(case.gains), partial(_theory, case, _FRAMES // share)) for case in CASES],
        "edge": [_Piece(f"{case.name}, its edge", 0.5, partial(_edge, case)) for case in _EDGES],
        "live": [_Piece("real time", 3, partial(_live, _LIVE_S / share))],
        "stiffness": [
            _Piece(f"stiffness, {corner} Hz", 0.2, partial(stiffness_results, corner)) for corner in CORNERS_HZ
        ],
    }
    pieces = [piece for part in PARTS if part in only for piece in parts[part]]
    lines: list[TargetResult] = []
    total, done = sum(piece.weight for piece in pieces), 0.0
    for piece in pieces:
        progress(done / total, piece.name)
        lines += piece.measure()
        done += piece.weight
    return Report(
        livetrack=__version__,
        machine=machine(),
        quick=quick,
        lines=lines,
    )


class _Piece(NamedTuple):
    name: str
    weight: float
    """How long it takes beside the others."""
    measure: Callable[[], list[TargetResult]]


def _theory(case: Case, frames: int) -> list[TargetResult]:
    return [variance_result(case, run_case(case, frames))]


def _edge(case: Case) -> list[TargetResult]:
    return [stability_result(case)]


def _live(seconds: float) -> list[TargetResult]:
    return live_results(hold_bead(seconds), seconds)
