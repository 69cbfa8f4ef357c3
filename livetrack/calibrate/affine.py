"""How the picture answers a move: from known steps and the motions they made to a matrix."""

from __future__ import annotations

from math import atan2, degrees, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.calibrate.estimate import Floats
from livetrack.errors import InputError

__all__ = ["Affine", "common_motion", "fit_affine"]

# within which motions of different particles are the same: at first as far as a block of 3 x 3 px reaches
_NARROWING_PX = (2.2, 1.8, 1.5, 1.5, 1.5)


class Affine(NamedTuple):
    """A fitted matrix, px per unit: first row x, second row y."""

    matrix: Floats
    std: Floats
    """Standard uncertainty of each element."""

    @property
    def scale(self) -> float:
        """Return px per unit, the mean over all directions."""
        return sqrt(abs(float(np.linalg.det(self.matrix))))

    @property
    def mirrored(self) -> bool:
        """Return whether the picture is a mirror image of the actuator's axes."""
        return bool(np.linalg.det(self.matrix) < 0)

    @property
    def rotation_deg(self) -> float:
        """Return the angle in the picture, from x towards y, of a move along the actuator's first axis."""
        return degrees(atan2(self.matrix[1, 0], self.matrix[0, 0]))


def fit_affine(steps: npt.ArrayLike, motions_px: npt.ArrayLike) -> Affine:
    """Fit `motion = matrix @ step` by least squares; the uncertainty is that of the scatter about it.

    Parameters
    ----------
    steps
        (K, 2) moves of the actuator, in its unit.
    motions_px
        (K, 2) motions of the particles that they made, px.

    Raises
    ------
    InputError
        Fewer than 3 steps, or all along one line.
    """
    p, d = np.asarray(steps, np.float64), np.asarray(motions_px, np.float64)
    if len(p) < 3 or np.linalg.matrix_rank(p) < 2:
        raise InputError("a calibration needs at least 3 steps, along both axes")
    inverse = np.linalg.inv(p.T @ p)
    matrix = d.T @ p @ inverse
    rest = d - p @ matrix.T
    variance = (rest**2).sum(axis=0) / (len(p) - 2)
    return Affine(matrix, np.sqrt(np.outer(variance, np.diag(inverse))))


def common_motion(before: Floats, after: Floats, within_px: float) -> Floats | None:
    """Return the motion, (2,), that carries most of the points `before`, (N, 2), to points `after`, (M, 2), px.

    Which point became which need not be known: a motion that many pairs agree on, to 1.5 px, is the one; None where
    there are no two points within `within_px` of each other.
    """
    motions = (after[None, :, :] - before[:, None, :]).reshape(-1, 2)
    motions = motions[np.abs(motions).max(axis=1, initial=0) <= within_px]
    if not len(motions):
        return None
    bins = np.arange(-np.ceil(within_px) - 1, np.ceil(within_px) + 2)
    counts = np.histogram2d(motions[:, 0], motions[:, 1], bins=(bins, bins))[0]
    padded = np.pad(counts, 1)
    near = sum(padded[i : i + len(counts), j : j + len(counts)] for i in range(3) for j in range(3))
    peak = np.unravel_index(np.argmax(near), counts.shape)
    found = np.array([bins[peak[0]] + 0.5, bins[peak[1]] + 0.5])
    for tolerance_px in _NARROWING_PX:
        same = np.hypot(*(motions - found).T) <= tolerance_px
        if not same.any():
            break
        found = motions[same].mean(axis=0)
    return found
