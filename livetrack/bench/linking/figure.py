"""Time for a frame against the number of particles, a line a method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from livetrack.bench.linking.methods import LIVETRACK, LIVETRACK_VELOCITY
from livetrack.bench.linking.run import LinkingReport
from livetrack.bench.linking.speed import MOTIONS, Motion
from livetrack.errors import UsageError, reason

__all__ = ["draw"]

_LOOKS = {
    LIVETRACK: ("#c2410c", "o", 2.4),
    LIVETRACK_VELOCITY: ("#ea8a5a", "o", 1.6),
    "trackpy": ("#64748b", "v", 1.3),
    "laptrack": ("#6d28d9", "D", 1.3),
    "SciPy": ("#0e7490", "s", 1.3),
}
_INK, _FAINT = "#1e293b", "#e2e8f0"


def draw(report: LinkingReport, path: Path) -> None:
    """Draw both motions. Raises `UsageError` where the file cannot be written."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 10, "axes.linewidth": 0.8}):
        figure, axes = pyplot.subplots(1, len(MOTIONS), figsize=(10.0, 4.5), sharey=True)
        for axis, motion in zip(axes, MOTIONS, strict=True):
            _draw(axis, report, motion)
        axes[0].set_ylabel("time for a frame, ms (median)", color=_INK)
        axes[0].legend(frameon=False, fontsize=9, labelcolor=_INK)
        figure.tight_layout(w_pad=2.5)
        try:
            figure.savefig(path, dpi=180)
        except OSError as error:
            raise UsageError(f"--figure {path}: cannot be written: {reason(error)}") from None
        finally:
            pyplot.close(figure)


def _draw(axis: Any, report: LinkingReport, motion: Motion) -> None:
    cases = [case for case in report.speed if case.motion == motion]
    for name, (colour, marker, width) in _LOOKS.items():
        points = [(case.count, us * 1e-3) for case in cases if (us := case.p50_us(name)) is not None]
        if points:
            x, y = zip(*points, strict=True)
            axis.plot(x, y, color=colour, marker=marker, markersize=5, linewidth=width, label=name)
    lossy = f", {motion.missed:.0%} missed, {motion.spurious:.0%} spurious" if motion.memory else ""
    axis.set_title(f"step {motion.step:g} spacings{lossy}", loc="left", color=_INK, fontsize=11)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("particles", color=_INK)
    axis.tick_params(colors=_INK, which="both", length=3, width=0.8)
    axis.grid(which="major", color=_FAINT, linewidth=0.7)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
