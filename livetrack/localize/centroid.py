"""The centroid in a disc that follows its particle: Crocker and Grier, J. Colloid Interface Sci. 179, 298 (1996)."""

from __future__ import annotations

from typing import Any

from livetrack.jit import njit

__all__ = ["centroids"]

_STEPS = 10  # of the disc towards its particle


@njit
def centroids(band: Any, sign: float, places: Any, radius: int, x: Any, y: Any) -> None:
    """Write the centroid about each of `places`, (N, 2) pixels as (y, x), into `x` and `y`, (N,).

    `band` is the blurred image in units of its noise; what rises less than that above the background does not count.
    `sign` is +1 for bright particles, -1 for dark ones.
    """
    for n in range(places.shape[0]):
        x[n], y[n] = _centroid(band, sign, places[n, 0], places[n, 1], radius)


@njit
def _centroid(band: Any, sign: float, row: int, column: int, radius: int) -> tuple[float, float]:
    x, y = float(column), float(row)
    for _ in range(_STEPS):
        total, sum_x, sum_y = 0.0, 0.0, 0.0
        for i in range(max(0, row - radius), min(band.shape[0], row + radius + 1)):
            for j in range(max(0, column - radius), min(band.shape[1], column + radius + 1)):
                weight = sign * band[i, j] - 1.0
                if weight > 0 and (i - row) ** 2 + (j - column) ** 2 <= radius * radius:
                    total += weight
                    sum_x += weight * j
                    sum_y += weight * i
        if total == 0:
            break
        x, y = sum_x / total, sum_y / total
        if abs(x - column) <= 0.6 and abs(y - row) <= 0.6:
            break
        column, row = round(x), round(y)
    return x, y
