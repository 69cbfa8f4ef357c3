"""Recipe in, model out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from livetrack.errors import UsageError
from livetrack.training.card import accuracy_line, write_card
from livetrack.training.isolated_accuracy import IsolatedAccuracy, measure_isolated
from livetrack.training.prefetch import prefetch_batches
from livetrack.training.recipe import load_recipe
from livetrack.training.run import Progress, TrainingRun
from livetrack.training.validate import Accuracy, validate

__all__ = ["Progress", "TrainingReport", "train"]


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What came of a training: the model, the card beside it, and how accurate it is on new scenes."""

    model: str
    card: str
    steps: int
    scenes: int
    loss: float
    elapsed_s: float
    interrupted: bool
    """Ctrl-C ended it early; the same training started again goes on from there."""
    accuracy_line: str
    """For a person: what is found, how precisely, and whether more training is needed."""
    overall: Accuracy
    accuracy: list[Accuracy]
    """By SNR."""
    isolated: list[IsolatedAccuracy]
    """Precision against the physical limit, by SNR."""


def train(
    recipe_path: str | Path,
    output_path: str | Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    restart: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> TrainingReport:
    """Train the model of a recipe on simulated scenes and write it as ONNX, with a card (Markdown) beside it.

    Ctrl-C ends the training early, and what was learnt by then is written and measured; a second one ends it at
    once. Every minute all is kept in MODEL.checkpoint: after an interruption of any kind the same training goes on
    from there. With the same recipe, seed and number of steps the result is the same, interrupted or not, up to the
    rounding of PyTorch's threads.

    Parameters
    ----------
    recipe_path
        A TOML file, see `Recipe`.
    output_path
        The model to be written, MODEL.onnx.
    minutes
        Stop after so long even if `steps` are not done; the learning rate is planned to fall by then.
    steps, seed
        Instead of the recipe's.
    device
        PyTorch's name of what to train on, as "cpu" or "cuda"; "auto" takes CUDA where it is there.
    restart
        Begin anew where an interrupted training could be continued.
    progress
        Called after each step.

    Raises
    ------
    ConfigError
        The recipe is missing or wrong.
    UsageError
        The model cannot be written where it should go, the device cannot be used, or what an interrupted training
        has left belongs to another one.
    LivetrackError
        The training has diverged.
    KeyboardInterrupt
        Ctrl-C before the first step was done, or a second one.
    """
    recipe = load_recipe(recipe_path)
    output = Path(output_path)
    if output.suffix != ".onnx" or not output.parent.is_dir():
        raise UsageError(f"{output}: expected the name of an .onnx file in a folder that exists")
    run = TrainingRun(recipe, output, seed, steps, minutes, device)
    if run.checkpoint.exists() and not restart:
        run.resume()
    first = run.state.step
    interrupted = False
    try:
        with closing(prefetch_batches(recipe, run.seed, first)) as batches:
            while run.state.fraction < 1:
                run.learn(next(batches))
                if progress is not None:
                    progress(run.state)
    except KeyboardInterrupt:
        if run.state.step == first:
            raise
        interrupted = True
        run.save()
    localizer = run.write_model(calibrate=True)
    validation = validate(localizer, recipe)
    isolated = measure_isolated(localizer, recipe)
    card = write_card(localizer, recipe, output, validation, isolated)
    if not interrupted:
        run.checkpoint.unlink(missing_ok=True)
    return TrainingReport(
        model=str(output),
        card=str(card),
        steps=run.state.step,
        scenes=run.state.step * recipe.training.batch,
        loss=run.state.loss,
        elapsed_s=run.state.elapsed_s,
        interrupted=interrupted,
        accuracy_line=accuracy_line(validation.overall),
        overall=validation.overall,
        accuracy=validation.by_snr,
        isolated=isolated,
    )
