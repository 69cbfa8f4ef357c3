"""Symmetry of a particle, from aligned crops."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from livetrack.optics.template import FINE, Template, add_templates, fine_samples
from livetrack.training.sections import Symmetry

__all__ = ["MAX_RADIUS", "distance_from_middle", "find_symmetry"]

MAX_RADIUS = 0.75
"""Largest radius of the particle, over half the side of its crops; around it are noise and neighbours only."""

_MAX_PART = 0.03  # of the particle's energy may change with a turn: what a fit that assumes the symmetry tolerates
_MAX_NEIGHBOURS = 0.1  # of that energy: more is the rest of a large particle
_TURNS = (math.pi / 2, math.pi / 3, math.pi / 4)


def find_symmetry(crops: npt.NDArray[np.float32], noise: float, radius: int) -> Symmetry:
    """Return the symmetry of the particle of `radius` px in `crops` (N, S, S), centred, without background, S odd.

    Each crop is compared with itself after a turn, so that crops of a particle that turns can be used. Of the energy of
    the difference within the particle, that of the `noise` (standard deviation) is subtracted, and what the same area
    around the particle has beyond it, because neighbours differ too. A particle is round if no turn by 90, 60, 45 or
    180 degrees changes more than 3 % of its energy, in the median of the crops.
    """
    distance, middle = distance_from_middle(crops.shape[1:]), crops.shape[1] // 2
    radius = min(radius, int(MAX_RADIUS * middle))
    inside, around = distance <= radius, (distance > radius) & (distance <= middle - 1)

    def energies(values: npt.NDArray[np.float32]) -> tuple[float, float]:
        """Return the mean square of a pixel within the particle and around it, less the noise."""
        squares = values.astype(np.float64) ** 2
        within, outside = (float(np.median(squares[:, area].mean(axis=1))) for area in (inside, around))
        return within - noise**2, outside - noise**2

    energy, _ = energies(crops)

    def changed(angle: float) -> float:
        """Return the part of the energy that a turn changes: 0 for none, about 1 for another particle."""
        within, neighbours = energies((np.stack([_turn(crop, angle) for crop in crops]) - crops) / math.sqrt(2))
        return (within - min(max(neighbours, 0.0), _MAX_NEIGHBOURS * energy)) / energy

    if changed(math.pi) > _MAX_PART:
        return "none"
    return "round" if all(changed(angle) <= _MAX_PART for angle in _TURNS) else "half turn"


def distance_from_middle(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return the distance of each pixel from the middle one, (S, S) for S odd."""
    rows, columns = np.indices(shape)
    distance: npt.NDArray[np.float64] = np.hypot(rows - shape[0] // 2, columns - shape[1] // 2)
    return distance


def _turn(crop: npt.NDArray[np.float32], angle: float) -> npt.NDArray[np.float32]:
    """Return `crop` turned by `angle`, rad from x towards y."""
    middle, turned = crop.shape[0] // 2, np.zeros_like(crop)
    fine = Template(fine_samples(crop.astype(np.float64)), FINE * middle, FINE * middle, 1.0)
    centre, one = np.array([float(middle)]), np.ones(1)
    add_templates(turned, centre, centre, fine, one, np.array([angle]), one)
    return turned
