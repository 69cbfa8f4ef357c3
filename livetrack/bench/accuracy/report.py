"""The report, and how it reads as Markdown: the targets, then tables for each grid."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from livetrack.bench.accuracy.measure import Figures
from livetrack.bench.result import TargetResult, format_figure, target_table

__all__ = ["ConditionReport", "Report", "markdown"]


class ConditionReport(Struct, frozen=True):
    """A condition in words and figures."""

    name: str
    grid: str
    family: str
    definition: str
    generator: str
    nuisances: str
    snr: float
    figures: list[Figures]


class Report(Struct, frozen=True):
    """All that was measured in one run."""

    livetrack: str
    machine: str
    quick: bool
    """True for an eighth of the images: too few for a verdict on a target."""
    models: dict[str, str]
    """Name: what it is for."""
    methods: dict[str, str]
    """The other methods: what they are, and what they are told."""
    targets: list[TargetResult]
    conditions: list[ConditionReport]


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    return "\n".join([*_head(report), *target_table(report.targets), *_grids(report.conditions)]) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield "# Accuracy"
    yield ""
    yield f"livetrack {report.livetrack}, {report.machine}."
    if report.quick:
        yield "**A quick run: an eighth of the images, too few for a verdict on a target.**"
    yield "Made by `livetrack bench accuracy`; `--json` has every definition and figure."
    yield ""
    for name, text in [*report.models.items(), *report.methods.items()]:
        yield f"- {name}: {text}"
    yield ""


def _grids(conditions: list[ConditionReport]) -> Iterator[str]:
    for grid in dict.fromkeys((condition.grid, condition.family) for condition in conditions):
        some = [condition for condition in conditions if (condition.grid, condition.family) == grid]
        methods = [figures.method for figures in some[0].figures]
        yield f"## {grid[0]}" + (f", {grid[1]}" if grid[0] == "light" else "")
        yield ""
        if some[0].grid in ("empty", "detection", "density"):
            yield "F1; false rows per image"
        else:
            yield "RMSE per axis in px (times the bound); recall where it is below 0.995"
        yield ""
        yield f"| images | CRLB, px | {' | '.join(methods)} |"
        yield "|---" * (2 + len(methods)) + "|"
        for condition in some:
            shown = _found if condition.grid in ("empty", "detection", "density") else _precise
            values = " | ".join(shown(figures) for figures in condition.figures)
            yield f"| {condition.name.partition(': ')[2]} | {format_figure(condition.figures[0].crlb_px)} | {values} |"
        yield ""
        yield from _honesty(some)


def _honesty(conditions: list[ConditionReport]) -> Iterator[str]:
    """Yield how well each method that states an uncertainty knows it, and its bias against sub-pixel phase."""
    methods = [figures.method for figures in conditions[0].figures if figures.spread is not None]
    if not methods:
        return
    yield "Spread of error / x_std; coverage of the 95 % interval; bias against sub-pixel phase over the bound"
    yield ""
    yield f"| images | {' | '.join(methods)} |"
    yield "|---" * (1 + len(methods)) + "|"
    for condition in conditions:
        values = [
            f"{format_figure(each.spread)}; {format_figure(each.coverage)}; {format_figure(each.phase_bias)}"
            for each in condition.figures
            if each.method in methods
        ]
        yield f"| {condition.name.partition(': ')[2]} | {' | '.join(values)} |"
    yield ""


def _precise(figures: Figures) -> str:
    if figures.rmse_px is None or figures.recall is None or figures.ratio is None:
        return "none found"
    missed = f", found {figures.recall:.2f}" if figures.recall < 0.995 else ""
    return f"{format_figure(figures.rmse_px)} ({figures.ratio:.2f}){missed}"


def _found(figures: Figures) -> str:
    f1 = "" if figures.f1 is None else f"{figures.f1:.3f}; "
    return f"{f1}{figures.false_per_image:.2f}"
