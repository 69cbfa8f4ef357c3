"""`livetrack bench linking`: the linker beside its peers."""

from __future__ import annotations

import argparse

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from livetrack.cli.output import terminal, write_json
from livetrack.errors import UsageError, reason

__all__ = ["linking"]


def linking(args: argparse.Namespace) -> int:
    """Measure the linker beside its peers, with progress; tell which targets are met."""
    try:
        import scipy  # noqa: F401
        import trackpy  # noqa: F401  here, so that it is not missed after minutes of work

        if args.figure:
            import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"the bench needs {error.name}, which is not installed: python -m pip install matplotlib scipy trackpy"
        ) from None
    from livetrack.bench.linking.report import markdown
    from livetrack.bench.linking.run import run_linking

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=terminal(), transient=True) as bars:
        task = bars.add_task("warming up", total=1.0)
        report = run_linking(
            quick=args.quick, progress=lambda share, what: bars.update(task, completed=share, description=what)
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
        from livetrack.bench.linking.figure import draw

        draw(report, args.figure)
    return 0
