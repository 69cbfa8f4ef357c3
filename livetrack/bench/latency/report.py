"""The latency bench's report, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from livetrack.bench.latency.soak import SoakSample
from livetrack.bench.result import TargetResult, format_figure, target_table

__all__ = ["Report", "markdown"]


class Report(Struct, frozen=True, kw_only=True):
    """All that was measured."""

    livetrack: str
    machine: str
    provider: str
    quick: bool
    path: list[TargetResult]
    """The whole path, a line for each size and number of particles."""
    against: list[TargetResult]
    """Beside full search and trackpy, and the soak."""
    soak: list[SoakSample]
    """What became of it, piece by piece."""


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    return (
        "\n".join(
            [
                *_head(report),
                *target_table([*map(_in_short, report.path), *report.against]),
                *_path(report.path),
                *_soak(report.soak),
            ]
        )
        + "\n"
    )


def _head(report: Report) -> Iterator[str]:
    yield "# Latency"
    yield ""
    yield f"livetrack {report.livetrack}, {report.machine}, network on {report.provider}."
    if report.quick:
        yield "**A quick run: too few frames for the tails.**"
    yield "Made by `livetrack bench latency`; `--json` has every definition and figure."
    yield ""


def _in_short(line: TargetResult) -> TargetResult:
    """Return a line of the path with the figures that its target is about."""
    return replace(line, figures={name: line.figures[name] for name in ("added_p50_us", "p99_us", "floors_p99_us")})


def _path(lines: list[TargetResult]) -> Iterator[str]:
    if not lines:
        return
    yield "## From receipt of a frame to a client in another process, µs"
    yield ""
    yield lines[0].definition[:1].upper() + lines[0].definition[1:] + "."
    yield ""
    yield "| what | added p50 | p50 | p99 | inference | hop | floors p99 | wait, find, link, publish, hop |"
    yield "|---|---|---|---|---|---|---|---|"
    for line in lines:
        names = ("added_p50", "p50", "p99", "inference_p50", "bare_hop_p50", "floors_p99")
        stages = ", ".join(format_figure(line.figures[f"{each}_p50_us"]) for each in _STAGES)
        values = " | ".join(format_figure(line.figures[f"{each}_us"]) for each in names)
        yield f"| {line.name} | {values} | {stages} |"
    yield ""


_STAGES = ("wait", "localize", "link", "publish", "hop")


def _soak(samples: list[SoakSample]) -> Iterator[str]:
    if not samples:
        return
    yield "## The soak, piece by piece"
    yield ""
    yield "| minutes | memory, MB | frames | missed | skipped | find p50, p99, ms | to the client p50, p99, most, ms |"
    yield "|---|---|---|---|---|---|---|"
    for each in samples:
        find = ", ".join(format_figure(us / 1e3) for us in (each.localize_p50_us, each.localize_p99_us))
        total = ", ".join(format_figure(us / 1e3) for us in (each.total_p50_us, each.total_p99_us, each.total_max_us))
        counts = f"{each.frames} | {each.missed} | {each.skipped}"
        yield f"| {each.minutes:.3g} | {each.rss_mb:.1f} | {counts} | {find} | {total} |"
    yield ""
