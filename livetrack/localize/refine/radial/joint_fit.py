"""A joint fit of two particles of one round shape, and, to compare, of a single long one, by Levenberg's steps.

A fit of each particle in turn, less what the other adds, does not converge where the two are nearer than 2 sigma.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.radial.ldl import eliminate, invert, solve
from livetrack.localize.refine.radial.window import DX, DY, WEIGHT, Z

__all__ = [
    "FIRST", "FREEDOM", "LEFT", "LONG", "MODEL", "SECOND", "SIZE", "TWO", "JointWorkspace", "fill_freedom", "fit_long",
    "fit_two", "make_joint_workspace",
]  # fmt: skip

TWO, LONG = 10, 9
"""Numbers of unknowns. The background's level and slopes come first."""

FIRST, SECOND = 3, 6
"""Unknowns of a particle from here on: x and y in the window, px, and its height. A long one has the first only."""

SIZE = 9
"""The logarithm of the sigma that two particles have in common, px. A long one has three numbers from `SECOND` on: the
elements xx, xy and yy of the inverse of its covariance, 1/px²."""

MODEL, LEFT, FREEDOM = range(TWO, TWO + 3)
"""Rows of the workspace, after the derivatives: the model, the residuals, and `fill_freedom`."""

_STEPS, _TRIALS = 20, 6
_ENOUGH = 0.03  # of a change of chi-square
_DAMPING, _LESS, _MORE = 0.01, 0.1, 10.0
_ALIKE = 0.7  # standard deviation of the difference between two heights, over their mean
_HALF, _ONE, _ZERO = np.float32(0.5), np.float32(1), np.float32(0)

JointWorkspace = tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.float64]]


def make_joint_workspace(pixels: int) -> JointWorkspace:
    """Return what a fit works in: rows of a window (derivatives, model, what is summed), matrices, and vectors."""
    return np.zeros((TWO + 3, pixels), np.float32), np.zeros((3, TWO, TWO)), np.zeros((3, TWO))


@njit
def fit_two(unknowns: Any, rows: Any, workspace: Any, covariance: Any) -> float:
    """Fit two particles to a window, from `unknowns` (`TWO`,) on, which are changed. Return chi-square.

    The heights are those of particles of one kind: a prior holds their difference. `covariance` (`TWO`, `TWO`) is
    filled. Infinite where there is no solution.
    """
    mean = 0.5 * (unknowns[FIRST + 2] + unknowns[SECOND + 2])
    alike = 1 / max((_ALIKE * mean) ** 2, 1e-12)
    if not np.isfinite(_fit(unknowns, alike, rows, workspace)):
        return np.inf
    normal = workspace[1][0]
    misfit = _misfit(unknowns, alike, rows, workspace[0])
    _equations(unknowns, alike, rows, workspace[0], normal, workspace[2][0])
    if not (np.isfinite(misfit) and eliminate(normal, workspace[2][0], 0, TWO)):
        return np.inf
    invert(normal, covariance)
    return float(misfit - alike * (unknowns[FIRST + 2] - unknowns[SECOND + 2]) ** 2)


@njit
def fit_long(unknowns: Any, rows: Any, workspace: Any) -> float:
    """Fit one long particle likewise, from `unknowns` (`LONG`,) on. Return chi-square."""
    return float(_fit(unknowns, 0.0, rows, workspace))


@njit(fastmath=True, error_model="numpy")
def fill_freedom(rows: Any, workspace: Any, covariance: Any) -> None:
    """Fill the row `FREEDOM`: the share of each pixel's noise that `fit_two`, just made, has not followed."""
    part = workspace[0]
    for p in range(rows.shape[1]):
        part[FREEDOM, p] = _ONE
    for i in range(TWO):
        for k in range(i + 1):
            both = np.float32((1 if i == k else 2) * covariance[i, k])
            for p in range(rows.shape[1]):
                part[FREEDOM, p] -= rows[WEIGHT, p] * both * part[i, p] * part[k, p]


@njit
def _fit(unknowns: Any, alike: float, rows: Any, workspace: Any) -> float:
    part, (normal, damped, _), (right, forward, trial) = workspace
    size = unknowns.size
    best = _misfit(unknowns, alike, rows, part)
    damping = _DAMPING
    for _ in range(_STEPS):
        _equations(unknowns, alike, rows, part, normal, right)
        before = best
        for _ in range(_TRIALS):
            for i in range(size):
                forward[i] = right[i]
                for k in range(i + 1):
                    damped[i, k] = normal[i, k]
                damped[i, i] *= 1 + damping
            if not eliminate(damped, forward, 0, size):
                return np.inf
            solve(damped, forward, size, trial)
            for i in range(size):
                trial[i] += unknowns[i]
            misfit = _misfit(trial[:size], alike, rows, part)
            if misfit < best:
                best = misfit
                unknowns[:] = trial[:size]
                damping *= _LESS
                break
            damping *= _MORE
        if not best < before - _ENOUGH:
            break
    return best


