"""One training from step to step, and all that is kept of it."""

from __future__ import annotations

import datetime
import math
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch

from livetrack import __version__
from livetrack.errors import LivetrackError
from livetrack.localize.models import FORMAT
from livetrack.localize.network import NetworkLocalizer
from livetrack.training.calibrate import calibrate_scores
from livetrack.training.export import export
from livetrack.training.isolated_accuracy import IsolatedAccuracy, measure_isolated
from livetrack.training.learner import Learner, choose_device, load_checkpoint, save_checkpoint
from livetrack.training.network import COARSEST
from livetrack.training.profiles import draw_profiles
from livetrack.training.recipe import Recipe
from livetrack.training.targets import Batch
from livetrack.training.validate import Accuracy, validate

__all__ = ["Progress", "TrainingRun"]

_RISE = 0.02  # share of the training over which the learning rate rises
_SAVE_EVERY_S = 60.0
_LOOKS = 10  # times that the model is measured on the way
_LOOK_SCENES = 50
_LOOK_SNR = 10.0
_REMEMBER = 0.01  # weight of the newest step in the loss that is told


class Progress(NamedTuple):
    """Where a training stands: `share` of 1, and the loss per particle, averaged over some hundred steps."""

    step: int
    fraction: float
    loss: float
    elapsed_s: float
    """Of the training, with what an interrupted one had taken before."""
    accuracy: Accuracy | None = None
    """Of the model as it is after this step, on scenes that are always the same; None after most steps."""
    isolated: IsolatedAccuracy | None = None
    """Its precision for isolated particles, at the same steps."""


class TrainingRun:
    """One training, from its first step or from where an interrupted one was."""

    def __init__(
        self, recipe: Recipe, output: Path, seed: int | None, steps: int | None, minutes: float | None, device: str
    ) -> None:
        self.seed = recipe.seed if seed is None else seed
        self.state = Progress(0, 0.0, math.nan, 0.0)
        self.checkpoint = output.with_suffix(".checkpoint")
        self._recipe = recipe
        self._output = output
        self._steps = recipe.training.steps if steps is None else steps
        self._seconds = math.inf if minutes is None else 60 * minutes
        # a core for the thread that draws: where both want the same one, PyTorch's threads wait for each other
        torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - 1)))
        torch.manual_seed(self.seed)
        self._learner = Learner(recipe, choose_device(device))
        self._start = self._saved = time.perf_counter()

    def resume(self) -> None:
        """Go on from the checkpoint."""
        kept = load_checkpoint(self.checkpoint, self._recipe, self.seed, self._learner)
        self._start -= kept["elapsed_s"]
        self.state = Progress(kept["step"], 0.0, kept["loss"], kept["elapsed_s"])
        self.state = self.state._replace(fraction=self.fraction())

    def save(self) -> None:
        """Write the checkpoint."""
        kept = {"step": self.state.step, "loss": self.state.loss, "elapsed_s": self.state.elapsed_s}
        save_checkpoint(self.checkpoint, self._recipe, self.seed, self._learner, kept)
        self._saved = time.perf_counter()

    def fraction(self) -> float:
        """Return how much of the training is done by now, 0..1."""
        return min(1.0, max(self.state.step / self._steps, self._elapsed_s() / self._seconds))

    def learn(self, batch: Batch) -> None:
        """Take one step; now and then measure the model and write the checkpoint."""
        step, before, told = self.state.step, self.state.fraction, self.state.loss
        loss = self._learner.learn(batch, _rate(before))
        if not math.isfinite(loss):
            raise LivetrackError(f"the training diverged at step {step}: lower [training] learning_rate")
        told = loss if step == 0 else told + _REMEMBER * (loss - told)
        self.state = Progress(step + 1, before, told, self._elapsed_s())
        after = self.fraction()
        self.state = self.state._replace(fraction=after)
        if int(_LOOKS * before) < int(_LOOKS * after) < _LOOKS:
            localizer = self.write_model()
            accuracy = validate(localizer, self._recipe, _LOOK_SCENES).overall
            isolated = measure_isolated(localizer, self._recipe, (_LOOK_SNR,), _LOOK_SCENES)[0]
            self.state = self.state._replace(accuracy=accuracy, isolated=isolated)
        if time.perf_counter() - self._saved > _SAVE_EVERY_S:
            self.save()

    def write_model(self, calibrate: bool = False) -> NetworkLocalizer:
        """Export the network as it is now and open it; `calibrate` its scores, which takes some seconds, at the end."""
        metadata = _metadata(self._recipe, self.seed, self.state, self._learner.hardware)
        export(self._learner.network, self._output, metadata)
        if calibrate:
            metadata["score_law"] = calibrate_scores(self._output, self._recipe)
            export(self._learner.network, self._output, metadata)
        return NetworkLocalizer(self._output)

    def _elapsed_s(self) -> float:
        return time.perf_counter() - self._start


def _rate(share: float) -> float:
    """Return the learning rate of its height: a linear rise, then a cosine down to zero."""
    return share / _RISE if share < _RISE else 0.5 * (1 + math.cos(math.pi * (share - _RISE) / (1 - _RISE)))


def _metadata(recipe: Recipe, seed: int, state: Progress, hardware: str) -> dict[str, Any]:
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
        "symmetry": recipe.symmetry,
        "profiles": draw_profiles(recipe, seed),
        "oriented": recipe.oriented,
        "threshold": recipe.threshold,
        "seed": seed,
        "steps": state.step,
        "minutes": round(state.elapsed_s / 60, 2),
        "hardware": hardware,
        "date": datetime.date.today().isoformat(),
        "livetrack": __version__,
        "recipe": msgspec.to_builtins(recipe),
    }
