"""`livetrack train`: trains a model from a recipe."""

from __future__ import annotations

import argparse
from pathlib import Path

from livetrack.cli.arguments import add_json, positive
from livetrack.cli.terminal import make_console, write_json
from livetrack.cli.training_bars import TrainingBars, check_installed
from livetrack.errors import UsageError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("recipe", nargs="?", type=Path, help="recipe, .toml")
    parser.add_argument("-o", "--output", type=Path, metavar="MODEL", help="model to write, .onnx")
    parser.add_argument("--list", action="store_true", help="list recipes to start from")
    parser.add_argument(
        "--minutes", type=positive, metavar="MIN", help="stop after MIN minutes (default: after the recipe's steps)"
    )
    parser.add_argument("--seed", type=int, help="random seed (default: the recipe's)")
    parser.add_argument(
        "--start",
        metavar="MODEL",
        help="begin with the weights of a shipped model or an .onnx file (default: the recipe's)",
    )
    parser.add_argument(
        "--device", default="auto", help="PyTorch device to train on, e.g. cpu or cuda (default: a GPU if there is one)"
    )
    parser.add_argument(
        "--restart", action="store_true", help="start from scratch instead of continuing an interrupted training"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Train a model, with progress; Ctrl-C saves the training so far and returns 130."""
    from livetrack.training import load_recipe

    if args.list:
        return _list_recipes()
    if args.recipe is None or args.output is None:
        raise UsageError(
            "usage: livetrack train RECIPE -o MODEL.onnx; `livetrack train --list` shows recipes to start from"
        )
    load_recipe(args.recipe)  # reports a mistake before PyTorch is loaded
    check_installed()
    from livetrack.training import train

    console = make_console()
    with TrainingBars(console) as bars:
        report = train(
            args.recipe,
            args.output,
            minutes=args.minutes,
            seed=args.seed,
            start=args.start,
            device=args.device,
            restart=args.restart,
            progress=bars.show,
        )
    done = "stopped at step" if report.interrupted else "finished at step"
    console.print(
        f"{done} {report.steps}: {report.model}, card {report.card}; {report.scenes} simulated scenes in "
        f"{report.elapsed_s / 60:.1f} min, loss {report.loss:.3f}\n{report.accuracy_line}",
    )
    if report.interrupted:
        console.print("Run the same command again to continue.")
    write_json(args.json, report)
    return 130 if report.interrupted else 0


def _list_recipes() -> int:
    """List the recipes of the shipped models, and the examples."""
    from livetrack.localize.models import models_folder
    from livetrack.toml_file import TomlDocument

    folder, console = models_folder(), make_console(stderr=False)
    for path in sorted(folder.glob("*.toml")) + sorted(folder.glob("examples/*.toml")):
        console.print(f"{path}\n    {TomlDocument(path).data['description']}")
    console.print("Copy one, adapt it to your particles, and train: livetrack train COPY.toml -o MODEL.onnx")
    return 0
