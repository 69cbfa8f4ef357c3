"""`livetrack models` and `livetrack train`: the networks there are, and how a new one is made."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from livetrack.cli.terminal import ProgressBars, make_console, write_json
from livetrack.errors import UsageError

if TYPE_CHECKING:
    from livetrack.training import Progress as TrainingProgress

__all__ = ["models", "train"]


def models(args: argparse.Namespace) -> int:
    """List the shipped models and what each is for."""
    from livetrack.localize.models import shipped_models
    from livetrack.localize.network import NetworkLocalizer

    cards = [NetworkLocalizer(path).card for path in shipped_models().values()]
    table = Table(box=None)
    for heading in ("model", "diameter", "contrast", "for"):
        table.add_column(heading)
    for card in cards:
        table.add_row(card.name, f"{card.diameter_px:g} px", card.contrast, card.description)
    table.add_row("centroid", "set it", "set it", "yardstick: the intensity's centre, no network")
    table.add_row("radial_symmetry", "set it", "set it", "yardstick: where the gradients meet, no network")
    make_console(stderr=False).print(table)
    write_json(args.json, [msgspec.to_builtins(card) for card in cards])
    return 0


def train(args: argparse.Namespace) -> int:
    """Train a model, with progress and figures on the way; Ctrl-C saves what was learnt and returns 130."""
    from livetrack.training import load_recipe

    if args.list:
        return _list_recipes()
    if args.recipe is None or args.output is None:
        raise UsageError(
            "expected livetrack train RECIPE -o MODEL.onnx; livetrack train --list shows recipes to start from"
        )
    load_recipe(args.recipe)  # a mistake in it is told before PyTorch is loaded and the bar is drawn
    try:
        from livetrack.training import train as run
        from livetrack.training.card import accuracy_line, precision_line
    except ImportError as error:
        raise UsageError(
            f"training needs {error.name or 'PyTorch'}, which is not installed: python -m pip install torch onnx"
        ) from None

    console = make_console()
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with ProgressBars(*columns, console=console) as bars:
        task = bars.add_task("training", total=1.0)
        started = False

        def show(progress: TrainingProgress) -> None:
            nonlocal started
            if not started and progress.step > 1:
                bars.print(
                    f"goes on with the interrupted training after step {progress.step - 1}; --restart begins anew"
                )
            started = True
            description = f"training, step {progress.step}, loss {progress.loss:.3f}"
            bars.update(task, completed=progress.fraction, description=description)
            if progress.accuracy is not None and progress.isolated is not None:
                figures = f"{accuracy_line(progress.accuracy)} {precision_line(progress.isolated)}"
                bars.print(f"{progress.elapsed_s / 60:.1f} min, step {progress.step}: {figures}")

        report = run(
            args.recipe,
            args.output,
            minutes=args.minutes,
            seed=args.seed,
            device=args.device,
            restart=args.restart,
            progress=show,
        )
    done = "stopped early at step" if report.interrupted else "done at step"
    console.print(
        f"{done} {report.steps}: {report.model}, card {report.card}; {report.scenes} simulated scenes in "
        f"{report.elapsed_s / 60:.1f} min, loss {report.loss:.3f}\n{report.accuracy_line}",
    )
    if report.interrupted:
        console.print("The same command goes on from there.")
    write_json(args.json, report)
    return 130 if report.interrupted else 0


def _list_recipes() -> int:
    """Show where the shipped models' recipes and the examples are."""
    from livetrack.localize.models import models_folder
    from livetrack.toml_file import TomlDocument

    folder, console = models_folder(), make_console(stderr=False)
    for path in sorted(folder.glob("*.toml")) + sorted(folder.glob("examples/*.toml")):
        console.print(f"{path}\n    {TomlDocument(path).data['description']}")
    console.print("Copy one, change what is not as your particles, and train: livetrack train COPY.toml -o MODEL.onnx")
    return 0
