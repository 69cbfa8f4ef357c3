"""`livetrack bench latency`: the whole path of a frame beside its floors and peers."""

from __future__ import annotations

import argparse

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from livetrack.cli.output import terminal, write_json
from livetrack.errors import UsageError, reason

__all__ = ["latency"]


def latency(args: argparse.Namespace) -> int:
    """Measure latency on this machine, with progress; tell which targets are met."""
    try:
        import trackpy  # noqa: F401  here, so that it is not missed after minutes of work

        if args.figure:
            import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"the bench needs {error.name}, which is not installed: python -m pip install matplotlib scipy trackpy"
        ) from None
    from livetrack.bench.latency.report import markdown
    from livetrack.bench.latency.run import PARTS, run_latency

    only = args.only.split(",") if args.only else PARTS
    if args.figure and "path" not in only:
        raise UsageError("--figure: it shows the part path, which --only leaves out")
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=terminal(), transient=True) as bars:
        task = bars.add_task("warming up", total=1.0)
        report = run_latency(
            only=only,
            quick=args.quick,
            recording=args.recording,
            progress=lambda share, what: bars.update(task, completed=share, description=what),
        )
    write_json(args.json, report)
    text = markdown(report)
    if args.markdown is None:
        terminal(stderr=False).print(text)
    else:
        try:
            args.markdown.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--markdown {args.markdown}: cannot be written: {reason(error)}") from None
    if args.figure:
        from livetrack.bench.latency.figure import draw

        draw(report, args.figure)
    return 0
