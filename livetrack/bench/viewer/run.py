"""The window bench from its parts to the report."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from livetrack import __version__
from livetrack.bench.result import TargetResult
from livetrack.bench.runner import check_parts, machine
from livetrack.bench.viewer.report import Report

__all__ = ["PARTS", "run_window"]

PARTS = ("refresh", "beside", "busy")
"""What there is to run, by name; the last one leaves this process with less of the processor."""

_SIDES_PX = 512, 2048
_FRAMES, _BUSY_S, _PAIRS, _PAIR_S = 240, 20.0, 16, 10.0
_QUICK = 4  # times fewer


def run_window(
    *,
    only: Collection[str] = PARTS,
    quick: bool = False,
    progress: Callable[[float, str], None] = lambda share, what: None,
) -> Report:
    """Measure on this machine, as it is now: other work on it shows. On no screen where there is none.

    Parameters
    ----------
    only
        Of `PARTS`.
    quick
        A quarter of the frames, seconds and pairs.
    progress
        Called with the share done and the name of what is next.

    Raises
    ------
    UsageError
        A part that is not known.
    """
    check_parts(only, PARTS)
    from livetrack.viewer import display_problem

    if display_problem():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    import pyqtgraph

    from livetrack.bench.viewer.cpu_load import refresh_under_load
    from livetrack.bench.viewer.interference import engine_interference
    from livetrack.bench.viewer.refresh import refresh_time

    app = pyqtgraph.mkQApp("livetrack")
    app.setStyle("Fusion")
    share = _QUICK if quick else 1
    lines: list[TargetResult] = []
    for number, part in enumerate(only):
        progress(number / len(only), part)
        if part == "refresh":
            lines += [refresh_time(app, side, _FRAMES // share) for side in _SIDES_PX]
        elif part == "busy":
            lines.append(refresh_under_load(app, _BUSY_S / share))
        else:
            lines.append(engine_interference(max(2, _PAIRS // share), _PAIR_S / share))
    return Report(
        livetrack=__version__,
        machine=machine(),
        quick=quick,
        lines=lines,
    )
