"""Trains the model of a recipe."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from livetrack.errors import UsageError
from livetrack.localize.models import find_model
from livetrack.training.card import accuracy_line, write_card
from livetrack.training.isolated_accuracy import IsolatedAccuracy, measure_isolated
from livetrack.training.prefetch import prefetch_batches
from livetrack.training.recipe import find_start, load_recipe
from livetrack.training.run import Progress, TrainingRun
from livetrack.training.validate import Accuracy, validate

__all__ = ["Progress", "TrainingReport", "train"]


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """Result of a training: files, length, and accuracy on new scenes."""

    model: str
    card: str
    steps: int
    scenes: int
    loss: float
    elapsed_s: float
    interrupted: bool
    """True if Ctrl-C ended it early; started again, the same training continues."""
    accuracy_line: str
    """Recall, precision and false localisations in one line, and whether more training is needed."""
    overall: Accuracy
    accuracy: list[Accuracy]
    """By SNR."""
    isolated: list[IsolatedAccuracy]
    """Precision against the Cramér-Rao bound, by SNR."""


def train(
    recipe_path: str | Path,
    output_path: str | Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    start: str | Path | None = None,
    device: str = "auto",
    restart: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> TrainingReport:
    """Train the model of a recipe on simulated scenes; write it as ONNX, with a model card (Markdown) next to it.

    Ctrl-C ends the training early; the model is still written and evaluated. A second Ctrl-C stops at once. Every
    minute the state is saved to MODEL.checkpoint, from which the same training continues after any interruption. The
    same recipe, seed and number of steps give the same result, interrupted or not, up to the rounding of PyTorch's
    threads.

    Parameters
    ----------
    recipe_path
        A TOML file, see `Recipe`.
    output_path
        Model file to write, MODEL.onnx.
    minutes
        Time limit; the learning rate is scheduled to fall to zero by then.
    steps, seed
        Override those of the recipe.
    start
        Overrides that of the recipe; a relative path is one from the current folder.
    device
        PyTorch's name of a device, such as "cpu" or "cuda"; "auto" uses CUDA if available.
    restart
        Start over, even if there is a checkpoint.
    progress
        Called after each step.

    Raises
    ------
    ConfigError
        The recipe is missing or wrong.
    ModelError
        The model to start from is missing or unusable.
    UsageError
        The model cannot be written to `output_path`, the one to start from has other channels, the device is not
        available, or the checkpoint belongs to another training.
    LivetrackError
        The training diverged.
    KeyboardInterrupt
        Ctrl-C before the end of the first step, or a second Ctrl-C.
    """
    recipe = load_recipe(recipe_path)
    if start is None:
        start_path = find_start(recipe_path, recipe)
    else:
        start_path = find_model(start)
        recipe = structs.replace(recipe, training=structs.replace(recipe.training, start=str(start)))
    output = Path(output_path)
    if output.suffix != ".onnx" or not output.parent.is_dir():
        raise UsageError(f"{output}: expected an .onnx file in an existing folder")
    if start_path is not None and output.resolve() == start_path.resolve():
        raise UsageError(f"{output}: the training starts from this model; write to another file")
    run = TrainingRun(recipe, output, seed, steps, minutes, device, start_path)
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
