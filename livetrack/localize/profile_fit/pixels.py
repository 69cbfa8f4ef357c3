"""The grey levels of each particle's window, and how much each pixel counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.localize.profile_fit.window import PHASES

__all__ = ["read_windows"]

_HALF = np.float32(0.5)
_NONE = np.float32(0)


@njit
def read_windows(
    first: int, last: int, grey: Any, scale: float, centre: Any, wanted: Any, row: Any, column: Any, inside: Any,
    basis: Any, reach: int, others: Any, near_start: Any, near: Any, origin: Any, z: Any, weight: Any,
) -> None:  # fmt: skip
    """Read the windows of the particles `first` to `last`.

    `origin` (N, 4) gets the centre's nearest place in the tables, x and y in px, its number, and the grey level that
    z (N, P) counts from, in units of the noise, as z does. `weight` (N, P) becomes 0 outside of the image and on
    pixels that are nearer to a neighbour, one of `others` (M, 2) by the pairs `near_start` and `near`.
    """
    for n in range(first, last):
        if not wanted[n]:
            continue
        along, down = math.floor(centre[n, 0] * PHASES + 0.5), math.floor(centre[n, 1] * PHASES + 0.5)
        j, i = (along + PHASES // 2) // PHASES, (down + PHASES // 2) // PHASES
        phase = (down - i * PHASES + PHASES // 2) * PHASES + along - j * PHASES + PHASES // 2
        middle = grey[min(max(i, 0), grey.shape[0] - 1), min(max(j, 0), grey.shape[1] - 1)]
        origin[n, 0], origin[n, 1], origin[n, 2], origin[n, 3] = along / PHASES, down / PHASES, phase, scale * middle
        _read(grey, scale, middle, i, j, reach, row, column, inside[phase], z[n], weight[n])
        x, y = basis[phase, basis.shape[1] - 2], basis[phase, basis.shape[1] - 1]
        for k in range(near_start[n], near_start[n + 1]):
            dx, dy = np.float32(others[near[k], 0] - origin[n, 0]), np.float32(others[near[k], 1] - origin[n, 1])
            _leave_out(x, y, dx, dy, weight[n])


@njit(fastmath=True)
def _read(
    grey: Any, scale: float, middle: float, i: int, j: int, reach: int, row: Any, column: Any, inside: Any, z: Any,
    weight: Any,
) -> None:  # fmt: skip
    height, width = grey.shape
    factor = np.float32(scale)
    if reach <= i < height - reach and reach <= j < width - reach:
        for p in range(z.size):
            z[p] = factor * (grey[i + row[p], j + column[p]] - middle)
            weight[p] = inside[p]
    else:
        for p in range(z.size):
            at_i, at_j = i + row[p], j + column[p]
            seen = 0 <= at_i < height and 0 <= at_j < width
            z[p] = factor * (grey[at_i, at_j] - middle) if seen else _NONE
            weight[p] = inside[p] if seen else _NONE


@njit(fastmath=True)
def _leave_out(x: Any, y: Any, dx: Any, dy: Any, weight: Any) -> None:
    """Give no weight to the pixels beyond half the way to a neighbour."""
    half = _HALF * (dx * dx + dy * dy)
    for p in range(weight.size):
        if x[p] * dx + y[p] * dy > half:
            weight[p] = _NONE
