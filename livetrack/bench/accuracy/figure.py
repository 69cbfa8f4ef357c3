"""The figure of the DeepTrack paper's kind: error against SNR, a line a method, the bound as the floor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from livetrack.bench.accuracy.reference_values import REFERENCE_VALUES
from livetrack.bench.accuracy.report import ConditionReport, Report
from livetrack.errors import UsageError, reason

__all__ = ["draw"]


class _Panel(NamedTuple):
    title: str
    below: str
    model: str
    belongs: Callable[[ConditionReport], bool]


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
        "DeepTrack's own images",
        "bead",
        lambda condition: condition.grid == "bead" and condition.name.endswith("gradient 0"),
    ),
)
_MODEL = "#c2410c"
_OTHERS = {
    "centroid": ("#94a3b8", "o"),
    "trackpy": ("#64748b", "v"),
    "radial symmetry": ("#0e7490", "s"),
    "Gaussian fit": ("#6d28d9", "D"),
    "DeepTrack": ("#15803d", "^"),
}
_ERRORS_PX = 0.0025, 2.0
_INK, _FAINT = "#1e293b", "#e2e8f0"


def draw(report: Report, path: Path) -> None:
    """Draw the panels whose conditions are in the report.

    Raises
    ------
    UsageError
        There are none, or the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = [
        (panel, conditions)
        for panel in _PANELS
        if len(conditions := [c for c in report.conditions if panel.belongs(c)]) > 1
    ]
    if not panels:
        raise UsageError(f"--figure {path}: it shows the parts spot and bead, and neither was run")
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 10, "axes.linewidth": 0.8}):
        figure, axes = pyplot.subplots(1, len(panels), figsize=(5.0 * len(panels), 4.7), squeeze=False, sharey=True)
        for axis, (panel, conditions) in zip(axes[0], panels, strict=True):
            _draw(axis, panel, sorted(conditions, key=lambda condition: condition.snr))
        axes[0][0].set_ylabel("error per axis, px (RMSE)", color=_INK)
        figure.tight_layout(w_pad=2.5)
        try:
            figure.savefig(path, dpi=180)
        except OSError as error:
            raise UsageError(f"--figure {path}: cannot be written: {reason(error)}") from None
        finally:
            pyplot.close(figure)


def _draw(axis: Any, panel: _Panel, conditions: list[ConditionReport]) -> None:
    snrs = [snr for snr, _ in _points(conditions, panel.model)]
    bounds = [bound for _, bound in _points(conditions, panel.model, "crlb_px")]
    axis.fill_between(snrs, bounds, _ERRORS_PX[0], color=_FAINT, linewidth=0, zorder=1)
    axis.plot(snrs, bounds, color=_INK, linewidth=1.2, linestyle=(0, (4, 2)), zorder=4, label="Cramér-Rao bound")
    for name, (colour, marker) in _OTHERS.items():
        points = _published() if name == "DeepTrack" and panel.model == "bead" else _points(conditions, name)
        if points:
            label = "DeepTrack (as published)" if name == "DeepTrack" else name
            axis.plot(
                *zip(*points, strict=True), color=colour, marker=marker, markersize=4.5, linewidth=1.3, label=label
            )
    ours = _points(conditions, panel.model)
    axis.plot(
        *zip(*ours, strict=True), color=_MODEL, marker="o", markersize=6.5, linewidth=2.4, zorder=5,
        label=f"livetrack: {panel.model}",
    )  # fmt: skip
    _dress(axis, panel, snrs)


def _points(conditions: list[ConditionReport], method: str, what: str = "rmse_px") -> list[tuple[float, float]]:
    """Return (SNR, error), where at least half of the particles were found: the others' error says little."""
    return [
        (condition.snr, getattr(figures, what))
        for condition in conditions
        for figures in condition.figures
        if figures.method == method and (figures.recall or 0) >= 0.5
    ]


def _published() -> list[tuple[float, float]]:
    return [(snr, deeptrack) for (snr, gradient), (deeptrack, _, _) in REFERENCE_VALUES.items() if not gradient]


def _dress(axis: Any, panel: _Panel, snrs: list[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(min(snrs) * 0.88, max(snrs) * 1.14)
    axis.set_ylim(*_ERRORS_PX)
    axis.set_title(panel.title, loc="left", color=_INK, fontsize=12, fontweight="bold", pad=22)
    axis.text(0, 1.025, panel.below, transform=axis.transAxes, color="#64748b", fontsize=9.5)
    axis.set_xlabel("signal-to-noise ratio", color=_INK)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for each in (axis.xaxis, axis.yaxis):
        each.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        each.set_minor_formatter(NullFormatter())
    axis.tick_params(colors=_INK, which="both", length=3, width=0.8)
    axis.grid(which="major", color=_FAINT, linewidth=0.7, zorder=0)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color("#94a3b8")
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(
        handles[::-1], labels[::-1], loc="lower left", frameon=False, fontsize=9, labelcolor=_INK, handlelength=2.2
    )
