"""`livetrack learn`: trains a model of one particle of a running session."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from livetrack.cli.arguments import add_address, add_json, positive, positive_int
from livetrack.cli.priority import lower_priority
from livetrack.cli.signals import end_on_eof
from livetrack.cli.terminal import make_console, write_json
from livetrack.cli.training_bars import TrainingBars, check_installed
from livetrack.client import Remote
from livetrack.errors import UsageError

if TYPE_CHECKING:
    from livetrack.training import Progress
    from livetrack.training.isolated_accuracy import IsolatedAccuracy
    from livetrack.training.particle.align import AlignedParticle
    from livetrack.training.validate import Accuracy

__all__ = ["add_arguments", "run"]

_LINE_INTERVAL_S = 0.2
_WINDOW_SNR = 10.0  # of the error that the window shows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("-o", "--output", type=Path, metavar="MODEL", required=True, help="model to write, .onnx")
    parser.add_argument(
        "--particle", type=int, metavar="ID", help="id of the particle's track (default: the session's target)"
    )
    parser.add_argument(
        "--at", nargs=2, type=float, metavar=("X", "Y"), help="where it was last, px, in case its track has ended"
    )
    parser.add_argument(
        "--minutes", type=positive, default=3.0, metavar="MIN", help="duration of the training (default: %(default)g)"
    )
    parser.add_argument(
        "--crops", type=positive_int, default=150, metavar="N", help="images of it to average (default: %(default)s)"
    )
    parser.add_argument("--use", action="store_true", help="then make the session use the model")
    add_address(parser, "--address")
    add_json(parser)
    parser.add_argument("--for-window", action="store_true", help=argparse.SUPPRESS)  # see `_Lines`


def run(args: argparse.Namespace) -> int:
    """Learn a particle, with progress; Ctrl-C ends the training early, and the model is written all the same."""
    check_installed()
    if args.output.suffix != ".onnx" or not args.output.parent.is_dir():
        raise UsageError(f"{args.output}: expected an .onnx file in an existing folder")
    if args.for_window:
        end_on_eof()
    with Remote(args.address) as remote:
        remote.state()  # fails here, while the priority is normal, if there is no engine
    lower_priority()
    from livetrack.training.particle.learn import learn_particle

    console = make_console()
    with TrainingBars(console) as bars:
        view: _View = _Lines(args.crops) if args.for_window else _Bars(bars, args.crops)
        learnt = learn_particle(
            args.address,
            args.output,
            particle=args.particle,
            at=args.at,
            crops=args.crops,
            minutes=args.minutes,
            collected=view.collected,
            aligned=view.aligned,
            progress=view.trained,
        )
    report = learnt.report
    if args.for_window:
        at_snr = next((each for each in report.isolated if each.snr == _WINDOW_SNR), None)
        print(f"1 {_quality(report.overall, at_snr)}", flush=True)
    else:
        console.print(f"trained {report.steps} steps: {report.model}, card {report.card}\n{report.accuracy_line}")
    average = learnt.average
    results = {
        "particle": learnt.particle, "crops": average.used, "snr": average.snr, "diameter_px": average.diameter_px,
        "symmetry": average.symmetry, "training": report,
    }  # fmt: skip
    write_json(args.json, results)
    if args.use:
        with Remote(args.address) as remote:
            console.print(f"the session uses {remote.swap_model(args.output.resolve())}")
    elif not args.for_window:
        console.print(f"To use it: livetrack run --set localizer.model={args.output}, or, in the window, Model")
    return 130 if report.interrupted else 0


class _View(Protocol):
    """Shows the progress of `learn_particle`."""

    def collected(self, crops: int) -> None: ...
    def aligned(self, particle: int, average: AlignedParticle) -> None: ...
    def trained(self, progress: Progress) -> None: ...


class _Bars:
    """For people."""

    def __init__(self, bars: TrainingBars, crops: int) -> None:
        self._bars = bars
        self._task = bars.add_task("collecting images", total=crops)
        self.trained = bars.show

    def collected(self, crops: int) -> None:
        self._bars.update(self._task, completed=crops)

    def aligned(self, particle: int, average: AlignedParticle) -> None:
        self._bars.update(self._task, visible=False)
        self._bars.print(_description(particle, average))


class _Lines:
    """For the window: a line of standard output is the fraction done, a space, and what to show."""

    def __init__(self, crops: int) -> None:
        self._crops = crops
        self._particle = self._quality = ""
        self._printed_s = 0.0

    def collected(self, crops: int) -> None:
        self._print(0.0, f"collecting images: {crops} of {self._crops}")

    def aligned(self, particle: int, average: AlignedParticle) -> None:
        self._particle = _description(particle, average)
        self._print(0.0, self._particle, at_once=True)

    def trained(self, progress: Progress) -> None:
        if progress.accuracy is not None:
            self._quality = _quality(progress.accuracy, progress.isolated)
        self._print(progress.fraction, f"step {progress.step}: {self._quality or self._particle}")

    def _print(self, fraction: float, text: str, at_once: bool = False) -> None:
        now_s = time.monotonic()
        if at_once or now_s - self._printed_s >= _LINE_INTERVAL_S:
            self._printed_s = now_s
            print(f"{fraction:.4f} {text}", flush=True)


def _quality(accuracy: Accuracy, isolated: IsolatedAccuracy | None) -> str:
    """Return the accuracy in simulated scenes in a few words."""
    text = f"{100 * accuracy.recall:.0f} % found, {100 * accuracy.false_fraction:.0f} % of the rows false"
    if isolated is None or not isolated.recall:
        return text
    return f"{text}, error {isolated.over_bound:.2f} x the Cramér-Rao bound at SNR {isolated.snr:g}"


def _description(particle: int, average: AlignedParticle) -> str:
    symmetry = {"round": "round", "half turn": "the same after half a turn", "none": "without symmetry"}
    return (
        f"particle {particle}: SNR {abs(average.snr):.1f}, {average.diameter_px:.1f} px wide, "
        f"{symmetry[average.symmetry]}, from {average.used} images"
    )
