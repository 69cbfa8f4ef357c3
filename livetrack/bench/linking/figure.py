"""Figure of the linking bench: time per frame against the number of particles."""

from __future__ import annotations

from pathlib import Path

from livetrack.bench.linking.methods import LIVETRACK, LIVETRACK_VELOCITY
from livetrack.bench.linking.speed import MOTIONS
from livetrack.bench.plotting import ACCENT, INK, MUTED, figure, style_axis
from livetrack.bench.report import Report

__all__ = ["draw"]

_STYLES = {  # colour, marker, line width
    LIVETRACK: (ACCENT, "o", 2.4),
    LIVETRACK_VELOCITY: ("#ea8a5a", "o", 1.6),
    "trackpy": (MUTED, "v", 1.3),
    "laptrack": ("#6d28d9", "D", 1.3),
    "SciPy": ("#0e7490", "s", 1.3),
}


def draw(report: Report, path: Path) -> None:
    """Draw a panel for each motion. Raises `UsageError` if the file cannot be written."""
    with figure(path, len(MOTIONS), (10.0, 4.5)) as axes:
        for axis, motion in zip(axes, MOTIONS, strict=True):
            cases = [case for case in report.measurements["speed"] if case.motion == motion]
            for name, (colour, marker, width) in _STYLES.items():
                points = [(case.count, us * 1e-3) for case in cases if (us := case.p50_us(name)) is not None]
                if points:
                    x, y = zip(*points, strict=True)
                    axis.plot(x, y, color=colour, marker=marker, markersize=5, linewidth=width, label=name)
            axis.set_title(motion.description, loc="left", color=INK, fontsize=9.5)
            axis.set_xscale("log")
            axis.set_yscale("log")
            style_axis(axis, xlabel="particles", ylabel="" if axis is not axes[0] else "median time per frame, ms")
        axes[0].legend(frameon=False, fontsize=9, labelcolor=INK)
