"""The feedback bench's report, and the same as Markdown."""

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
    head = [
        "# Feedback",
        "",
        f"livetrack {report.livetrack}, {report.machine}.",
        *(["**A quick run: too few frames to tell 5 %.**"] if report.quick else []),
        "Made by `livetrack bench feedback`; `--json` has every definition and figure.",
        "",
    ]
    return "\n".join([*head, *target_table(report.lines)]) + "\n"
