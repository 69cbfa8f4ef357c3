"""Where a frame's time goes: a bar a case, the floors beside what livetrack adds."""

from __future__ import annotations

from pathlib import Path

from livetrack.bench.latency.report import Report
from livetrack.errors import UsageError, reason

__all__ = ["draw"]

_INK, _FAINT = "#1e293b", "#e2e8f0"
_PARTS = (
    ("bare inference", "#94a3b8", "inference_p50_us"),
    ("bare socket hop", "#cbd5e1", "bare_hop_p50_us"),
    ("livetrack", "#c2410c", "added_p50_us"),
)


def draw(report: Report, path: Path) -> None:
    """Draw the medians of the whole path.

    Raises
    ------
    UsageError
        It was not measured, or the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines = report.path[::-1]
    if not lines:
        raise UsageError(f"--figure {path}: it shows the part path, which was not run")
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 10, "axes.linewidth": 0.8}):
        figure, axis = pyplot.subplots(figsize=(9.0, 1.0 + 0.32 * len(lines)))
        names = [line.name for line in lines]
        left = [0.0] * len(lines)
        for label, colour, key in _PARTS:
            widths = [max(0.0, float(line.figures[key] or 0) / 1e3) for line in lines]
            axis.barh(names, widths, left=left, color=colour, height=0.62, label=label)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        figure.suptitle("From receipt of a frame to a client in another process: medians", color=_INK, fontsize=12)
        axis.set_xlabel("ms", color=_INK)
        axis.tick_params(colors=_INK, length=0)
        axis.grid(axis="x", color=_FAINT, linewidth=0.7)
        axis.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
        axis.legend(loc="lower right", frameon=False, fontsize=9, labelcolor=_INK)
        figure.tight_layout()
        try:
            figure.savefig(path, dpi=180)
        except OSError as error:
            raise UsageError(f"--figure {path}: cannot be written: {reason(error)}") from None
        finally:
            pyplot.close(figure)
