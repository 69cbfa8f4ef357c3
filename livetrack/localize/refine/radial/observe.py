"""What is learnt from a fitted particle: the information on its profile, and the noise around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.localize.refine.radial.step import BACKGROUND, HEIGHT, LEVEL
from livetrack.localize.refine.radial.window import (
    COS,
    DX,
    DY,
    GOOD,
    PROFILE,
    RESIDUAL,
    SIN,
    SLOPE,
    SPLINES,
    WEIGHT,
    R,
    fill_background,
    fill_profile,
)  # fmt: skip

__all__ = ["measure_freedom", "observe"]

_NEAR = 96  # pixels from the centre on whose noise the fit follows noticeably


@njit
def observe(
    m: int, levels: Any, state: Any, runs: Any, neighbour: Any, free: Any, workspace: Any, information: Any,
    product: Any, noise: Any,
) -> None:  # fmt: skip
    """Measure the information on the profile of particle `m`, and the noise around it, right after a `step`.

    The differences between neighbouring residuals show the noise alone, where what the profile does not describe
    changes little from pixel to pixel. The background, which is not what the population has in common, is eliminated
    from the profile's equations.

    Parameters
    ----------
    levels, state, workspace
        Of `step`.
    runs, neighbour
        Of `Pixels`.
    free
        Of `measure_freedom`.
    information, product
        (K, K) and (K,), filled: the particle's information on its profile, for height 1, and that times the profile.
    noise
        (K + 1, 3), by distance from the centre, to which is added: the differences' degrees of freedom, the sum of
        grey levels over those, and half of the sum of squared differences, grey levels squared.
    """
    rows, normal, right, _, _ = workspace
    splines, scale = len(runs), 1 / levels[0]
    for p in range(free.size):
        q = neighbour[p]
        if q >= 0 and rows[GOOD, p] == 1 and rows[GOOD, q] == 1:
            difference = scale * (rows[RESIDUAL, p] / rows[WEIGHT, p] - rows[RESIDUAL, q] / rows[WEIGHT, q])
            value = levels[1] + scale * (state[m, LEVEL] + 0.5 * (rows[PROFILE, p] + rows[PROFILE, q]))
            ring = min(int(rows[R, p] + 0.5), splines)
            noise[ring, 0] += free[p]
            noise[ring, 1] += free[p] * value
            noise[ring, 2] += 0.5 * difference * difference
    fill_background(rows, normal, right)
    fill_profile(splines, runs, rows, normal, right)
    size = BACKGROUND + splines
    for k in range(BACKGROUND):
        for i in range(k + 1, size):
            share = normal[i, k] / normal[k, k]
            right[i] -= share * right[k]
            for j in range(k + 1, i + 1):
                normal[i, j] -= share * normal[j, k]
    height = state[m, HEIGHT]
    for i in range(splines):
        product[i] = height * right[BACKGROUND + i]
        for k in range(i + 1):
            information[i, k] = information[k, i] = height * height * normal[BACKGROUND + i, BACKGROUND + k]


@njit(error_model="numpy")
def measure_freedom(neighbour: Any, splines: int, workspace: Any, free: Any) -> None:
    """Fill `free` (P,): the share of the noise of a difference to the `neighbour` that a `step` has not followed."""
    rows, factors, _, _, _ = workspace
    size = len(factors)
    change = np.empty(size)
    free[:] = 1
    for p in range(min(_NEAR, free.size)):
        q = neighbour[p]
        if q < 0 or rows[WEIGHT, p] == 0 or rows[WEIGHT, q] == 0:
            continue
        change[0], change[1], change[2] = 0.0, rows[DX, p] - rows[DX, q], rows[DY, p] - rows[DY, q]
        for k in range(splines):
            change[BACKGROUND + k] = rows[SPLINES + k, p] - rows[SPLINES + k, q]
        change[size - 2] = rows[SLOPE, q] * rows[COS, q] - rows[SLOPE, p] * rows[COS, p]
        change[size - 1] = rows[SLOPE, q] * rows[SIN, q] - rows[SLOPE, p] * rows[SIN, p]
        followed = 0.0
        for i in range(size):  # the change's square in terms of the inverse matrix, by forward substitution
            for k in range(i):
                change[i] -= factors[i, k] * change[k]
            followed += change[i] * change[i] * factors[i, i]
        free[p] = max(1 - followed / (1 / rows[WEIGHT, p] + 1 / rows[WEIGHT, q]), 0.0)
