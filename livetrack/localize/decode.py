"""Decodes the network's maps into rows.

For each cell of 2x2 pixels the network returns `MAPS` values:

0. logit of the probability that a particle's centre lies in the cell;
1. 2. the centre's x and y relative to the cell's centre, px;
3. 4. log of the standard uncertainty of that x and y, px;
5. asinh(intensity / noise), signed;
6. 7. cosine and sine of twice the angle of the particle's long axis, if it has one.

Four cells make a block of 4x4 pixels, one position of the maps, (32, H/4, W/4). Value m of cell (i, j) is at
(4 m + 2 (i mod 2) + j mod 2, i // 2, j // 2).

A particle near a border between cells shares its probability among them. A row's score is therefore the sum over
those of the 3x3 cells around a peak that agree on the position: the expected number of particles there (as in DECODE:
Speiser et al., Nature Methods 18, 1082 (2021)). The position is the mean over these cells, weighted by 1 / variance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.crops import Crops
from livetrack.particles import NO_ID, ROW, Rows

__all__ = ["BLOCK", "CELL", "MAPS", "decode", "decode_nearest"]

CELL = 2
"""Pixels per cell along each axis."""

BLOCK = 4
"""Pixels per position in the maps along each axis."""

MAPS = 8
"""Values per cell."""

_AGREE_PX = 1.5  # a cell whose position lies farther from the peak's belongs to another particle
_MAX_SHARING_CELLS = 4  # cells that share one centre
_REACH_CELLS = 2  # around the expected cell, where `decode_nearest` searches
_MIN_LOGIT = -7.0  # up to this, a logit counts as probability 0
_MAX_LOG_STD, _MAX_ASINH = 20.0, 80.0  # beyond what any image gives; the exponential of more would overflow
_FIELDS = 8
_SAME_PX = (
    2.3  # two rows nearer than this are one particle, found in two crops or in two cells; the less probable is dropped
)


def decode(
    batches: Iterable[tuple[npt.NDArray[Any], Crops]],
    width: int,
    height: int,
    margin: float,
    noise: float,
    threshold: float,
    oriented: bool = False,
) -> Rows:
    """Return the particles in crops of an image, top to bottom, each once even if crops overlap.

    Parameters
    ----------
    batches
        Maps, (N, 32, h, w) float32, C-contiguous, and their N crops. The maps of a batch are read before the next one
        is requested.
    width, height
        Of the image, px; particles whose centre lies outside it are dropped.
    margin
        Particles nearer than this to a border of their crop are left out, px, unless it is the image's border.
    noise
        From `noise_level`, grey levels.
    threshold
        Minimum score. Cells whose logit is -7 or less make no row even with 0.
    oriented
        The particles have a long axis: return its angle.
    """
    parts = [_read_crops(maps, crops.left, crops.top, width, height, margin, threshold) for maps, crops in batches]
    found = parts[0] if len(parts) == 1 else np.concatenate(parts)
    rows = np.zeros(len(found), ROW)
    return rows[: _write_distinct(found, noise, oriented, rows)]


def decode_nearest(
    maps: npt.NDArray[Any],
    left: npt.NDArray[Any],
    top: npt.NDArray[Any],
    noise: float,
    rows: Rows,
    oriented: bool = False,
) -> None:
    """Measure each of `rows` again, in place, from the maps of the crop around it.

    Parameters
    ----------
    maps
        (N, 32, h, w) float32, C-contiguous.
    left, top
        (N,) first pixel of each crop in the image.
    noise
        From `noise_level`, grey levels.
    rows
        (N,) with the expected positions; the most probable cell within 5 px is used.
    oriented
        As in `decode`.
    """
    _read_nearest(maps, left, top, noise, oriented, rows)


@njit
def _read_crops(maps: Any, left: Any, top: Any, width: int, height: int, margin: float, threshold: float) -> Any:
    """Return the fields (P, 8) of the peaks of all crops, see `_read`, with positions in the image."""
    columns, rows = BLOCK * maps.shape[3], BLOCK * maps.shape[2]
    fraction = threshold / _MAX_SHARING_CELLS
    least = np.float32(max(math.log(fraction / (1 - fraction)), _MIN_LOGIT) if fraction > 0 else _MIN_LOGIT)
    cells = np.empty(4 * maps.shape[2] * maps.shape[3], np.int32)
    found = np.empty((64, _FIELDS), np.float32)
    count = 0
    for n in range(maps.shape[0]):
        x, y, here = left[n], top[n], maps[n]
        x_min = margin if x > 0 else -0.5
        x_max = columns - 1 - margin if x + columns < width else width - 0.5 - x
        y_min = margin if y > 0 else -0.5
        y_max = rows - 1 - margin if y + rows < height else height - 0.5 - y
        for k in cells[: _write_candidates(here[:4].ravel(), least, cells)]:
            part, block = divmod(k, maps.shape[2] * maps.shape[3])
            row, column = 2 * (block // maps.shape[3]) + part // 2, 2 * (block % maps.shape[3]) + part % 2
            if _is_peak(here, row, column):
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                fields = found[count]
                _read(here, row, column, fields)
                if fields[4] >= threshold and x_min <= fields[0] <= x_max and y_min <= fields[1] <= y_max:
                    fields[0] += x
                    fields[1] += y
                    count += 1
    return found[:count]


@njit
def _write_candidates(logits: Any, least: Any, cells: Any) -> int:
    """Write the indices of the cells above `least` into `cells`; return their number."""
    count = 0
    for k in range(logits.size):
        cells[count] = k  # overwritten by the next one if it does not count: faster than a branch
        count += logits[k] > least
    return count


@njit
def _is_peak(maps: Any, row: int, column: int) -> bool:
    """Whether no neighbouring cell that agrees on the position is more probable."""
    here = _value(maps, 0, row, column)
    for i in range(max(0, row - 1), min(2 * maps.shape[1], row + 2)):
        for j in range(max(0, column - 1), min(2 * maps.shape[2], column + 2)):
            value = _value(maps, 0, i, j)
            before = i < row or (i == row and j < column)
            if (value > here or (before and value == here)) and _agree(maps, row, column, i, j):
                return False
    return True


@njit
def _agree(maps: Any, row: int, column: int, i: int, j: int) -> bool:
    """Whether cells (i, j) and (row, column) agree on the position."""
    dx = CELL * (j - column) + _value(maps, 1, i, j) - _value(maps, 1, row, column)
    dy = CELL * (i - row) + _value(maps, 2, i, j) - _value(maps, 2, row, column)
    return bool(dx * dx + dy * dy < _AGREE_PX * _AGREE_PX)


@njit
def _value(maps: Any, m: int, i: int, j: int) -> Any:
    """Return value `m` of cell (i, j)."""
    return maps[4 * m + 2 * (i & 1) + (j & 1), i >> 1, j >> 1]


@njit
def _clipped(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


@njit
def _probability(logit: float) -> Any:
    return np.float32(1 / (1 + math.exp(-logit)) if logit > _MIN_LOGIT else 0.0)


@njit
def _read(maps: Any, row: int, column: int, into: Any) -> None:
    """Average those of the 3x3 cells around a peak that agree with it: x, y, x_std, y_std, score, height, axis (2)."""
    into[:] = 0
    total_x, total_y, cells = 0.0, 0.0, 0.0
    for i in range(max(0, row - 1), min(2 * maps.shape[1], row + 2)):
        for j in range(max(0, column - 1), min(2 * maps.shape[2], column + 2)):
            if _agree(maps, row, column, i, j):
                weight_x = math.exp(-2 * _clipped(_value(maps, 3, i, j), _MAX_LOG_STD))
                weight_y = math.exp(-2 * _clipped(_value(maps, 4, i, j), _MAX_LOG_STD))
                into[0] += weight_x * (CELL * j + _value(maps, 1, i, j))
                into[1] += weight_y * (CELL * i + _value(maps, 2, i, j))
                into[4] += _probability(_value(maps, 0, i, j))
                for m in range(5, MAPS):
                    into[m] += _value(maps, m, i, j)
                total_x += weight_x
                total_y += weight_y
                cells += 1
    into[0] = into[0] / total_x + 0.5 * (CELL - 1)
    into[1] = into[1] / total_y + 0.5 * (CELL - 1)
    into[2] = math.sqrt(cells / total_x)
    into[3] = math.sqrt(cells / total_y)
    into[4] = min(into[4], 1)
    into[5] /= cells


@njit
def _write_distinct(found: Any, noise: float, oriented: bool, rows: Any) -> int:
    """Write the fields (P, 8) into `rows`, top to bottom, each particle once; return their number."""
    order = np.argsort(found[:, 0], kind="mergesort")
    order = order[np.argsort(found[order, 1], kind="mergesort")]  # by y, then x
    kept = 0
    for n in order:
        x, y = found[n, 0], found[n, 1]
        same, nearest = -1, _SAME_PX**2
        for m in range(kept - 1, -1, -1):
            if y - rows[m]["y"] >= 2 * _SAME_PX:  # twice: a row may have been replaced by a more probable one below it
                break
            distance = (rows[m]["x"] - x) ** 2 + (rows[m]["y"] - y) ** 2
            if distance < nearest:
                same, nearest = m, distance
        if same < 0:
            _write(found[n], noise, oriented, rows[kept])
            rows[kept]["id"], rows[kept]["vx"], rows[kept]["vy"] = NO_ID, np.nan, np.nan
            kept += 1
        elif rows[same]["score"] < found[n, 4]:
            _write(found[n], noise, oriented, rows[same])
    return kept


@njit
def _write(fields: Any, noise: float, oriented: bool, row: Any) -> None:
    row["x"], row["y"], row["x_std"], row["y_std"] = fields[0], fields[1], fields[2], fields[3]
    row["xy_cov"], row["score"] = 0, fields[4]
    row["intensity"] = noise * math.sinh(_clipped(fields[5], _MAX_ASINH))
    row["angle"] = 0.5 * math.atan2(fields[7], fields[6]) if oriented else np.nan


@njit
def _read_nearest(maps: Any, left: Any, top: Any, noise: float, oriented: bool, rows: Any) -> None:
    height, width = 2 * maps.shape[2], 2 * maps.shape[3]
    fields = np.empty(_FIELDS, np.float32)
    for n in range(len(rows)):
        row = min(max(int((rows[n]["y"] - top[n] + 0.5) / CELL), 0), height - 1)
        column = min(max(int((rows[n]["x"] - left[n] + 0.5) / CELL), 0), width - 1)
        best_row, best_column = row, column
        for i in range(max(0, row - _REACH_CELLS), min(height, row + _REACH_CELLS + 1)):
            for j in range(max(0, column - _REACH_CELLS), min(width, column + _REACH_CELLS + 1)):
                if _value(maps[n], 0, i, j) > _value(maps[n], 0, best_row, best_column):
                    best_row, best_column = i, j
        _read(maps[n], best_row, best_column, fields)
        fields[0] += left[n]
        fields[1] += top[n]
        _write(fields, noise, oriented, rows[n])
