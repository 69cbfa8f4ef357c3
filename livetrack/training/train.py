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
from livetrack.localize.decode import STRIDE
from livetrack.localize.normalize import INPUT_VERSION
from livetrack.training.export import export
from livetrack.training.network import COARSEST, UNet
from livetrack.training.recipe import Recipe, load_recipe
from livetrack.training.targets import draw_batch, loss_of

__all__ = ["Progress", "TrainingReport", "train"]

_RISE = 0.02  # share of the training over which the learning rate rises
_SAVE_EVERY_S = 120.0
_CLIP = 5.0  # largest norm of the gradient


class Progress(NamedTuple):
    """Where a training stands: `share` of 1, and the loss per particle, averaged over some hundred steps."""

    step: int
    share: float
    loss: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What came of a training."""

    model: Path
    steps: int
    scenes: int
    loss: float
    elapsed_s: float


def train(
    recipe_path: str | Path,
    output_path: str | Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> TrainingReport:
    recipe = load_recipe(recipe_path)
    seed = recipe.seed if seed is None else seed
    steps = recipe.training.steps if steps is None else steps
    output = Path(output_path)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network: Any = UNet(recipe.network.channels)
    network.to(memory_format=torch.channels_last)  # convolutions are a third faster so
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.training.learning_rate, weight_decay=1e-4, fused=True)
    loss, share, step = math.nan, 0.0, 0
    start = saved = time.perf_counter()
    while share < 1 and step < steps:
        for group in optimizer.param_groups:
            group["lr"] = recipe.training.learning_rate * _rate(share)
        batch = draw_batch(recipe, rng)
        value = loss_of(network(batch.inputs.to(memory_format=torch.channels_last)), batch)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimizer.step()
        step += 1
        now = time.perf_counter()
        share = max(step / steps, 0 if minutes is None else (now - start) / (60 * minutes))
        loss = value.item() if math.isnan(loss) else loss + 0.01 * (value.item() - loss)
        if progress is not None:
            progress(Progress(step, min(share, 1.0), loss, now - start))
        if now - saved > _SAVE_EVERY_S:
            export(network, output, _metadata(recipe, seed, step))
            saved = now
    export(network, output, _metadata(recipe, seed, step))
    return TrainingReport(output, step, step * recipe.training.batch, loss, time.perf_counter() - start)


def _rate(share: float) -> float:
    return share / _RISE if share < _RISE else 0.5 * (1 + math.cos(math.pi * (share - _RISE) / (1 - _RISE)))


def _metadata(recipe: Recipe, seed: int, steps: int) -> dict[str, Any]:
    """Return what a localizer and a person must know of a model."""
    return {
        "name": recipe.name,
        "family": recipe.family,
        "description": recipe.description,
        "input_version": INPUT_VERSION,
        "stride": STRIDE,
        "multiple": COARSEST,
        "background_radius_px": recipe.network.background_radius_px,
        "crop_px": recipe.network.crop_px,
        "diameter_px": recipe.particles.typical_diameter_px,
        "contrast": recipe.particles.contrast,
        "seed": seed,
        "steps": steps,
        "date": datetime.date.today().isoformat(),
        "livetrack": __version__,
        "recipe": msgspec.to_builtins(recipe),
    }
