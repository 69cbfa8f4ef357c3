"""Training targets of a scene, and the loss of the network's maps against them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from livetrack.jit import njit
from livetrack.localize.decode import BLOCK, CELL
from livetrack.localize.noise import noise_level
from livetrack.localize.normalize import normalize_into
from livetrack.training.network import COARSEST
from livetrack.training.recipe import Recipe
from livetrack.training.scenes import Scene, draw_scene

__all__ = ["Batch", "compute_loss", "draw_batch"]

_FAR = 3.0  # standard deviations: larger errors count linearly, so that overlaps do not dominate
_MIN_LOG_STD = -6.0
_INTENSITY_WEIGHT = 0.2  # in the loss, where position and presence weigh 1
_AXIS_WEIGHT = 0.5
_TARGETS = 8
_ORIGIN = np.zeros(1, np.int64)
_SHARED_PX = 0.5  # a particle this close to the border between two cells counts partly in both


@dataclass(frozen=True, slots=True)
class Batch:
    """Normalised images `inputs` (B, 1, H, W) and the targets of their cells.

    `targets` (B, 8, H/2, W/2): particles in the cell; x and y from the cell's centre to the particle in or next to the
    cell, px; its asinh(intensity / noise); cosine and sine of twice its angle; 1 where position and intensity count; 1
    where the angle counts.
    `inside` (B, 1, H/2, W/2): 1 for cells of the image, 0 for its mirrored margin.
    """

    inputs: Tensor
    targets: Tensor
    inside: Tensor


def draw_batch(recipe: Recipe, rng: np.random.Generator) -> Batch:
    """Draw a batch of scenes; their sizes differ slightly, so that the network learns mirrored margins."""
    count, side = recipe.training.batch, recipe.scenes.size_px
    inputs = np.zeros((count, 1, side, side), np.float32)
    targets = np.zeros((count, _TARGETS, side // CELL, side // CELL), np.float32)
    inside = np.zeros((count, 1, side // CELL, side // CELL), np.float32)
    for n in range(count):
        scene = _draw_varied_scene(recipe, rng)
        height, width = scene.image.shape
        noise, radius, scale = noise_level(scene.image), recipe.network.background_radius_px, recipe.network.input_scale
        normalize_into(scene.image, noise, radius, inputs[n], _ORIGIN, _ORIGIN, scale)
        _fill_targets(scene.x, scene.y, np.arcsinh(scene.intensity / noise), scene.angle, targets[n])
        inside[n, 0, : (height + 1) // CELL, : (width + 1) // CELL] = 1
    return Batch(torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(inside))


def compute_loss(maps: Tensor, batch: Batch) -> Tensor:
    """Return the negative log-likelihood of the true particles, plus the errors of intensity and axis, per particle."""
    cells = functional.pixel_shuffle(maps, BLOCK // CELL)
    present, position, intensity, axis = torch.split(batch.targets[:, :6], [1, 2, 1, 2], dim=1)
    counts, oriented = torch.split(batch.targets[:, 6:] * batch.inside, 1, dim=1)
    presence = functional.binary_cross_entropy_with_logits(cells[:, :1], present, batch.inside, reduction="sum")
    log_std = cells[:, 3:5].clamp(min=_MIN_LOG_STD)
    error = (cells[:, 1:3] - position) * torch.exp(-log_std)
    position_loss = (log_std + _FAR**2 * (torch.sqrt(1 + (error / _FAR) ** 2) - 1)).sum(1, keepdim=True)
    intensity_loss = functional.smooth_l1_loss(cells[:, 5:6], intensity, reduction="none")
    axis_loss = ((cells[:, 6:] - axis) ** 2).sum(1, keepdim=True)
    regression = counts * (position_loss + _INTENSITY_WEIGHT * intensity_loss) + oriented * _AXIS_WEIGHT * axis_loss
    loss: Tensor = presence / (present.sum() + 1) + regression.sum() / (counts.sum() + 1)
    return loss


def _draw_varied_scene(recipe: Recipe, rng: np.random.Generator) -> Scene:
    """Draw a scene whose image is not constant, up to one margin smaller than the network's input."""
    side = recipe.scenes.size_px
    while True:
        smaller = rng.integers(0, COARSEST, 2) * (rng.random(2) < 0.5)
        scene = draw_scene(recipe, rng, side - int(smaller[0]), side - int(smaller[1]))
        if np.ptp(scene.image) > 0:
            return scene


@njit
def _fill_targets(x: Any, y: Any, intensity: Any, angle: Any, targets: Any) -> None:
    rows, columns = targets.shape[1:]
    for n in range(x.size):
        row, next_row, row_part = _cells_along(y[n], rows)
        column, next_column, column_part = _cells_along(x[n], columns)
        targets[0, row, column] += (1 - row_part) * (1 - column_part)
        targets[0, row, next_column] += (1 - row_part) * column_part
        targets[0, next_row, column] += row_part * (1 - column_part)
        targets[0, next_row, next_column] += row_part * column_part
        for i in range(max(0, row - 1), min(rows, row + 2)):
            for j in range(max(0, column - 1), min(columns, column + 2)):
                dx = x[n] - (CELL * j + 0.5 * (CELL - 1))
                dy = y[n] - (CELL * i + 0.5 * (CELL - 1))
                if targets[6, i, j] == 0 or dx * dx + dy * dy < targets[1, i, j] ** 2 + targets[2, i, j] ** 2:
                    targets[1, i, j] = dx
                    targets[2, i, j] = dy
                    targets[3, i, j] = intensity[n]
                    targets[6, i, j] = 1
                    targets[7, i, j] = 0 if np.isnan(angle[n]) else 1
                    if targets[7, i, j]:
                        targets[4, i, j] = math.cos(2 * angle[n])
                        targets[5, i, j] = math.sin(2 * angle[n])
    for i in range(rows):
        for j in range(columns):
            targets[0, i, j] = min(targets[0, i, j], 1)


@njit
def _cells_along(coordinate: float, cells: int) -> tuple[int, int, float]:
    """Return the cell at `coordinate` along one axis, the neighbour across the nearer border, and the neighbour's part.

    That part rises from 0 at `_SHARED_PX` before the border to 1/2 on it, so that the target is continuous and a
    particle on a corner scores no less than another.
    """
    cell = int((coordinate + 0.5) / CELL)
    within = coordinate + 0.5 - CELL * cell
    if within < _SHARED_PX and cell > 0:
        return cell, cell - 1, 0.5 * (1 - within / _SHARED_PX)
    if within > CELL - _SHARED_PX and cell < cells - 1:
        return cell, cell + 1, 0.5 * (1 - (CELL - within) / _SHARED_PX)
    return cell, cell, 0.0
