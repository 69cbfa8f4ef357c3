"""The matrix from steps of an actuator to motions in the image."""

from __future__ import annotations

from math import atan2, degrees, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.calibrate.estimate import Floats
from livetrack.errors import InputError

__all__ = ["Affine", "common_motion", "fit_affine"]

# Motions of different particles that agree within this count as the same; at first the reach of 3 x 3 px.
_TOLERANCES_PX = (2.2, 1.8, 1.5, 1.5, 1.5)


class Affine(NamedTuple):
    """A fitted matrix, px per unit: first row x, second row y."""

    matrix: Floats
    std: Floats
    """Standard uncertainty of each element."""

    @property
    def scale(self) -> float:
        """Return px per unit, averaged over all directions."""
        return sqrt(abs(float(np.linalg.det(self.matrix))))

    @property
    def mirrored(self) -> bool:
        """Return whether the image mirrors the actuator's axes."""
        return bool(np.linalg.det(self.matrix) < 0)

    @property
    def rotation_deg(self) -> float:
        """Return the angle in the image, from x towards y, of a move along the actuator's first axis."""
        return degrees(atan2(self.matrix[1, 0], self.matrix[0, 0]))


def fit_affine(steps: npt.ArrayLike, motions_px: npt.ArrayLike) -> Affine:
    """Fit `motion = matrix @ step` by least squares; the uncertainty is that of the residuals.

    Parameters
    ----------
    steps
        (K, 2) moves of the actuator, in its unit.
    motions_px
        (K, 2) resulting motions of the particles, px.

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
    residuals = d - p @ matrix.T
    variance = (residuals**2).sum(axis=0) / (len(p) - 2)
    return Affine(matrix, np.sqrt(np.outer(variance, np.diag(inverse))))


def common_motion(before: Floats, after: Floats, within_px: float) -> Floats | None:
    """Return the motion, (2,) px, shared by most points between `before`, (N, 2), and `after`, (M, 2).

    No links between the points are needed: it is the motion that most pairs agree on, to 1.5 px. None if no pair is
    closer than `within_px`.
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
    common = np.array([bins[peak[0]] + 0.5, bins[peak[1]] + 0.5])
    for tolerance_px in _TOLERANCES_PX:
        same = np.hypot(*(motions - common).T) <= tolerance_px
        if not same.any():
            break
        common = motions[same].mean(axis=0)
    return common
