"""`livetrack bench`: benchmarks livetrack against other trackers and theoretical limits."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from livetrack.cli.arguments import add_debug, add_json, new_figure, new_file, positive
from livetrack.cli.terminal import ProgressBars, make_console, write_json
from livetrack.errors import UsageError, reason
from livetrack.whole_file import write_whole

if TYPE_CHECKING:
    from livetrack.bench.report import Report

__all__ = ["add_arguments", "run"]

_ACCURACY_PARTS = "spot, bead, light, size, detection, empty, density, finding, touching, training, recording, speed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmarks and their arguments."""
    benches = parser.add_subparsers(metavar="BENCH", required=True)
    verdict = "shorter, with %s of the %s: no verdict on the targets"

    bench = _add(
        benches,
        "accuracy",
        _accuracy,
        "localisation error, detection and uncertainty against the Cramér-Rao bound",
        quick=verdict % ("an eighth", "images"),
    )
    bench.add_argument("--only", metavar="PART,...", help=f"parts to run: {_ACCURACY_PARTS} (all)")
    bench.add_argument(
        "--model", action="append", default=[], metavar="FILE", help="also measure this model; may be repeated"
    )
    bench.add_argument("--without-peers", action="store_true", help="measure the models only, no other methods")
    bench.add_argument("--recording", type=Path, metavar="TIF", help="bulk_water.tif, for the targets on real beads")
    bench.add_argument("--figure", type=new_figure, metavar="PNG", help="plot error against SNR")

    bench = _add(
        benches,
        "linking",
        _linking,
        "time per frame, correct links and total cost against other linkers",
        quick="shorter, with up to 1,000 particles and one scene of each kind: no verdict on the targets",
    )
    bench.add_argument("--figure", type=new_figure, metavar="PNG", help="plot time against number of particles")

    bench = _add(
        benches,
        "latency",
        _latency,
        "latency of a frame from end to end, against its lower limits, full search and trackpy",
        quick=verdict % ("a quarter", "frames"),
    )
    bench.add_argument("--only", metavar="PART,...", help="parts to run; an unknown one lists them all")
    bench.add_argument("--recording", type=Path, metavar="TIF", help="bulk_water.tif, for trackpy on real beads")
    bench.add_argument(
        "--soak", type=positive, default=0.0, metavar="MINUTES", help="instead run one session for MINUTES"
    )
    bench.add_argument("--figure", type=new_figure, metavar="PNG", help="plot where the time goes")

    bench = _add(
        benches,
        "window",
        _window,
        "refresh of the window against a bare view, and its effect on the engine",
        quick=verdict % ("a quarter", "refreshes"),
    )
    bench.add_argument("--only", metavar="PART,...", help="parts to run: refresh, beside, busy (all)")

    bench = _add(
        benches,
        "feedback",
        _feedback,
        "feedback loops against theory, and the calibration of a trap",
        quick=verdict % ("an eighth", "frames"),
    )
    bench.add_argument("--only", metavar="PART,...", help="parts to run: theory, edge, live, stiffness (all)")


def run(args: argparse.Namespace) -> int:
    """Run the chosen benchmark, with progress; print which targets are met."""
    _write(args.bench(args), args)
    return 0


def _add(
    benches: Any, name: str, run_bench: Callable[[argparse.Namespace], Report], what: str, *, quick: str
) -> argparse.ArgumentParser:
    """Add a benchmark's parser, with the options that all of them have."""
    parser: argparse.ArgumentParser = benches.add_parser(name, help=what, description=what[:1].upper() + what[1:] + ".")
    parser.set_defaults(bench=run_bench)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--markdown", type=new_file, metavar="FILE", help="write the tables to FILE, do not print them")
    add_json(parser)
    add_debug(parser)
    return parser


def _accuracy(args: argparse.Namespace) -> Report:
    """Compare the models with other methods."""
    _check_installed(args)
    from livetrack.bench.accuracy.methods import THREADS
    from livetrack.bench.accuracy.run import PARTS, run_accuracy
    from livetrack.localize.models import find_model, shipped_models
    from livetrack.localize.network import NetworkLocalizer

    only = _parts(args, PARTS)
    if args.figure and not {"spot", "bead"} & set(only):
        raise UsageError("--figure shows the parts spot and bead, and --only excludes both")
    paths = shipped_models() | {file: find_model(file) for file in args.model}
    models = {name: NetworkLocalizer(path, threads=THREADS) for name, path in paths.items()}
    with _progress("loading") as progress:
        return run_accuracy(
            models,
            only=only,
            with_peers=not args.without_peers,
            quick=args.quick,
            recording=args.recording,
            progress=progress,
        )


def _linking(args: argparse.Namespace) -> Report:
    """Compare the linker with others."""
    _check_installed(args)
    from livetrack.bench.linking.run import run_linking

    with _progress() as progress:
        return run_linking(quick=args.quick, progress=progress)


def _latency(args: argparse.Namespace) -> Report:
    """Measure latency on this machine."""
    _check_installed(args, "psutil")
    from livetrack.bench.latency.run import PARTS, run_latency

    only = _parts(args, () if args.soak else PARTS)
    if args.figure and "path" not in only:
        raise UsageError(f"--figure shows the part path, which {'--only' if args.only else '--soak'} excludes")
    with _progress() as progress:
        return run_latency(
            only=only, quick=args.quick, recording=args.recording, soak_minutes=args.soak, progress=progress
        )


def _window(args: argparse.Namespace) -> Report:
    """Measure the window on this machine."""
    from livetrack.bench.viewer.run import PARTS, run_window

    with _progress() as progress:
        return run_window(only=_parts(args, PARTS), quick=args.quick, progress=progress)


def _feedback(args: argparse.Namespace) -> Report:
    """Compare feedback loops with theory."""
    from livetrack.bench.feedback.run import PARTS, run_feedback

    with _progress() as progress:
        return run_feedback(only=_parts(args, PARTS), quick=args.quick, progress=progress)


def _parts(args: argparse.Namespace, default: Sequence[str]) -> Sequence[str]:
    return args.only.split(",") if args.only else default


def _check_installed(args: argparse.Namespace, *more: str) -> None:
    """Raise now if a package is missing, not after minutes of work."""
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
def _progress(first: str = "warming up") -> Iterator[Callable[[float, str], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with ProgressBars(*columns, console=make_console(), transient=True) as bars:
        task = bars.add_task(first, total=1.0)
        yield lambda fraction, label: bars.update(task, completed=fraction, description=label)


def _write(report: Report, args: argparse.Namespace) -> None:
    """Write the report as JSON, as Markdown (to the terminal by default) and as a figure, as requested."""
    from livetrack.bench.report import markdown

    write_json(args.json, report)
    text = markdown(report)
    if args.markdown is None:
        make_console(stderr=False).print(text)
    else:
        try:
            write_whole(args.markdown, text)
        except OSError as error:
            raise UsageError(f"--markdown {args.markdown}: cannot be written: {reason(error)}") from None
    if getattr(args, "figure", None):
        import_module(f"livetrack.bench.{report.bench}.figure").draw(report, args.figure)
