"""`livetrack bench`: livetrack beside its peers, its floors and the physical limit."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from livetrack.cli.terminal import ProgressBars, make_console, write_json
from livetrack.errors import UsageError, reason

__all__ = ["accuracy", "feedback", "latency", "linking", "window"]

_Show: TypeAlias = Callable[[float, str], None]


def accuracy(args: argparse.Namespace) -> int:
    """Measure the models beside the other methods, with progress; tell which targets are met."""
    _check_installed(args)
    from livetrack.bench.accuracy.methods import THREADS
    from livetrack.bench.accuracy.run import PARTS, run_accuracy
    from livetrack.localize.models import find_model, shipped_models
    from livetrack.localize.network import NetworkLocalizer

    only = args.only.split(",") if args.only else PARTS
    if args.figure and not {"spot", "bead"} & set(only):
        raise UsageError("--figure: it shows the parts spot and bead; --only leaves both out")
    paths = shipped_models() | {file: find_model(file) for file in args.model}
    models = {name: NetworkLocalizer(path, threads=THREADS) for name, path in paths.items()}
    with _progress("loading") as show:
        report = run_accuracy(
            models,
            only=only,
            with_peers=not args.without_peers,
            quick=args.quick,
            recording=args.recording,
            progress=show,
        )
    return _report(report, "accuracy", args)


def linking(args: argparse.Namespace) -> int:
    """Measure the linker beside its peers, with progress; tell which targets are met."""
    _check_installed(args)
    from livetrack.bench.linking.run import run_linking

    with _progress("warming up") as show:
        report = run_linking(quick=args.quick, progress=show)
    return _report(report, "linking", args)


def latency(args: argparse.Namespace) -> int:
    """Measure latency on this machine, with progress; tell which targets are met."""
    _check_installed(args, "psutil")
    from livetrack.bench.latency.run import PARTS, run_latency

    only = args.only.split(",") if args.only else () if args.soak else PARTS
    if args.figure and "path" not in only:
        raise UsageError(f"--figure: it shows the part path, which {'--only' if args.only else '--soak'} leaves out")
    with _progress("warming up") as show:
        report = run_latency(
            only=only, quick=args.quick, recording=args.recording, soak_minutes=args.soak, progress=show
        )
    return _report(report, "latency", args)


def window(args: argparse.Namespace) -> int:
    """Measure the window on this machine, with progress; tell which targets are met."""
    from livetrack.bench.viewer.run import PARTS, run_window

    only = args.only.split(",") if args.only else PARTS
    with _progress("warming up") as show:
        report = run_window(only=only, quick=args.quick, progress=show)
    return _report(report, "window", args)


def feedback(args: argparse.Namespace) -> int:
    """Measure feedback loops beside theory, with progress; tell which targets are met."""
    from livetrack.bench.feedback.run import PARTS, run_feedback

    only = args.only.split(",") if args.only else PARTS
    with _progress("warming up") as show:
        report = run_feedback(only=only, quick=args.quick, progress=show)
    return _report(report, "feedback", args)


def _check_installed(args: argparse.Namespace, *more: str) -> None:
    """Refuse a bench that would miss a package after minutes of work."""
    needed = ["scipy", "trackpy", *more, *(["matplotlib"] if args.figure else [])]
    try:
        for package in needed:
            import_module(package)
    except ImportError as error:
        raise UsageError(
            f"the bench needs {error.name or package}, which is not installed: "
            f"python -m pip install {' '.join(sorted({'matplotlib', *needed}))}"
        ) from None


@contextmanager
def _progress(first: str) -> Iterator[_Show]:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with ProgressBars(*columns, console=make_console(), transient=True) as bars:
        task = bars.add_task(first, total=1.0)
        yield lambda share, what: bars.update(task, completed=share, description=what)


def _report(report: Any, bench: str, args: argparse.Namespace) -> int:
    """Write the report as JSON, as Markdown and as a figure, as it was wanted."""
    write_json(args.json, report)
    text = import_module(f"livetrack.bench.{bench}.report").markdown(report)
    if args.markdown is None:
        make_console(stderr=False).print(text)
    else:
        _write(args.markdown, text)
    if getattr(args, "figure", None):
        import_module(f"livetrack.bench.{bench}.figure").draw(report, args.figure)
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--markdown {path}: cannot be written: {reason(error)}") from None
