"""Symmetry of a particle, from aligned crops."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from livetrack.optics.template import FINE, Template, add_templates, fine_samples
from livetrack.training.sections import Symmetry

__all__ = ["find_symmetry"]

_MAX_PART = 0.02  # of the particle's energy may change with a turn: what a fit that assumes the symmetry tolerates
_TURNS = (math.pi / 2, math.pi / 3, math.pi / 4)


def find_symmetry(crops: npt.NDArray[np.float32], noise: float) -> Symmetry:
    """Return the symmetry of the particle in `crops` (N, S, S), centred, without background, S odd.

    Each crop is compared with itself after a turn, so that crops of a particle that turns can be used. The energy of
    their difference, less that of the `noise` in both, is averaged over the crops. A particle is round if no turn by
    90, 60, 45 or 180 degrees changes more than a fiftieth of its energy.
    """
    half = crops.shape[1] // 2
    rows, columns = np.indices(crops.shape[1:]) - half
    inside = np.hypot(rows, columns) <= half - 1
    energy = float((crops**2)[:, inside].sum() / len(crops)) - noise**2 * int(inside.sum())

    def changed(turn: float) -> float:
        """Return the part of the energy that a turn changes: 0 for none, about 1 for another particle."""
        squares = [float(((_turn(crop, turn) - crop) ** 2)[inside].sum()) for crop in crops]
        return (0.5 * float(np.mean(squares)) - noise**2 * int(inside.sum())) / energy

    if changed(math.pi) > _MAX_PART:
        return "none"
    return "round" if all(changed(turn) <= _MAX_PART for turn in _TURNS) else "half turn"


def _turn(crop: npt.NDArray[np.float32], angle: float) -> npt.NDArray[np.float32]:
    """Return `crop` turned by `angle`, rad from x towards y."""
    middle, turned = crop.shape[0] // 2, np.zeros_like(crop)
    fine = Template(fine_samples(crop.astype(np.float64)), FINE * middle, FINE * middle, 1.0)
    centre, one = np.array([float(middle)]), np.ones(1)
    add_templates(turned, centre, centre, fine, one, np.array([angle]), one)
    return turned
