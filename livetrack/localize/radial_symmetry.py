"""The centre of radial symmetry of a crop: Parthasarathy, Nature Methods 9, 724 (2012)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from livetrack.jit import njit

__all__ = ["radial_symmetry_centres"]


@njit
def radial_symmetry_centres(image: Any, places: Any, radius: int, x: Any, y: Any) -> None:
    """Write the centre of symmetry about each of `places`, (N, 2) pixels as (y, x), into `x` and `y`, (N,).

    It is the point nearest to all the lines along the image's gradient. The gradient is taken at the corners between
    pixels along both diagonals and averaged over 3x3 corners; each line weighs its squared gradient over its
    distance from the gradient's centroid. The window of side 2 `radius` + 1 is cut at the image's edge. Where there
    is no gradient, or the lines are parallel, the centre is the pixel itself.
    """
    for n in range(places.shape[0]):
        x[n], y[n] = _centre(image, places[n, 0], places[n, 1], radius)


@njit
def _centre(image: Any, row: int, column: int, radius: int) -> tuple[float, float]:
    top, bottom = max(0, row - radius), min(image.shape[0], row + radius + 1) - 1
    left, right = max(0, column - radius), min(image.shape[1], column + radius + 1) - 1
    rows, columns = bottom - top, right - left
    along = np.zeros((rows, columns))  # the slope from upper left to lower right
    across = np.zeros((rows, columns))  # the slope from upper right to lower left
    for i in range(rows):
        for j in range(columns):
            along[i, j] = image[top + i + 1, left + j + 1] - image[top + i, left + j]
            across[i, j] = image[top + i + 1, left + j] - image[top + i, left + j + 1]
    along, across = _average(along), _average(across)
    slope_x, slope_y = along - across, along + across
    strength = slope_x**2 + slope_y**2
    total = strength.sum()
    if total == 0:
        return float(column), float(row)
    middle_x = (strength.sum(axis=0) * np.arange(columns)).sum() / total
    middle_y = (strength.sum(axis=1) * np.arange(rows)).sum() / total

    # least squares: each line allows motion along its slope (u, v) only, sum of w (I - (u, v)(u, v)^T)
    xx, xy, yy, bx, by = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(rows):
        for j in range(columns):
            if strength[i, j] == 0:
                continue
            distance = math.sqrt((j - middle_x) ** 2 + (i - middle_y) ** 2)
            weight = 1 / max(distance, 1e-3)  # times strength, over the slope's square
            nx, ny = -slope_y[i, j], slope_x[i, j]
            offset = nx * j + ny * i
            xx += weight * nx * nx
            xy += weight * nx * ny
            yy += weight * ny * ny
            bx += weight * nx * offset
            by += weight * ny * offset
    determinant = xx * yy - xy * xy
    if determinant <= 1e-12 * (xx + yy) ** 2:
        return float(column), float(row)
    x = (yy * bx - xy * by) / determinant
    y = (xx * by - xy * bx) / determinant
    return left + 0.5 + min(max(x, 0.0), columns - 1.0), top + 0.5 + min(max(y, 0.0), rows - 1.0)


@njit
def _average(values: Any) -> Any:
    """Return the mean over 3x3, cut at the edge."""
    out = np.empty_like(values)
    rows, columns = values.shape
    for i in range(rows):
        for j in range(columns):
            window = values[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
            out[i, j] = window.sum() / window.size
    return out
