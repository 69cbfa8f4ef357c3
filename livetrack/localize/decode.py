"""The network's maps to rows.

The network sees the image at stride 2 and gives six maps, (6, H/2, W/2), one value per cell of 2x2 pixels:

0. logit of the probability that a particle's centre lies in this cell;
1. 2. its position from the cell's centre, px, along x and y;
3. 4. log of the standard uncertainty of that position, px, along x and y;
5. asinh(height of the particle over the background / noise), signed.

A particle near a border between cells shares its probability among them, so a row's score is the sum over 3x3 cells
about a peak: the expected number of particles there (as in DECODE: Speiser et al., Nature Methods 18, 1082 (2021)).
All cells about the particle point at it; its position is their mean, weighted by 1 / variance.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.particles import Rows, empty_rows

__all__ = ["MAPS", "STRIDE", "decode", "decode_near"]

STRIDE = 2
"""Pixels per cell along each axis."""

MAPS = 6
"""Maps that the network gives."""

_AGREE_PX = 1.5  # a cell whose position lies further from the peak's belongs to another particle
_NEAR = 2  # cells about the expected one where `decode_near` looks
_HOPELESS = -7.0  # logits below count as probability 0
_FIELDS = 6
_APART_PX = 1.5  # of two particles nearer than that, the weaker is the same one seen twice


def decode(maps: npt.NDArray[Any], width: int, height: int, noise: float, threshold: float) -> Rows:
    """Return the particles in `maps`, in the order of their cells (top to bottom, left to right).

    Parameters
    ----------
    maps
        (6, h, w) float32, C-contiguous.
    width, height
        Of the image, px; particles whose centre lies outside of it are dropped.
    noise
        Grey levels, of `normalize.noise_level`.
    threshold
        Least score.
    """
    probability = np.zeros((maps.shape[1] + 2, maps.shape[2] + 2), np.float32)
    peaks = _peaks(maps[0], probability, threshold)
    found = np.empty((len(peaks), _FIELDS), np.float32)
    found = found[: _read_peaks(maps, probability, peaks, width, height, found)]
    rows = empty_rows(len(found))
    _write(rows, found, noise)
    return rows


def decode_near(
    maps: npt.NDArray[Any], left: npt.NDArray[Any], top: npt.NDArray[Any], noise: float, rows: Rows
) -> None:
    """Measure each of `rows` anew, in place, from the maps of the crop about it.

    Parameters
    ----------
    maps
        (N, 6, h, w) float32, C-contiguous.
    left, top
        (N,) the first pixel of each crop in the image.
    noise
        Grey levels, of `normalize.noise_level`.
    rows
        (N,) where the particles are expected; the most probable place within 5 px is taken.
    """
    found = np.empty((len(rows), _FIELDS), np.float32)
    _read_nearest(maps, (rows["x"] - left).astype(np.float32), (rows["y"] - top).astype(np.float32), found)
    found[:, 0] += left
    found[:, 1] += top
    _write(rows, found, noise)


def _write(rows: Rows, found: npt.NDArray[np.float32], noise: float) -> None:
    for column, name in enumerate(("x", "y", "x_std", "y_std", "score")):
        rows[name] = found[:, column]
    rows["xy_cov"] = 0
    rows["intensity"] = noise * np.sinh(found[:, 5])
    rows["angle"] = np.nan


@njit
def _read_nearest(maps: Any, x: Any, y: Any, found: Any) -> None:
    rows, columns = maps.shape[2:]
    probability = np.zeros((rows + 2, columns + 2), np.float32)
    for n in range(x.size):
        _fill_probability(maps[n, 0], probability)
        row = min(max(int((y[n] + 0.5) / STRIDE), 0), rows - 1)
        column = min(max(int((x[n] + 0.5) / STRIDE), 0), columns - 1)
        best_row, best_column = row, column
        for i in range(max(0, row - _NEAR), min(rows, row + _NEAR + 1)):
            for j in range(max(0, column - _NEAR), min(columns, column + _NEAR + 1)):
                if maps[n, 0, i, j] > maps[n, 0, best_row, best_column]:
                    best_row, best_column = i, j
        _read(maps[n], probability, best_row, best_column, found[n])


@njit
def _fill_probability(logits: Any, probability: Any) -> None:
    """Fill `probability`, which has one cell of margin."""
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            logit = logits[i, j]
            probability[i + 1, j + 1] = 1 / (1 + math.exp(-logit)) if logit > _HOPELESS else 0


@njit
def _peaks(logits: Any, probability: Any, threshold: float) -> Any:
    """Fill `probability` and return the peaks (P, 2), as (row, column), whose 3x3 sum reaches `threshold`."""
    _fill_probability(logits, probability)
    rows, columns = logits.shape
    count = 0
    peaks = np.empty((256, 2), np.int32)
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            here = probability[i, j]
            if 9 * here < threshold:
                continue
            total = np.float32(0)
            highest = True
            for di in range(-1, 2):
                for dj in range(-1, 2):
                    value = probability[i + di, j + dj]
                    total += value
                    before = di < 0 or (di == 0 and dj < 0)
                    if value > here or (before and value == here):
                        highest = False
            if highest and total >= threshold:
                if count == peaks.shape[0]:
                    peaks = np.concatenate((peaks, np.empty_like(peaks)))
                peaks[count] = i - 1, j - 1
                count += 1
    return peaks[:count]


@njit
def _read_peaks(maps: Any, probability: Any, peaks: Any, width: int, height: int, found: Any) -> int:
    """Write (x, y, x_std, y_std, score, asinh height) of each peak into `found`; return how many there are."""
    kept = 0
    for n in range(peaks.shape[0]):
        _read(maps, probability, peaks[n, 0], peaks[n, 1], found[kept])
        x, y, score = found[kept, 0], found[kept, 1], found[kept, 4]
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            continue
        twin = -1
        for m in range(kept):
            if (found[m, 0] - x) ** 2 + (found[m, 1] - y) ** 2 < _APART_PX**2:
                twin = m
        if twin < 0:
            kept += 1
        elif found[twin, 4] < score:
            found[twin] = found[kept]
    return kept


@njit
def _read(maps: Any, probability: Any, row: int, column: int, into: Any) -> None:
    """Average the 3x3 cells about a peak, as far as they agree with it."""
    into[:] = 0
    peak_x = STRIDE * column + maps[1, row, column]
    peak_y = STRIDE * row + maps[2, row, column]
    total_x, total_y, cells = 0.0, 0.0, 0.0
    for i in range(max(0, row - 1), min(maps.shape[1], row + 2)):
        for j in range(max(0, column - 1), min(maps.shape[2], column + 2)):
            into[4] += probability[i + 1, j + 1]
            x = STRIDE * j + maps[1, i, j]
            y = STRIDE * i + maps[2, i, j]
            if (x - peak_x) ** 2 + (y - peak_y) ** 2 < _AGREE_PX**2:
                weight_x = math.exp(-2 * maps[3, i, j])
                weight_y = math.exp(-2 * maps[4, i, j])
                into[0] += weight_x * x
                into[1] += weight_y * y
                into[5] += maps[5, i, j]
                total_x += weight_x
                total_y += weight_y
                cells += 1
    into[0] = into[0] / total_x + 0.5 * (STRIDE - 1)
    into[1] = into[1] / total_y + 0.5 * (STRIDE - 1)
    into[2] = math.sqrt(cells / total_x)
    into[3] = math.sqrt(cells / total_y)
    into[4] = min(into[4], 1)
    into[5] /= cells
