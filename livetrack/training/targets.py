"""What the network should give for a scene, and how wrong its maps are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from livetrack.jit import njit
from livetrack.localize.decode import STRIDE
from livetrack.localize.normalize import fill_input, noise_level
from livetrack.training.network import COARSEST
from livetrack.training.recipe import Recipe
from livetrack.training.scenes import Scene, draw_scene

__all__ = ["Batch", "draw_batch", "loss_of"]

_FAR = 3.0  # standard deviations: beyond that an error counts linearly, so that overlaps do not rule the training
_LEAST_LOG_STD = -6.0
_HEIGHT_WEIGHT = 0.2  # of the height's loss; position and presence weigh 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Scenes as the network sees them: `inputs` (B, 1, H, W), and what their cells should say.

    `targets` (B, 5, H/2, W/2): 1 where a particle's centre is, x and y from the cell's centre to the particle that is
    in the cell or next to it, px, its asinh(height / noise), and 1 where these three count.
    `inside` (B, 1, H/2, W/2): 1 for cells of the image, 0 for its mirrored margin.
    """

    inputs: Tensor
    targets: Tensor
    inside: Tensor


def draw_batch(recipe: Recipe, rng: np.random.Generator) -> Batch:
    """Draw a batch of scenes; their sizes differ a little, so that the network knows mirrored margins."""
    count, side = recipe.training.batch, recipe.scenes.size_px
    inputs = np.zeros((count, 1, side, side), np.float32)
    targets = np.zeros((count, 5, side // STRIDE, side // STRIDE), np.float32)
    inside = np.zeros((count, 1, side // STRIDE, side // STRIDE), np.float32)
    for n in range(count):
        scene = _some_scene(recipe, rng)
        height, width = scene.image.shape
        noise = noise_level(scene.image)
        fill_input(scene.image, noise, recipe.network.background_radius_px, inputs[n, 0])
        _fill_targets(scene.x, scene.y, np.arcsinh(scene.height / noise), targets[n])
        inside[n, 0, : (height + 1) // STRIDE, : (width + 1) // STRIDE] = 1
    return Batch(torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(inside))


def loss_of(maps: Tensor, batch: Batch) -> Tensor:
    """Return the negative log-likelihood of the truth per particle: presence, position, and height by its square."""
    present, place, height = batch.targets[:, :1], batch.targets[:, 1:3], batch.targets[:, 3:4]
    counts = batch.targets[:, 4:] * batch.inside
    particles = present.sum() + 1
    presence = functional.binary_cross_entropy_with_logits(maps[:, :1], present, batch.inside, reduction="sum")
    log_std = maps[:, 3:5].clamp(min=_LEAST_LOG_STD)
    error = (maps[:, 1:3] - place) * torch.exp(-log_std)
    position = log_std + _FAR**2 * (torch.sqrt(1 + (error / _FAR) ** 2) - 1)
    brightness = functional.smooth_l1_loss(maps[:, 5:], height, reduction="none")
    cells = counts.sum() + 1
    regression = (counts * (position.sum(1, keepdim=True) + _HEIGHT_WEIGHT * brightness)).sum() / cells
    return presence / particles + regression


def _some_scene(recipe: Recipe, rng: np.random.Generator) -> Scene:
    """Draw a scene that is not quite constant, up to one margin smaller than the network's input."""
    side = recipe.scenes.size_px
    while True:
        smaller = rng.integers(0, COARSEST, 2) * (rng.random(2) < 0.5)
        scene = draw_scene(recipe, rng, side - int(smaller[0]), side - int(smaller[1]))
        if np.ptp(scene.image) > 0:
            return scene


@njit
def _fill_targets(x: npt.NDArray[Any], y: npt.NDArray[Any], height: npt.NDArray[Any], targets: Any) -> None:
    rows, columns = targets.shape[1:]
    for n in range(x.size):
        row = int((y[n] + 0.5) / 2)
        column = int((x[n] + 0.5) / 2)
        targets[0, row, column] = 1
        for i in range(max(0, row - 1), min(rows, row + 2)):
            for j in range(max(0, column - 1), min(columns, column + 2)):
                dx = x[n] - (2 * j + 0.5)
                dy = y[n] - (2 * i + 0.5)
                if targets[4, i, j] == 0 or dx * dx + dy * dy < targets[1, i, j] ** 2 + targets[2, i, j] ** 2:
                    targets[1, i, j] = dx
                    targets[2, i, j] = dy
                    targets[3, i, j] = height[n]
                    targets[4, i, j] = 1
