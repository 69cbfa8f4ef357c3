"""Learns one particle of a running session: crops, recipe, training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from livetrack.client import Remote
from livetrack.errors import UsageError
from livetrack.localize.models import shipped_models
from livetrack.training.particle.align import AlignedParticle, align_crops
from livetrack.training.particle.crops import collect_crops
from livetrack.training.particle.write import write_recipe

if TYPE_CHECKING:
    from livetrack.training.trainer import Progress, TrainingReport

__all__ = ["LearntParticle", "learn_particle"]

_START = "bead"  # unless the session uses another shipped model


class LearntParticle(NamedTuple):
    """The result of `learn_particle`."""

    particle: int
    """Id of the track."""
    average: AlignedParticle
    report: TrainingReport


def learn_particle(
    address: str,
    output: str | Path,
    *,
    particle: int | None = None,
    at: tuple[float, float] | None = None,
    crops: int = 150,
    minutes: float = 3.0,
    threads: int = 1,
    collected: Callable[[int], None] | None = None,
    aligned: Callable[[int, AlignedParticle], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> LearntParticle:
    """Train a model of one particle of the engine at `address`, from nothing but its own images.

    Crops of its track are collected over the next seconds and averaged; a recipe with that image as template is written
    next to the model (.toml and .tif), and trained. The session continues; `Remote.swap_model` makes it use the model.

    Parameters
    ----------
    output
        Model file to write, MODEL.onnx.
    particle
        Id of the track; None for the target.
    at
        Where it was last, px; see `collect_crops`.
    crops
        Number of crops to collect.
    minutes
        Duration of the training.
    threads
        PyTorch's threads.
    collected, aligned, progress
        Called with the number of crops after each, with the particle's id and average, and after each training step.

    Raises
    ------
    UsageError
        There is no such particle, its crops cannot be averaged, or a file cannot be written.
    LivetrackError
        The engine does not respond, or the particle was lost.
    """
    output = Path(output)
    if output.suffix != ".onnx" or not output.parent.is_dir():
        raise UsageError(f"{output}: expected an .onnx file in an existing folder")
    with Remote(address) as remote:
        model = remote.state().model
    found = collect_crops(address, particle, at=at, count=crops, progress=collected)
    average = align_crops(found.grey, found.x, found.y)
    if aligned is not None:
        aligned(found.particle, average)
    recipe = output.with_suffix(".toml")
    write_recipe(recipe, average, model if model in shipped_models() else _START)
    import torch  # here: it loads for seconds, in which the particle moves

    from livetrack.training.trainer import train

    torch.set_num_threads(threads)
    report = train(recipe, output, minutes=minutes, device="cpu", restart=True, progress=progress)
    return LearntParticle(found.particle, average, report)
