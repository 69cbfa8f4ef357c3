"""Small symmetric systems of linear equations, by row-wise L D L' factorisation."""

from __future__ import annotations

from typing import Any

from livetrack.jit import njit

__all__ = ["eliminate", "invert", "solve"]


@njit(fastmath=True)
def eliminate(normal: Any, right: Any, first: int, last: int) -> bool:
    """Replace rows of `normal` by those of its factors L and 1 / D, and `right` by 1 / L of it; False where it cannot.

    The rows before `first` have been replaced. The upper half is room to work in: a column laid out as a row.
    """
    for i in range(first, last):
        row = normal[i]
        for k in range(i):
            before = row[k]
            share = before * normal[k, k]
            right[i] -= share * right[k]
            for m in range(k + 1, i):
                row[m] -= share * normal[k, m]
            row[i] -= share * before
            normal[k, i] = before
            row[k] = share
        if not row[i] > 0:
            return False
        row[i] = 1 / row[i]
    return True


@njit(fastmath=True)
def solve(factors: Any, right: Any, size: int, solution: Any) -> None:
    """Write the solution of the first `size` unknowns, from what `eliminate` has left."""
    for i in range(size):
        solution[i] = right[i] * factors[i, i]
    for i in range(size - 1, 0, -1):
        for k in range(i):
            solution[k] -= factors[i, k] * solution[i]


@njit
def invert(factors: Any, inverse: Any) -> None:
    """Write the inverse of the matrix whose factors `eliminate` has left."""
    size = inverse.shape[0]
    for column in range(size):
        part = inverse[column]
        part[:] = 0
        part[column] = 1
        for i in range(column + 1, size):
            for k in range(column, i):
                part[i] -= factors[i, k] * part[k]
        for i in range(column, size):
            part[i] *= factors[i, i]
        for i in range(size - 1, -1, -1):
            for k in range(i + 1, size):
                part[i] -= factors[k, i] * part[k]
