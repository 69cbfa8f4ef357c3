"""The table of targets: one line of it, and how it reads in every bench."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

__all__ = ["MET_LABELS", "TargetResult", "format_figure", "target_table"]

MET_LABELS = {True: "yes", False: "**no**", None: "not measured"}
"""What a line's `met` reads as."""


class TargetResult(Struct, frozen=True, kw_only=True):
    """A target, what was measured, and whether it is met."""

    name: str
    definition: str
    """Gate, nuisances, definition of SNR: what the figures are of."""
    n: int
    """Particles, frames or runs that the figures rest on."""
    figures: dict[str, float | str | None]
    target: str
    met: bool | None
    """None where it was not measured; the definition says what it takes."""


def format_figure(value: float | str | None) -> str:
    """Return a figure in three digits, or whole from 100 on; words as they are."""
    if value is None or isinstance(value, str):
        return value or "none"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def target_table(lines: list[TargetResult]) -> Iterator[str]:
    """Yield the table in Markdown, headed by how many of the targets that were measured are met."""
    known = [line for line in lines if line.met is not None]
    yield f"## Targets: {sum(bool(line.met) for line in known)} of {len(known)} met"
    yield ""
    yield "| what | measured | target | met | n |"
    yield "|---|---|---|---|---|"
    for line in lines:
        yield f"| {line.name} | {_measured(line)} | {line.target} | {MET_LABELS[line.met]} | {line.n:,} |"
    yield ""


_ASIDE = "out"  # a figure in words for the JSON file alone


def _measured(line: TargetResult) -> str:
    """Return the figures in a row, numbers first, then words."""
    words = {name: value for name, value in line.figures.items() if isinstance(value, str) and name != _ASIDE}
    numbers = {name: value for name, value in line.figures.items() if not isinstance(value, str)}
    parts = [f"{_name(name)} {format_figure(value)}" for name, value in numbers.items()]
    return ", ".join(parts + [f"{_name(name)}: {value}" for name, value in words.items()])


def _name(key: str) -> str:
    return key.replace("_", " ")