@njit
def _misfit(unknowns: Any, alike: float, rows: Any, part: Any) -> float:
    """Fill the derivatives and the model, and return chi-square and what the prior adds."""
    if unknowns.size == TWO:
        _fill_two(unknowns, rows, part)
    else:
        _fill_long(unknowns, rows, part)
    difference = unknowns[FIRST + 2] - unknowns[SECOND + 2]
    return float(_chi_square(rows, part) + alike * difference * difference)


@njit(fastmath=True, error_model="numpy")
def _fill_background(unknowns: Any, rows: Any, part: Any) -> None:
    level, along, down = np.float32(unknowns[0]), np.float32(unknowns[1]), np.float32(unknowns[2])
    for p in range(rows.shape[1]):
        part[0, p], part[1, p], part[2, p] = _ONE, rows[DX, p], rows[DY, p]
        part[MODEL, p] = level + along * rows[DX, p] + down * rows[DY, p]


@njit(fastmath=True, error_model="numpy")
def _fill_two(unknowns: Any, rows: Any, part: Any) -> None:
    _fill_background(unknowns, rows, part)
    inverse = np.float32(math.exp(-2 * unknowns[SIZE]))
    for p in range(rows.shape[1]):
        part[SIZE, p] = _ZERO
    for first in (FIRST, SECOND):
        x, y, height = np.float32(unknowns[first]), np.float32(unknowns[first + 1]), np.float32(unknowns[first + 2])
        for p in range(rows.shape[1]):
            dx, dy = rows[DX, p] - x, rows[DY, p] - y
            square = (dx * dx + dy * dy) * inverse
            shape = math.exp(-_HALF * square)
            value = height * shape
            part[first, p], part[first + 1, p], part[first + 2, p] = value * dx * inverse, value * dy * inverse, shape
            part[SIZE, p] += value * square
            part[MODEL, p] += value


@njit(fastmath=True, error_model="numpy")
def _fill_long(unknowns: Any, rows: Any, part: Any) -> None:
    _fill_background(unknowns, rows, part)
    x, y, height = np.float32(unknowns[FIRST]), np.float32(unknowns[FIRST + 1]), np.float32(unknowns[FIRST + 2])
    xx, xy, yy = np.float32(unknowns[SECOND]), np.float32(unknowns[SECOND + 1]), np.float32(unknowns[SECOND + 2])
    for p in range(rows.shape[1]):
        dx, dy = rows[DX, p] - x, rows[DY, p] - y
        along, down = xx * dx + xy * dy, xy * dx + yy * dy
        shape = math.exp(-_HALF * (along * dx + down * dy))
        value = height * shape
        part[FIRST, p], part[FIRST + 1, p], part[FIRST + 2, p] = value * along, value * down, shape
        half = -_HALF * value
        part[SECOND, p], part[SECOND + 1, p], part[SECOND + 2, p] = half * dx * dx, -value * dx * dy, half * dy * dy
        part[MODEL, p] += value


@njit(fastmath=True, error_model="numpy")
def _chi_square(rows: Any, part: Any) -> float:
    total = _ZERO
    for p in range(rows.shape[1]):
        residual = rows[Z, p] - part[MODEL, p]
        part[LEFT, p] = residual
        total += rows[WEIGHT, p] * residual * residual
    return float(total)


@njit(fastmath=True, error_model="numpy")
def _equations(unknowns: Any, alike: float, rows: Any, part: Any, normal: Any, right: Any) -> None:
    """Fill the lower half of `normal`, and `right`, from derivatives and residuals."""
    for i in range(unknowns.size):
        total = _ZERO
        for p in range(rows.shape[1]):
            weighted = rows[WEIGHT, p] * part[i, p]
            part[FREEDOM, p] = weighted
            total += weighted * part[LEFT, p]
        right[i] = total
        for k in range(i + 1):
            total = _ZERO
            for p in range(rows.shape[1]):
                total += part[FREEDOM, p] * part[k, p]
            normal[i, k] = total
    first, second = FIRST + 2, SECOND + 2
    pull = alike * (unknowns[first] - unknowns[second])
    right[first] -= pull
    right[second] += pull
    normal[first, first] += alike
    normal[second, second] += alike
    normal[second, first] -= alike
