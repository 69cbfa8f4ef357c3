"""The report as Markdown: the targets, the times, the correct links."""

from __future__ import annotations

from collections.abc import Iterator

from livetrack.bench.linking.run import LinkingReport
from livetrack.bench.linking.speed import MOTIONS, MethodTime
from livetrack.bench.result import format_figure, target_table

__all__ = ["markdown"]


def markdown(report: LinkingReport) -> str:
    """Return the report as Markdown."""
    return "\n".join([*_head(report), *target_table(report.targets), *_times(report), *_links(report)]) + "\n"


def _head(report: LinkingReport) -> Iterator[str]:
    yield "# Linking"
    yield ""
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    yield f"livetrack {report.livetrack}, {report.machine}; {versions}."
    if report.quick:
        yield "**A quick run: too little for a verdict on a target.**"
    yield "Made by `livetrack bench linking`; `--json` has every definition and figure."
    yield ""
    for name, text in report.methods.items():
        yield f"- {name}: {text}"
    yield ""


def _times(report: LinkingReport) -> Iterator[str]:
    for motion in MOTIONS:
        cases = [case for case in report.speed if case.motion == motion]
        lossy = f", {motion.missed:.0%} missed, {motion.spurious:.0%} spurious, memory {motion.memory}"
        yield f"## µs for a frame, p50 / p99: Brownian, rms step {motion.step:g} spacings{lossy * bool(motion.memory)}"
        yield ""
        yield f"| particles | {' | '.join(report.methods)} |"
        yield "|---" * (1 + len(report.methods)) + "|"
        for case in cases:
            by_name = {each.method: each for each in case.times}
            values = " | ".join(_time(by_name.get(name)) for name in report.methods)
            yield f"| {case.count:,} | {values} |"
        yield ""


def _links(report: LinkingReport) -> Iterator[str]:
    methods = list(report.links[0].fractions)
    yield "## Share of correct links, 500 particles, 5 % missed"
    yield ""
    yield f"| particles | spacings a frame | {' | '.join(methods)} |"
    yield "|---" * (2 + len(methods)) + "|"
    for each in report.links:
        values = " | ".join("raises" if share is None else f"{share:.3f}" for share in each.fractions.values())
        yield f"| {each.scene} | {each.step:g} | {values} |"
    yield ""


def _time(times: MethodTime | None) -> str:
    if times is None:
        return "not tried"
    if times.p50_us is None or times.p99_us is None:
        return f"raises {times.why}"
    return f"{format_figure(times.p50_us)} / {format_figure(times.p99_us)}"
