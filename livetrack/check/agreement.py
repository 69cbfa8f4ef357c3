"""Compares rows with blobs that are found without a model: how many particles are missed, and how many doubled."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.check.blobs import Blobs, find_blobs_of_size

__all__ = ["Agreement", "compare_with_blobs"]

Array = npt.NDArray[np.float64]

_DIAMETER = 2 * math.sqrt(2)  # of a disc or of a Gaussian, over the sigma at which its Laplacian is extremal
_STRONG = 0.5  # of the typical response of blobs where rows are: weaker ones are no particles of the same kind
_SAME = 1.2  # sigma: a row nearer to a blob belongs to it
_SURROUNDINGS = 0.8  # of a particle's reach: rings in it are no particles
_AT_A_TIME = 256  # blobs that are compared with all rows: the distances take memory


class Agreement(NamedTuple):
    """Numbers of one image."""

    rows: int
    missed: int
    """Blobs like those at the rows, but without a row."""
    doubled: int
    """Rows in excess of one for each blob."""


def compare_with_blobs(
    image: npt.NDArray[Any], noise: float, x: Array, y: Array, diameter_px: float, reach_px: float
) -> Agreement:
    """Compare rows at `x`, `y`, each (N,), of particles of this diameter, with the blobs of `image` (H, W)."""
    sigma = max(diameter_px / _DIAMETER, 0.8)
    near = max(_SAME * sigma, 1.5)
    far = max(2 * sigma, _SURROUNDINGS * reach_px)
    each, alone, best = np.empty(0, int), np.empty(0, bool), 0.0
    for sign in (1.0, -1.0):
        blobs = find_blobs_of_size(np.asarray(image, np.float64), noise, sigma, sign * 0.0)
        count, free = _around(blobs, x, y, near, far)
        strength = np.abs(blobs.response)
        own = strength[count > 0]
        if own.sum() > best:
            strong = strength > _STRONG * np.median(own)
            each, alone, best = count[strong], free[strong], float(own.sum())
    return Agreement(x.size, int(alone.sum()), int((each[each > 1] - 1).sum()))


def _around(
    blobs: Blobs, x: Array, y: Array, near: float, far: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return how many rows are near each blob, and whether none is within `far`."""
    count, free = np.zeros(blobs.x.size, np.intp), np.ones(blobs.x.size, bool)
    for first in range(0, blobs.x.size, _AT_A_TIME):
        some = slice(first, first + _AT_A_TIME)
        distance = np.hypot(blobs.x[some, None] - x, blobs.y[some, None] - y)
        count[some], free[some] = (distance < near).sum(axis=1), (distance > far).all(axis=1)
    return count, free
