"""One training run: its steps, progress, checkpoint and model file."""

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
from livetrack.training.calibrate import TYPICAL_WEIGHTS, calibrate_scores, filters_for, fit_decision
from livetrack.training.export import export
from livetrack.training.isolated_accuracy import IsolatedAccuracy, measure_isolated
from livetrack.training.learner import Learner, choose_device, load_checkpoint, save_checkpoint
from livetrack.training.network import COARSEST
from livetrack.training.profiles import draw_profiles
from livetrack.training.recipe import Recipe
from livetrack.training.start import load_start
from livetrack.training.targets import Batch
from livetrack.training.validate import Accuracy, validate

__all__ = ["Progress", "TrainingRun"]

_RISE = 0.02  # fraction of the training over which the learning rate rises
_SAVE_EVERY_S = 60.0
_EVALUATIONS = 10  # during the training
_EVALUATION_SCENES = 50
_EVALUATION_SNR = 10.0
_NEWEST_WEIGHT = 0.01  # of the newest step in the averaged loss


class Progress(NamedTuple):
    """Progress of a training: `fraction` done, 0..1, and loss per particle, averaged over about a hundred steps."""

    step: int
    fraction: float
    loss: float
    elapsed_s: float
    """Training time, including that before an interruption."""
    accuracy: Accuracy | None = None
    """Of the model after this step, always on the same scenes; None after most steps."""
    isolated: IsolatedAccuracy | None = None
    """Its precision for isolated particles, after the same steps."""


class TrainingRun:
    """One training, from its first step or from a checkpoint."""

    def __init__(
        self,
        recipe: Recipe,
        output: Path,
        seed: int | None,
        steps: int | None,
        minutes: float | None,
        device: str,
        start: Path | None = None,
    ) -> None:
        self.seed = recipe.seed if seed is None else seed
        self.state = Progress(0, 0.0, math.nan, 0.0)
        self.checkpoint = output.with_suffix(".checkpoint")
        self._recipe = recipe
        self._output = output
        self._steps = recipe.training.steps if steps is None else steps
        self._seconds = math.inf if minutes is None else 60 * minutes
        # leave a core to the thread that draws: on a shared core, PyTorch's threads wait for each other
        torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - 1)))
        torch.manual_seed(self.seed)
        self._learner = Learner(recipe, choose_device(device))
        self._start_model = load_start(start, self._learner.network) if start else ""
        self._start = self._saved = time.perf_counter()

    def resume(self) -> None:
        """Continue from the checkpoint."""
        saved = load_checkpoint(self.checkpoint, self._recipe, self.seed, self._learner)
        self._start -= saved["elapsed_s"]
        self.state = Progress(saved["step"], 0.0, saved["loss"], saved["elapsed_s"])
        self.state = self.state._replace(fraction=self.fraction())

    def save(self) -> None:
        """Write the checkpoint."""
        numbers = {"step": self.state.step, "loss": self.state.loss, "elapsed_s": self.state.elapsed_s}
        save_checkpoint(self.checkpoint, self._recipe, self.seed, self._learner, numbers)
        self._saved = time.perf_counter()

    def fraction(self) -> float:
        """Return the fraction of the training that is done, 0..1."""
        return min(1.0, max(self.state.step / self._steps, self._elapsed_s() / self._seconds))

    def learn(self, batch: Batch) -> None:
        """Take one step; from time to time evaluate the model and write the checkpoint."""
        step, before, average = self.state.step, self.state.fraction, self.state.loss
        loss = self._learner.learn(batch, _rate(before))
        if not math.isfinite(loss):
            raise LivetrackError(f"the training diverged at step {step}; lower [training] learning_rate")
        average = loss if step == 0 else average + _NEWEST_WEIGHT * (loss - average)
        self.state = Progress(step + 1, before, average, self._elapsed_s())
        after = self.fraction()
        self.state = self.state._replace(fraction=after)
        if int(_EVALUATIONS * before) < int(_EVALUATIONS * after) < _EVALUATIONS:
            localizer = self.write_model()
            accuracy = validate(localizer, self._recipe, _EVALUATION_SCENES).overall
            isolated = measure_isolated(localizer, self._recipe, (_EVALUATION_SNR,), _EVALUATION_SCENES)[0]
            self.state = self.state._replace(accuracy=accuracy, isolated=isolated)
        if time.perf_counter() - self._saved > _SAVE_EVERY_S:
            self.save()

    def write_model(self, calibrate: bool = False) -> NetworkLocalizer:
        """Export the network in its current state and open it; `calibrate` its scores too, which takes seconds."""
        metadata = _metadata(self._recipe, self.seed, self.state, self._learner.hardware, self._start_model)
        export(self._learner.network, self._output, metadata)
        if calibrate:
            threads = torch.get_num_threads()
            if metadata["filters_px"]:
                metadata["decision_weights"] = fit_decision(self._output, self._recipe, threads)
            else:
                metadata["score_law"] = calibrate_scores(self._output, self._recipe, threads)
            export(self._learner.network, self._output, metadata)
        return NetworkLocalizer(self._output, threads=torch.get_num_threads())

    def _elapsed_s(self) -> float:
        return time.perf_counter() - self._start


def _rate(fraction: float) -> float:
    """Return the learning rate relative to its peak: a linear rise, then a cosine down to zero."""
    return fraction / _RISE if fraction < _RISE else 0.5 * (1 + math.cos(math.pi * (fraction - _RISE) / (1 - _RISE)))


def _metadata(recipe: Recipe, seed: int, state: Progress, hardware: str, start: str) -> dict[str, Any]:
    """Return the metadata of the model file: the fields of `ModelCard`."""
    filters = filters_for(recipe)
    return {
        "name": recipe.name,
        "family": recipe.family,
        "description": recipe.description,
        "format": FORMAT,
        "multiple": COARSEST,
        "background_radius_px": recipe.network.background_radius_px,
        "input_scale": recipe.network.input_scale,
        "crop_px": recipe.network.crop_px,
        "diameter_px": recipe.particles.typical_diameter_px,
        "contrast": recipe.particles.contrast,
        "symmetry": recipe.symmetry,
        "profiles": draw_profiles(recipe, seed),
        "oriented": recipe.oriented,
        "filters_px": filters,
        "decision_weights": TYPICAL_WEIGHTS if filters else [],
        "threshold": recipe.threshold,
        "seed": seed,
        "start": start,
        "steps": state.step,
        "minutes": round(state.elapsed_s / 60, 2),
        "hardware": hardware,
        "date": datetime.date.today().isoformat(),
        "livetrack": __version__,
        "recipe": msgspec.to_builtins(recipe),
    }
