"""The network's maps to rows.

The network looks at blocks of 4x4 pixels and answers for each of the four cells of 2x2 pixels in one: `MAPS` values,

0. logit of the probability that a particle's centre lies in this cell;
1. 2. its position from the cell's centre, px, along x and y;
3. 4. log of the standard uncertainty of that position, px, along x and y;
5. asinh(height of the particle over the background / noise), signed;
6. 7. cosine and sine of twice the angle of its long axis, for particles that have one.

Value m of cell (i, j) is at (4 m + 2 (i mod 2) + j mod 2, i // 2, j // 2) of the maps, (32, H/4, W/4).

A particle near a border between cells shares its probability among them, so a row's score is the sum over those of
the 3x3 cells about a peak that point at the same place: the expected number of particles there (as in DECODE:
Speiser et al., Nature Methods 18, 1082 (2021)). The position is the mean of these cells, weighted by 1 / variance.
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

_AGREE_PX = 1.5  # a cell whose position lies further from the peak's belongs to another particle
_SHARED = 4  # cells at most that a centre is shared among
_NEAR = 2  # cells about the expected one where `decode_nearest` looks
_HOPELESS = -7.0  # logits up to this count as probability 0
_FIELDS = 8
_APART_PX = 1.5  # of two particles nearer than that, the weaker is the same one seen twice


def decode(
    seen: Iterable[tuple[npt.NDArray[Any], Crops]],
    width: int,
    height: int,
    margin: float,
    noise: float,
    threshold: float,
    oriented: bool = False,
) -> Rows:
    """Return the particles in windows of an image, top to bottom, each once although several windows may see it.

    Parameters
    ----------
    seen
        Maps, (N, 32, h, w) float32, C-contiguous, and the N windows that they are of; read one after the other.
    width, height
        Of the image, px; particles whose centre lies outside of it are dropped.
    margin
        Particles nearer than this to a border of their window are left out, px, unless it is the image's border.
    noise
        Grey levels, of `noise_level`.
    threshold
        Least score; also with 0, cells whose logit is -7 or less make no row.
    oriented
        The particles have a long axis: give its angle.
    """
    parts = [_read_windows(maps, each.left, each.top, width, height, margin, threshold) for maps, each in seen]
    found = parts[0] if len(parts) == 1 else np.concatenate(parts)
    rows = np.zeros(len(found), ROW)
    return rows[: _write_each_once(found, noise, oriented, rows)]


def decode_nearest(
    maps: npt.NDArray[Any],
    left: npt.NDArray[Any],
    top: npt.NDArray[Any],
    noise: float,
    rows: Rows,
    oriented: bool = False,
) -> None:
    """Measure each of `rows` anew, in place, from the maps of the crop about it.

    Parameters
    ----------
    maps
        (N, 32, h, w) float32, C-contiguous.
    left, top
        (N,) the first pixel of each crop in the image.
    noise
        Grey levels, of `noise_level`.
    rows
        (N,) where the particles are expected; the most probable place within 5 px is taken.
    oriented
        As in `decode`.
    """
    _read_nearest(maps, left, top, noise, oriented, rows)


@njit
def _read_windows(maps: Any, left: Any, top: Any, width: int, height: int, margin: float, threshold: float) -> Any:
    """Return the fields (P, 8) of the peaks of all windows, with the places in the image."""
    columns, rows = BLOCK * maps.shape[3], BLOCK * maps.shape[2]
    share = threshold / _SHARED
    least = np.float32(max(math.log(share / (1 - share)), _HOPELESS) if share > 0 else _HOPELESS)
    cells = np.empty(4 * maps.shape[2] * maps.shape[3], np.int32)
    found = np.empty((64, _FIELDS), np.float32)
    count = 0
    for n in range(maps.shape[0]):
        x, y, here = left[n], top[n], maps[n]
        x_least = margin if x > 0 else -0.5
        x_most = columns - 1 - margin if x + columns < width else width - 0.5 - x
        y_least = margin if y > 0 else -0.5
        y_most = rows - 1 - margin if y + rows < height else height - 0.5 - y
        for k in cells[: _write_likely(here[:4].ravel(), least, cells)]:
            part, block = divmod(k, maps.shape[2] * maps.shape[3])
            row, column = 2 * (block // maps.shape[3]) + part // 2, 2 * (block % maps.shape[3]) + part % 2
            if _is_peak(here, row, column):
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                fields = found[count]
                _read(here, row, column, fields)
                if fields[4] >= threshold and x_least <= fields[0] <= x_most and y_least <= fields[1] <= y_most:
                    fields[0] += x
                    fields[1] += y
                    count += 1
    return found[:count]


@njit
def _write_likely(logits: Any, least: Any, cells: Any) -> int:
    """Write the numbers of the cells above `least` into `cells`; return how many there are."""
    count = 0
    for k in range(logits.size):
        cells[count] = k  # the next is written over it where it does not count: faster than to ask
        count += logits[k] > least
    return count


@njit
def _is_peak(maps: Any, row: int, column: int) -> bool:
    """Whether of the cells about it that point at the same place none is more probable."""
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
    """Whether cell (i, j) points at the same place as cell (row, column)."""
    dx = CELL * (j - column) + _value(maps, 1, i, j) - _value(maps, 1, row, column)
    dy = CELL * (i - row) + _value(maps, 2, i, j) - _value(maps, 2, row, column)
    return bool(dx * dx + dy * dy < _AGREE_PX * _AGREE_PX)


@njit
def _value(maps: Any, m: int, i: int, j: int) -> Any:
    """Return value `m` of cell (i, j)."""
    return maps[4 * m + 2 * (i & 1) + (j & 1), i >> 1, j >> 1]


@njit
def _probability(logit: float) -> Any:
    return np.float32(1 / (1 + math.exp(-logit)) if logit > _HOPELESS else 0.0)


@njit
def _read(maps: Any, row: int, column: int, into: Any) -> None:
    """Average the 3x3 cells about a peak, as far as they agree with it: x, y, their std, score, height, axis (2)."""
    into[:] = 0
    total_x, total_y, cells = 0.0, 0.0, 0.0
    for i in range(max(0, row - 1), min(2 * maps.shape[1], row + 2)):
        for j in range(max(0, column - 1), min(2 * maps.shape[2], column + 2)):
            if _agree(maps, row, column, i, j):
                weight_x = math.exp(-2 * _value(maps, 3, i, j))
                weight_y = math.exp(-2 * _value(maps, 4, i, j))
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
def _write_each_once(found: Any, noise: float, oriented: bool, rows: Any) -> int:
    """Write what was found into `rows`, top to bottom, each particle once; return how many there are."""
    order = np.argsort(found[:, 0], kind="mergesort")
    order = order[np.argsort(found[order, 1], kind="mergesort")]  # of those at the same height the left one first
    kept = 0
    for n in order:
        x, y = found[n, 0], found[n, 1]
        twin = -1
        for m in range(kept - 1, -1, -1):
            if y - rows[m]["y"] >= 2 * _APART_PX:  # twice: a likelier twin has taken the place of one above it
                break
            if (rows[m]["x"] - x) ** 2 + (rows[m]["y"] - y) ** 2 < _APART_PX**2:
                twin = m
        if twin < 0:
            _write(found[n], noise, oriented, rows[kept])
            rows[kept]["id"], rows[kept]["vx"], rows[kept]["vy"] = NO_ID, np.nan, np.nan
            kept += 1
        elif rows[twin]["score"] < found[n, 4]:
            _write(found[n], noise, oriented, rows[twin])
    return kept


@njit
def _write(fields: Any, noise: float, oriented: bool, row: Any) -> None:
    row["x"], row["y"], row["x_std"], row["y_std"] = fields[0], fields[1], fields[2], fields[3]
    row["xy_cov"], row["score"] = 0, fields[4]
    row["intensity"] = noise * math.sinh(fields[5])
    row["angle"] = 0.5 * math.atan2(fields[7], fields[6]) if oriented else np.nan


@njit
def _read_nearest(maps: Any, left: Any, top: Any, noise: float, oriented: bool, rows: Any) -> None:
    height, width = 2 * maps.shape[2], 2 * maps.shape[3]
    fields = np.empty(_FIELDS, np.float32)
    for n in range(len(rows)):
        row = min(max(int((rows[n]["y"] - top[n] + 0.5) / CELL), 0), height - 1)
        column = min(max(int((rows[n]["x"] - left[n] + 0.5) / CELL), 0), width - 1)
        best_row, best_column = row, column
        for i in range(max(0, row - _NEAR), min(height, row + _NEAR + 1)):
            for j in range(max(0, column - _NEAR), min(width, column + _NEAR + 1)):
                if _value(maps[n], 0, i, j) > _value(maps[n], 0, best_row, best_column):
                    best_row, best_column = i, j
        _read(maps[n], best_row, best_column, fields)
        fields[0] += left[n]
        fields[1] += top[n]
        _write(fields, noise, oriented, rows[n])
