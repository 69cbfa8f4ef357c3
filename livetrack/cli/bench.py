"""`livetrack bench`: livetrack beside its peers and the physical limit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from livetrack.cli.output import terminal, write_json
from livetrack.errors import UsageError, reason
from livetrack.localize.models import shipped_models
from livetrack.localize.network import NetworkLocalizer

if TYPE_CHECKING:
    from livetrack.bench.accuracy.report import Report

__all__ = ["accuracy"]


def accuracy(args: argparse.Namespace) -> int:
    """Measure the models beside the other methods, with progress; tell which targets are met."""
    try:
        import trackpy  # noqa: F401  here, so that it is not missed after minutes of work

        from livetrack.bench.accuracy.run import PARTS, run_accuracy

        if args.figure:
            import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"the bench needs {error.name or 'SciPy'}, which is not installed: "
            "python -m pip install matplotlib scipy trackpy"
        ) from None

    only = args.only.split(",") if args.only else PARTS
    if args.figure and not {"spot", "bead"} & set(only):
        raise UsageError("--figure: it shows the parts spot and bead; --only leaves both out")
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=terminal(), transient=True) as bars:
        task = bars.add_task("loading", total=1.0)

        def show(share: float, what: str) -> None:
            bars.update(task, completed=share, description=what)

        report = run_accuracy(
            _models(args.model),
            only=only,
            with_peers=not args.without_peers,
            quick=args.quick,
            recording=args.recording,
            progress=show,
        )
    write_json(args.json, report)
    _tell(report, args)
    return 0


def _models(files: list[str]) -> dict[str, NetworkLocalizer]:
    """Return the shipped models, then those of `files`, each by a name of its own."""
    from livetrack.bench.accuracy.methods import THREADS
    from livetrack.localize.models import find_model

    paths = shipped_models() | {file: find_model(file) for file in files}
    return {name: NetworkLocalizer(path, threads=THREADS) for name, path in paths.items()}


def _tell(report: Report, args: argparse.Namespace) -> None:
    from livetrack.bench.accuracy.report import markdown

    text = markdown(report)
    if args.markdown is None:
        terminal(stderr=False).print(text)
    else:
        _write(args.markdown, text)
    if args.figure:
        from livetrack.bench.accuracy.figure import draw

        draw(report, args.figure)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--markdown {path}: cannot be written: {reason(error)}") from None
