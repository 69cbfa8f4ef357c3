"""Figure of the accuracy bench: error against SNR, a line per method, above the Cramér-Rao bound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from livetrack.bench.accuracy.reference_values import REFERENCE_VALUES
from livetrack.bench.accuracy.tables import ConditionReport
from livetrack.bench.plotting import ACCENT, GRID, INK, MUTED, figure, style_axis
from livetrack.bench.report import Report
from livetrack.errors import UsageError

__all__ = ["draw"]


class _Panel(NamedTuple):
    title: str
    subtitle: str
    model: str
    includes: Callable[[ConditionReport], bool]


_PANELS = (
    _Panel(
        "Fluorescent spots",
        "sigma 1.5 px, additive noise",
        "spot",
        lambda condition: (
            condition.grid == "spot" and "sigma 1.5 px" in condition.name and "additive" in condition.name
        ),
    ),
    _Panel(
        "Bright-field particles",
        "DeepTrack's images",
        "bead",
        lambda condition: condition.grid == "bead" and condition.name.endswith("gradient 0"),
    ),
)
_STYLES = {
    "centroid": ("#94a3b8", "o"),
    "trackpy": (MUTED, "v"),
    "radial symmetry": ("#0e7490", "s"),
    "Gaussian fit": ("#6d28d9", "D"),
    "DeepTrack": ("#15803d", "^"),
}
_ERRORS_PX = 0.0025, 2.0


def draw(report: Report, path: Path) -> None:
    """Draw the panels whose conditions are in the report.

    Raises
    ------
    UsageError
        There are none, or the file cannot be written.
    """
    conditions: list[ConditionReport] = report.measurements["conditions"]
    panels = [(panel, members) for panel in _PANELS if len(members := [*filter(panel.includes, conditions)]) > 1]
    if not panels:
        raise UsageError(f"--figure {path}: shows the parts spot and bead, and neither was run")
    with figure(path, len(panels), (5.0 * len(panels), 4.7)) as axes:
        for axis, (panel, members) in zip(axes, panels, strict=True):
            _draw_panel(axis, panel, sorted(members, key=lambda condition: condition.snr))
        axes[0].set_ylabel("error per axis, px (RMSE)")


def _draw_panel(axis: Any, panel: _Panel, conditions: list[ConditionReport]) -> None:
    snrs, bounds = zip(*_points(conditions, panel.model, "crlb_px"), strict=True)
    axis.fill_between(snrs, bounds, _ERRORS_PX[0], color=GRID, linewidth=0, zorder=1)
    axis.plot(snrs, bounds, color=INK, linewidth=1.2, linestyle=(0, (4, 2)), zorder=4, label="Cramér-Rao bound")
    for name, (colour, marker) in _STYLES.items():
        points, label = _points(conditions, name), name
        if name == "DeepTrack" and panel.model == "bead":
            points, label = _published_deeptrack(), "DeepTrack (as published)"
        if points:
            x, y = zip(*points, strict=True)
            axis.plot(x, y, color=colour, marker=marker, markersize=4.5, linewidth=1.3, label=label)
    x, y = zip(*_points(conditions, panel.model), strict=True)
    label = f"livetrack: {panel.model}"
    axis.plot(x, y, color=ACCENT, marker="o", markersize=6.5, linewidth=2.4, zorder=5, label=label)
    _format_panel(axis, panel, snrs)


def _points(conditions: list[ConditionReport], method: str, figure: str = "rmse_px") -> list[tuple[float, float]]:
    """Return (SNR, error), if at least half of the particles were found; otherwise the error means little."""
    return [
        (condition.snr, getattr(figures, figure))
        for condition in conditions
        for figures in condition.figures
        if figures.method == method and (figures.recall or 0) >= 0.5
    ]


def _published_deeptrack() -> list[tuple[float, float]]:
    return [(snr, values.deeptrack) for (snr, gradient), values in REFERENCE_VALUES.items() if not gradient]


def _format_panel(axis: Any, panel: _Panel, snrs: tuple[float, ...]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(min(snrs) * 0.88, max(snrs) * 1.14)
    axis.set_ylim(*_ERRORS_PX)
    axis.set_title(panel.title, loc="left", color=INK, fontsize=12, fontweight="bold", pad=22)
    axis.text(0, 1.025, panel.subtitle, transform=axis.transAxes, color=MUTED, fontsize=9.5)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for scale in (axis.xaxis, axis.yaxis):
        scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        scale.set_minor_formatter(NullFormatter())
    style_axis(axis, xlabel="signal-to-noise ratio")
    lines, labels = (entries[::-1] for entries in axis.get_legend_handles_labels())
    axis.legend(lines, labels, loc="lower left", frameon=False, fontsize=9, labelcolor=INK, handlelength=2.2)
