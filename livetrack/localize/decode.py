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
from livetrack.localize.windows import Windows
from livetrack.particles import Rows, empty_rows

__all__ = ["BLOCK", "CELL", "MAPS", "decode", "decode_near", "decode_windows"]

CELL = 2
"""Pixels per cell along each axis."""

BLOCK = 4
"""Pixels per position in the maps along each axis."""

MAPS = 8
"""Values per cell."""

_AGREE_PX = 1.5  # a cell whose position lies further from the peak's belongs to another particle
_SHARED = 4  # cells at most that a centre is shared among
_NEAR = 2  # cells about the expected one where `decode_near` looks
_HOPELESS = -7.0  # logits below count as probability 0
_FIELDS = 8
_APART_PX = 1.5  # of two particles nearer than that, the weaker is the same one seen twice


def decode(
    maps: npt.NDArray[Any], width: int, height: int, noise: float, threshold: float, oriented: bool = False
) -> Rows:
    """Return the particles in `maps`, top to bottom.

    Parameters
    ----------
    maps
        (32, h, w) float32, C-contiguous.
    width, height
        Of the image, px; particles whose centre lies outside of it are dropped.
    noise
        Grey levels, of `normalize.noise_level`.
    threshold
        Least score.
    oriented
        The particles have a long axis: give its angle.
    """
    probability = np.zeros((2 * maps.shape[1] + 2, 2 * maps.shape[2] + 2), np.float32)
    peaks = _peaks(maps, probability, threshold)
    found = np.empty((len(peaks), _FIELDS), np.float32)
    whole = (-0.5, width - 0.5, -0.5, height - 0.5)
    found = found[: _read_peaks(maps, probability, peaks, whole, threshold, found)]
    return _rows(found, noise, oriented)


