"""The report of a bench, and its Markdown form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from livetrack import __version__
from livetrack.bench.result import TargetResult, format_figure

__all__ = ["Report", "Table", "markdown"]

_MET = {True: "yes", False: "**no**", None: "not measured"}


class Table(Struct, frozen=True):
    """A table of the report; cells are text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """Everything that one run of a bench measured."""

    bench: str
    """Name of the command: `livetrack bench NAME`."""
    livetrack: str = __version__
    machine: str
    quick: bool
    methods: dict[str, str] = {}
    """Methods compared: name and description."""
    targets: list[TargetResult]
    tables: list[Table] = []
    measurements: dict[str, list[Any]] = {}
    """Raw figures by kind, as structs."""


def markdown(report: Report) -> str:
    """Return the report as Markdown: the targets, then the tables."""
    return "\n".join([*_head(report), *_targets(report.targets), *_tables(report.tables)]) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"# {report.bench.capitalize()}"
    yield ""
    yield f"livetrack {report.livetrack}, {report.machine}."
    if report.quick:
        yield "**A quick run: too little data for a verdict on the targets.**"
    yield f"Made by `livetrack bench {report.bench}`; `--json` has every definition and figure."
    yield ""
    if report.methods:
        yield from (f"- {name}: {description}" for name, description in report.methods.items())
        yield ""


def _targets(targets: list[TargetResult]) -> Iterator[str]:
    measured = [target for target in targets if target.met is not None]
    rows = [(target.name, _figures(target), target.target, _MET[target.met], f"{target.n:,}") for target in targets]
    title = f"Targets: {sum(bool(target.met) for target in measured)} of {len(measured)} met"
    return _tables([Table(title, ("what", "measured", "target", "met", "n"), rows)])


def _figures(target: TargetResult) -> str:
    """Return the figures in one line, numbers before text."""
    numbers = [f"{_label(key)} {format_figure(v)}" for key, v in target.figures.items() if not isinstance(v, str)]
    return ", ".join(numbers + [f"{_label(key)}: {v}" for key, v in target.figures.items() if isinstance(v, str)])


def _label(key: str) -> str:
    return key.replace("_", " ")


def _tables(tables: Iterable[Table]) -> Iterator[str]:
    for table in tables:
        yield f"## {table.title}"
        yield ""
        if table.note:
            yield table.note
            yield ""
        yield f"| {' | '.join(table.columns)} |"
        yield "|---" * len(table.columns) + "|"
        for row in table.rows:
            yield f"| {' | '.join(row)} |"
        yield ""
