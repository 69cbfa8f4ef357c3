"""Recipe in, model out."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch

from livetrack import __version__
from livetrack.errors import UsageError
from livetrack.localize.models import FORMAT
from livetrack.localize.network import NetworkLocalizer
from livetrack.training.card import accuracy_line, write_card
from livetrack.training.export import export
from livetrack.training.network import COARSEST, Network
from livetrack.training.recipe import Recipe, load_recipe
from livetrack.training.targets import draw_batch, loss_of
from livetrack.training.validate import Accuracy, validate

__all__ = ["Progress", "TrainingReport", "train"]

_RISE = 0.02  # share of the training over which the learning rate rises
_SAVE_EVERY_S = 120.0
_CLIP = 5.0  # largest norm of the gradient
_REMEMBER = 0.01  # weight of the newest step in the loss that is told


class Progress(NamedTuple):
    """Where a training stands: `share` of 1, and the loss per particle, averaged over some hundred steps."""

    step: int
    share: float
    loss: float
    elapsed_s: float


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
    """Ctrl-C ended it early."""
    accuracy_line: str
    """For a person: what is found, how precisely, and whether more training is needed."""
    overall: Accuracy
    accuracy: list[Accuracy]
    """By SNR."""


def train(
    recipe_path: str | Path,
    output_path: str | Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> TrainingReport:
    """Train the model of a recipe on simulated scenes and write it as ONNX, with a card (Markdown) beside it.

    Ctrl-C ends the training early, and what was learnt by then is written and measured; a second one ends it at
    once. The model is also written every two minutes, for a loss of power. With the same recipe, seed and number of
    steps the result is the same, up to the rounding of PyTorch's threads.

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
    progress
        Called after each step.

    Raises
    ------
    ConfigError
        The recipe is missing or wrong.
    UsageError
        The model cannot be written where it should go.
    KeyboardInterrupt
        Ctrl-C before the first step was done, or a second one.
    """
    recipe = load_recipe(recipe_path)
    output = Path(output_path)
    if output.suffix != ".onnx" or not output.parent.is_dir():
        raise UsageError(f"{output}: expected the name of an .onnx file in a folder that exists")
    seed = recipe.seed if seed is None else seed
    steps = recipe.training.steps if steps is None else steps
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    trainer = _Trainer(recipe)
    state = Progress(0, 0.0, math.nan, 0.0)
    interrupted = False
    start = saved = time.perf_counter()
    try:
        while state.share < 1:
            loss = trainer.step(rng, _rate(state.share))
            told = loss if state.step == 0 else state.loss + _REMEMBER * (loss - state.loss)
            now = time.perf_counter()
            step = state.step + 1
            share = max(step / steps, 0 if minutes is None else (now - start) / (60 * minutes))
            state = Progress(step, min(share, 1.0), told, now - start)
            if progress is not None:
                progress(state)
            if now - saved > _SAVE_EVERY_S:
                saved = now
                export(trainer.network, output, _metadata(recipe, seed, state.step))
    except KeyboardInterrupt:
        if state.step == 0:
            raise
        interrupted = True
    export(trainer.network, output, _metadata(recipe, seed, state.step))
    localizer = NetworkLocalizer(output)
    validation = validate(localizer, recipe)
    return TrainingReport(
        model=str(output),
        card=str(write_card(localizer, output, validation)),
        steps=state.step,
        scenes=state.step * recipe.training.batch,
        loss=state.loss,
        elapsed_s=state.elapsed_s,
        interrupted=interrupted,
        accuracy_line=accuracy_line(validation.overall),
        overall=validation.overall,
        accuracy=validation.by_snr,
    )


class _Trainer:
    """The network and its optimizer (AdamW: Loshchilov and Hutter, arXiv:1711.05101)."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.network = Network(recipe.network.channels)
        for weight in self.network.parameters():
            if weight.ndim == 4:  # convolutions are a third faster so
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self._optimizer = torch.optim.AdamW(self.network.parameters(), weight_decay=1e-4, fused=True)

    def step(self, rng: np.random.Generator, rate: float) -> float:
        """Learn from one batch; return its loss."""
        batch = draw_batch(self.recipe, rng)
        for group in self._optimizer.param_groups:
            group["lr"] = self.recipe.training.learning_rate * rate
        loss = loss_of(self.network(batch.inputs.to(memory_format=torch.channels_last)), batch)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self._optimizer.step()
        return loss.item()


def _rate(share: float) -> float:
    """Return the learning rate of its height: a linear rise, then a cosine down to zero."""
    return share / _RISE if share < _RISE else 0.5 * (1 + math.cos(math.pi * (share - _RISE) / (1 - _RISE)))


def _metadata(recipe: Recipe, seed: int, steps: int) -> dict[str, Any]:
    """Return what a localizer and a person must know of a model: the fields of `ModelCard`."""
    return {
        "name": recipe.name,
        "family": recipe.family,
        "description": recipe.description,
        "format": FORMAT,
        "multiple": COARSEST,
        "background_radius_px": recipe.network.background_radius_px,
        "crop_px": recipe.network.crop_px,
        "diameter_px": recipe.particles.typical_diameter_px,
        "contrast": recipe.particles.contrast,
        "threshold": recipe.threshold,
        "seed": seed,
        "steps": steps,
        "date": datetime.date.today().isoformat(),
        "livetrack": __version__,
        "recipe": msgspec.to_builtins(recipe),
    }
