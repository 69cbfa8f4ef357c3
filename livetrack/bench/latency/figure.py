"""Figure of the latency bench: the time that livetrack adds to inference and socket hop, a bar per case."""

from __future__ import annotations

from pathlib import Path

from livetrack.bench.plotting import ACCENT, INK, figure, style_axis
from livetrack.bench.report import Report

__all__ = ["draw"]

_BARS = (
    ("bare inference", "#94a3b8", "inference_p50_us"),
    ("bare socket hop", "#cbd5e1", "bare_hop_p50_us"),
    ("livetrack", ACCENT, "added_p50_us"),
)


def draw(report: Report, path: Path) -> None:
    """Draw the medians of the part "path". Raises `UsageError` if the file cannot be written."""
    results = [result for result in report.targets[::-1] if "bare_hop_p50_us" in result.details]
    with figure(path, 1, (9.0, 1.0 + 0.32 * len(results))) as (axis,):
        left = [0.0] * len(results)
        for label, colour, key in _BARS:
            figures = [(result.figures | result.details)[key] for result in results]
            widths = [max(0.0, float(value or 0) / 1e3) for value in figures]
            names = [result.name for result in results]
            axis.barh(names, widths, left=left, color=colour, height=0.62, label=label, zorder=2)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axis.figure.suptitle("From receipt of a frame to a client in another process: medians", color=INK, fontsize=12)
        style_axis(axis, xlabel="ms", grid="x")
        axis.legend(loc="lower right", frameon=False, fontsize=9, labelcolor=INK)
