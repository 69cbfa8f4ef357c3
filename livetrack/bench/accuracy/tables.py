"""The tables of the accuracy report, for each grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from livetrack.bench.accuracy.bound import NUISANCES
from livetrack.bench.accuracy.measure import ConditionResult, Figures
from livetrack.bench.accuracy.methods import FINDING_GRIDS, IDEAL
from livetrack.bench.accuracy.scores import MIN_SCORE, ScoreBin, calibration_error
from livetrack.bench.report import Table
from livetrack.bench.result import format_figure

__all__ = ["ConditionReport", "condition_report", "grid_tables"]

_DETECTION_GRIDS = ("empty", *FINDING_GRIDS)


_DETECTION_NOTE = "F1; recall; false rows per image; missed and false over those of the ideal observer"


class ConditionReport(Struct, frozen=True):
    """A condition in words, and its figures."""

    name: str
    grid: str
    family: str
    definition: str
    generator: str
    nuisances: str
    snr: float
    figures: list[Figures]


def condition_report(result: ConditionResult) -> ConditionReport:
    """Return a result as it stands in the report."""
    condition = result.condition
    names = condition.name, condition.grid, condition.family, condition.definition, condition.generator
    return ConditionReport(*names, ", ".join(NUISANCES), condition.snr, result.figures)


def grid_tables(conditions: Sequence[ConditionReport]) -> Iterator[Table]:
    """Yield the errors or the detection of each grid, then the reliability of the uncertainties."""
    for grid, family in dict.fromkeys((condition.grid, condition.family) for condition in conditions):
        every = [condition for condition in conditions if (condition.grid, condition.family) == (grid, family)]
        title = f"{grid}, {family}" if grid == "light" else grid
        # the ideal observer finds, and does not measure positions
        members = every if grid in FINDING_GRIDS else [_without(IDEAL, condition) for condition in every]
        methods = [figures.method for figures in members[0].figures]
        if grid in _DETECTION_GRIDS:
            cell, note = _detection, _DETECTION_NOTE
        else:
            cell, note = _error, "RMSE per axis in px (over the bound); recall if below 0.995"
        rows = []
        for condition in members:
            figures = condition.figures
            rows.append([_images(condition), format_figure(figures[0].crlb_px), *map(cell, figures)])
        yield Table(title, ("images", "CRLB, px", *methods), rows, note)
        if grid not in _DETECTION_GRIDS:
            yield from _detections(title, every)
        yield from _uncertainties(title, members)
        yield from _reliabilities(title, every)


def _reliabilities(title: str, conditions: Sequence[ConditionReport]) -> Iterator[Table]:
    """Yield the reliability diagram of each model over all conditions."""
    diagrams: dict[str, list[tuple[ScoreBin, ...]]] = {}
    for figures in (figures for condition in conditions for figures in condition.figures if figures.reliability):
        diagrams.setdefault(figures.method, []).append(figures.reliability)
    if diagrams:
        count = len(next(iter(diagrams.values()))[0])
        columns = ["model", *(f"{n / count:g}-{(n + 1) / count:g}" for n in range(count)), "calibration error"]
        rows = [
            [name, *map(_bin, zip(*several, strict=True)), format_figure(calibration_error(several))]
            for name, several in diagrams.items()
        ]
        note = f"Rows by their score, from {MIN_SCORE:g} on: mean score, fraction that are particles (rows)"
        yield Table(f"{title}: reliability of the scores", columns, rows, note)


def _bin(parts: Sequence[ScoreBin]) -> str:
    rows = sum(part.rows for part in parts)
    if not rows:
        return "none"
    return f"{sum(part.score for part in parts) / rows:.2f}, {sum(part.true for part in parts) / rows:.2f} ({rows:,})"


def _detections(title: str, conditions: Sequence[ConditionReport]) -> Iterator[Table]:
    """Yield what was found under those conditions that have an ideal observer."""
    compared = [condition for condition in conditions if condition.figures[0].over_ideal is not None]
    if compared:
        methods = [figures.method for figures in compared[0].figures]
        rows = [[_images(condition), *map(_detection, condition.figures)] for condition in compared]
        yield Table(f"{title}: detection", ("images", *methods), rows, _DETECTION_NOTE)


def _uncertainties(title: str, conditions: Sequence[ConditionReport]) -> Iterator[Table]:
    methods = [figures.method for figures in conditions[0].figures if figures.spread is not None]
    if methods:
        note = "Spread of error / x_std; coverage of the 95 % interval; bias against sub-pixel phase over the bound"
        rows = [
            [_images(condition), *(_uncertainty(figures) for figures in condition.figures if figures.method in methods)]
            for condition in conditions
        ]
        yield Table(f"{title}: uncertainty", ("images", *methods), rows, note)


def _without(method: str, condition: ConditionReport) -> ConditionReport:
    return replace(condition, figures=[figures for figures in condition.figures if figures.method != method])


def _images(condition: ConditionReport) -> str:
    return condition.name.partition(": ")[2]


def _error(figures: Figures) -> str:
    if figures.rmse_px is None or figures.recall is None or figures.ratio is None:
        return "none found"
    recall = f", recall {figures.recall:.2f}" if figures.recall < 0.995 else ""
    return f"{format_figure(figures.rmse_px)} ({figures.ratio:.2f}){recall}"


def _detection(figures: Figures) -> str:
    found = "" if figures.f1 is None else f"{figures.f1:.3f}; {figures.recall:.3f}; "
    over_ideal = "" if figures.over_ideal is None else f"; {figures.over_ideal:.1f}"
    return f"{found}{figures.false_per_image:.2f}{over_ideal}"


def _uncertainty(figures: Figures) -> str:
    return "; ".join(map(format_figure, (figures.spread, figures.coverage, figures.phase_bias)))