def decode_windows(
    seen: Iterable[tuple[npt.NDArray[Any], Windows]],
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
        Of the image, px.
    margin
        Particles nearer than this to a border of their window are left out, px, unless it is the image's border.
    noise, threshold, oriented
        As in `decode`.
    """
    parts = [_read_windows(maps, each.left, each.top, width, height, margin, threshold) for maps, each in seen]
    return _rows(np.concatenate(parts), noise, oriented)


def decode_near(
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
        Grey levels, of `normalize.noise_level`.
    rows
        (N,) where the particles are expected; the most probable place within 5 px is taken.
    oriented
        As in `decode`.
    """
    found = np.empty((len(rows), _FIELDS), np.float32)
    _read_nearest(maps, (rows["x"] - left).astype(np.float32), (rows["y"] - top).astype(np.float32), found)
    found[:, 0] += left
    found[:, 1] += top
    _write(rows, found, noise, oriented)


def _rows(found: npt.NDArray[np.float32], noise: float, oriented: bool) -> Rows:
    """Return what was found as rows, top to bottom, each particle once."""
    found = found[np.lexsort((found[:, 0], found[:, 1]))]
    found = found[: _drop_twins(found)]
    rows = empty_rows(len(found))
    _write(rows, found, noise, oriented)
    return rows


def _write(rows: Rows, found: npt.NDArray[np.float32], noise: float, oriented: bool) -> None:
    for column, name in enumerate(("x", "y", "x_std", "y_std", "score")):
        rows[name] = found[:, column]
    rows["xy_cov"] = 0
    rows["intensity"] = noise * np.sinh(found[:, 5])
    rows["angle"] = 0.5 * np.arctan2(found[:, 7], found[:, 6]) if oriented else np.nan


@njit
def _read_nearest(maps: Any, x: Any, y: Any, found: Any) -> None:
    rows, columns = 2 * maps.shape[2], 2 * maps.shape[3]
    probability = np.zeros((rows + 2, columns + 2), np.float32)
    for n in range(x.size):
        _fill_probability(maps[n], probability)
        row = min(max(int((y[n] + 0.5) / CELL), 0), rows - 1)
        column = min(max(int((x[n] + 0.5) / CELL), 0), columns - 1)
        best_row, best_column = row, column
        for i in range(max(0, row - _NEAR), min(rows, row + _NEAR + 1)):
            for j in range(max(0, column - _NEAR), min(columns, column + _NEAR + 1)):
                if _value(maps[n], 0, i, j) > _value(maps[n], 0, best_row, best_column):
                    best_row, best_column = i, j
        _read(maps[n], probability, best_row, best_column, found[n])


@njit
def _value(maps: Any, m: int, i: int, j: int) -> Any:
    """Return value `m` of cell (i, j)."""
    return maps[4 * m + 2 * (i & 1) + (j & 1), i >> 1, j >> 1]


@njit
def _fill_probability(maps: Any, probability: Any) -> None:
    """Fill `probability`, which has one cell of margin."""
    for part in range(4):
        for i in range(maps.shape[1]):
            for j in range(maps.shape[2]):
                logit = maps[part, i, j]
                probability[2 * i + part // 2 + 1, 2 * j + part % 2 + 1] = (
                    1 / (1 + math.exp(-logit)) if logit > _HOPELESS else 0
                )


@njit
def _peaks(maps: Any, probability: Any, threshold: float) -> Any:
    """Fill `probability` and return the cells (P, 2), as (row, column), that may be peaks.

    Of the cells about it that point at the same place, none is more probable.
    """
    _fill_probability(maps, probability)
    rows, columns = 2 * maps.shape[1], 2 * maps.shape[2]
    count = 0
    peaks = np.empty((256, 2), np.int32)
    for i in range(rows):
        for j in range(columns):
            if _SHARED * probability[i + 1, j + 1] >= threshold and _is_peak(maps, probability, i, j):
                if count == peaks.shape[0]:
                    peaks = np.concatenate((peaks, np.empty_like(peaks)))
                peaks[count] = i, j
                count += 1
    return peaks[:count]


@njit
def _is_peak(maps: Any, probability: Any, row: int, column: int) -> bool:
    here = probability[row + 1, column + 1]
    for i in range(row - 1, row + 2):
        for j in range(column - 1, column + 2):
            value = probability[i + 1, j + 1]
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
def _read_windows(maps: Any, left: Any, top: Any, width: int, height: int, margin: float, threshold: float) -> Any:
    """Return the fields (P, 8) of the peaks of all windows, with the places in the image."""
    rows, columns = 2 * maps.shape[2], 2 * maps.shape[3]
    probability = np.zeros((rows + 2, columns + 2), np.float32)
    found = np.empty((256, _FIELDS), np.float32)
    count = 0
    for n in range(maps.shape[0]):
        x, y = left[n], top[n]
        peaks = _peaks(maps[n], probability, threshold)
        while count + len(peaks) > len(found):
            found = np.concatenate((found, np.empty_like(found)))
        inside = (
            margin if x > 0 else -0.5,
            CELL * columns - 1 - margin if x + CELL * columns < width else width - 0.5 - x,
            margin if y > 0 else -0.5,
            CELL * rows - 1 - margin if y + CELL * rows < height else height - 0.5 - y,
        )
        kept = _read_peaks(maps[n], probability, peaks, inside, threshold, found[count:])
        found[count : count + kept, 0] += x
        found[count : count + kept, 1] += y
        count += kept
    return found[:count]


@njit
def _drop_twins(found: Any) -> int:
    """Move the particles, sorted by y, together so that each is there once; return how many there are."""
    kept = 0
    for n in range(len(found)):
        x, y = found[n, 0], found[n, 1]
        twin = -1
        for m in range(kept - 1, -1, -1):
            if y - found[m, 1] >= 2 * _APART_PX:  # twice: a likelier twin has taken the place of one above it
                break
            if (found[m, 0] - x) ** 2 + (found[m, 1] - y) ** 2 < _APART_PX**2:
                twin = m
        if twin < 0:
            found[kept] = found[n]
            kept += 1
        elif found[twin, 4] < found[n, 4]:
            found[twin] = found[n]
    return kept


@njit
def _read_peaks(maps: Any, probability: Any, peaks: Any, inside: Any, threshold: float, found: Any) -> int:
    """Write the fields of each peak that reaches `threshold` into `found`; return how many there are.

    `inside` is the least and the largest x, then y, px.
    """
    kept = 0
    for n in range(peaks.shape[0]):
        _read(maps, probability, peaks[n, 0], peaks[n, 1], found[kept])
        x, y, score = found[kept, 0], found[kept, 1], found[kept, 4]
        if score >= threshold and inside[0] <= x <= inside[1] and inside[2] <= y <= inside[3]:
            kept += 1
    return kept


@njit
def _read(maps: Any, probability: Any, row: int, column: int, into: Any) -> None:
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
                into[4] += probability[i + 1, j + 1]
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
