"""The window bench's report, and the same as Markdown."""

from __future__ import annotations

from msgspec import Struct

from livetrack.bench.result import TargetResult, target_table

__all__ = ["Report", "markdown"]


class Report(Struct, frozen=True, kw_only=True):
    """All that was measured."""

    livetrack: str
    machine: str
    quick: bool
    lines: list[TargetResult]


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    head = ["# The window", "", f"livetrack {report.livetrack}, {report.machine}."]
    if report.quick:
        head.append("**A quick run: a look, no verdict.**")
    head += ["Made by `livetrack bench window`; `--json` has every definition and figure.", ""]
    return "\n".join([*head, *target_table(report.lines)]) + "\n"
