"""The particles of an image as the fit sees them: where they were found, who is crowded, and their grey levels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.radial.step import (
    COV,
    FOUND_X,
    FOUND_Y,
    HEIGHT,
    LIMIT_PX,
    MERGED,
    MISFIT,
    PEAK,
    UNEVEN,
    VAR_X,
    VAR_Y,
    X,
    Y,
)  # fmt: skip
from livetrack.localize.refine.radial.window import OUTSIDE
from livetrack.particles import Flag

__all__ = [
    "background_level",
    "extremes",
    "find_crowds",
    "nearest_squares",
    "read_windows",
    "start",
    "widen",
    "write_rows",
]

_AROUND_PX = (-4, -2, 0, 2, 4)  # along either axis, where pixels are looked at
_FAR_MORE = 4.0  # times the height that the network gave: so much is a ring, not noise
_MIN_HEIGHT = 1.0  # in units of the noise: the prior's scale is no smaller
_UNEVEN_STD = 0.45  # of one particle's `UNEVEN` where only noise is left
_UNCANCELLED = 0.5  # of what is left in octants: neighbours on opposite sides cancel each other in part
_EDGE, _MERGED = np.uint32(Flag.EDGE), np.uint32(Flag.MERGED)


_SAMPLES = 64  # pixels, whose median is the background


@njit
def background_level(image: Any) -> float:
    """Return the median grey level of some pixels."""
    step = round(math.sqrt(image.size / _SAMPLES)) | 1  # odd, so as not to fall in step with a pattern
    sample = np.sort(np.ravel(image[::step, ::step]))
    return float(sample[sample.size // 2])


@njit
def start(rows: Any, image: Any, noise: float, state: Any, active: Any, good: Any) -> int:
    """Fill the state of `rows` (N,) and which of them are to be fitted, (N,); none is good yet. Return their number."""
    count = 0
    for n in range(rows.size):
        x, y = rows[n]["x"], rows[n]["y"]
        inside = 0 <= x < image.shape[1] and 0 <= y < image.shape[0]
        active[n] = inside and rows[n]["flags"] & _EDGE == 0
        count += active[n]
        good[n] = False
        state[n] = 0
        state[n, HEIGHT] = _plausible(image, noise, x, y, rows[n]["intensity"] / noise) if inside else 1.0
        if not inside:  # nobody's neighbour, and x may be NaN
            x, y = -1e6, -1e6
        state[n, FOUND_X] = state[n, X] = x
        state[n, FOUND_Y] = state[n, Y] = y
    return count


@njit
def _plausible(image: Any, noise: float, x: float, y: float, height: float) -> float:
    """Return the height, in units of the noise, or what the pixels around the centre say, where that is far more.

    Where a core is as bright as its ring is dark, the network may say that there is no height: the prior, scaled by it,
    would crush the profile.
    """
    rows, columns = image.shape
    i, j = round(y), round(x)
    least, most = np.inf, -np.inf
    for d in _AROUND_PX:
        across = float(image[min(max(i, 0), rows - 1), min(max(j + d, 0), columns - 1)])
        along = float(image[min(max(i + d, 0), rows - 1), min(max(j, 0), columns - 1)])
        least = min(least, across, along)
        most = max(most, across, along)
    spread = 0.5 * (most - least) / noise
    size = max(abs(height), _MIN_HEIGHT)
    return math.copysign(spread if spread > _FAR_MORE * size else size, height)


@njit
def nearest_squares(state: Any, limit: float, order: Any) -> Any:
    """Return (N,) each particle's squared distance to the nearest other, px²; infinite where it is `limit` px or more.

    Fills `order` (N,), from top to bottom.
    """
    count = len(state)
    squares = np.full(count, np.inf)
    order[:count] = np.argsort(state[:, Y], kind="mergesort")
    for a in range(count):
        n = order[a]
        for b in range(a + 1, count):
            m = order[b]
            dy = state[m, Y] - state[n, Y]
            if dy >= limit:
                break
            square = dy * dy + (state[m, X] - state[n, X]) ** 2
            if 0 < square < limit * limit:
                squares[n], squares[m] = min(squares[n], square), min(squares[m], square)
    return squares


@njit
def find_crowds(state: Any, far: float, close: float, crowd: Any, order: Any) -> bool:
    """Fill `order` (N,), from top to bottom, and `crowd` (N,). Return whether there are any.

    0 stands for a particle alone, 1 for one with another within `far` px, 2 for one with another within `close` px.
    """
    some = False
    squares = nearest_squares(state, far, order)
    for n in range(squares.size):
        crowd[n] = 2 if squares[n] < close * close else 1 if squares[n] < far * far else 0
        some = some or crowd[n] > 0
    return some


@njit
def read_windows(
    image: Any, state: Any, which: Any, crowd: Any, row: Any, column: Any, used: int, binning: int, reach: int,
    middle: Any, raw: Any,
) -> None:  # fmt: skip
    """Fill the windows of the particles `which` (N,): (N, P) grey levels and (N, 2) middle pixels.

    The middle pixel is the one nearest to the centre; of a particle alone the nearest of every second one, as on a
    chessboard: the pixels around the core, every second one too, are then the same wherever its fit begins.
    """
    height, width = image.shape
    flat, last = image.reshape(-1), reach + binning - 1
    for m in range(which.size):
        if not which[m]:
            continue
        x, y = state[m, X], state[m, Y]
        i, j = min(math.floor(y + 0.5), height - 1), min(math.floor(x + 0.5), width - 1)
        if crowd[m] == 0 and (i + j) % 2:
            if abs(y - i) > abs(x - j):
                i += 1 if y > i else -1
            else:
                j += 1 if x > j else -1
        middle[m, 0], middle[m, 1] = i, j
        whole = reach <= i < height - last and reach <= j < width - last
        if whole and binning == 1:
            first = np.int64(i * width + j)
            for p in range(used):
                raw[m, p] = flat[np.uint64(first + row[p] * width + column[p])]
        else:
            _read_binned(image, i, j, row, column, used, binning, raw[m])
        for p in range(used, raw.shape[1]):
            raw[m, p] = OUTSIDE


@njit
def _read_binned(image: Any, i: int, j: int, row: Any, column: Any, used: int, binning: int, raw: Any) -> None:
    """Average squares of pixels; those that are not wholly inside the image are marked."""
    height, width = image.shape
    for p in range(used):
        top, left = i + row[p], j + column[p]
        if 0 <= top <= height - binning and 0 <= left <= width - binning:
            total = 0.0
            for a in range(binning):
                for b in range(binning):
                    total += image[top + a, left + b]
            raw[p] = total / (binning * binning)
        else:
            raw[p] = OUTSIDE


@njit
def extremes(raw: Any, which: Any) -> Any:
    """Return the lowest and the highest grey level of windows, how many pixels have each, and how many there are."""
    low, high, lows, highs, pixels = OUTSIDE, -OUTSIDE, 0, 0, 0
    for m in range(which.size):
        if which[m]:
            least, most = _ends(m, raw)
            if least < low:
                low, lows = least, 0
            if most > high:
                high, highs = most, 0
            if least == low:
                lows += _count(m, raw, low)
            if most == high:
                highs += _count(m, raw, high)
            pixels += raw.shape[1]
    return low, high, lows, highs, pixels


@njit(fastmath=True)
def _ends(m: int, raw: Any) -> Any:
    low, high = OUTSIDE, -OUTSIDE
    for p in range(raw.shape[1]):
        value = raw[m, p]
        low = value if value < low else low
        inside = value if value < OUTSIDE else -OUTSIDE
        high = inside if inside > high else high
    return low, high


@njit(fastmath=True)
def _count(m: int, raw: Any, value: Any) -> int:
    count = np.float32(0)
    for p in range(raw.shape[1]):
        count += np.float32(1) if raw[m, p] == value else np.float32(0)
    return int(count)


def widen(state: npt.NDArray[np.float64], good: npt.NDArray[np.bool_]) -> None:
    """Make the variances of large particles larger by what else than noise is left in all of them together.

    The rings of neighbours reach into large cores. A shared factor, as that of a single particle is known to a half.
    """
    uneven = state[good, UNEVEN]
    if uneven.size:
        least = 2 * _UNEVEN_STD / math.sqrt(uneven.size)
        factor = 1 + _UNCANCELLED * max(float(uneven.mean()) - least - 1, 0.0)
        state[good, VAR_X] *= factor
        state[good, VAR_Y] *= factor
        state[good, COV] *= factor


@njit
def write_rows(rows: Any, noise: float, state: Any, good: Any, misfit: Any) -> None:
    """Write what was found into the rows, except where the fit has failed or gone as far as it may.

    `misfit`, (N,) or empty, gets the reduced chi-square, NaN for those.
    """
    for n in range(rows.size):
        moved = max(abs(state[n, X] - state[n, FOUND_X]), abs(state[n, Y] - state[n, FOUND_Y]))
        found = good[n] and moved < LIMIT_PX
        if misfit.size:
            misfit[n] = state[n, MISFIT] if found else np.nan
        if found:
            rows[n]["x"], rows[n]["y"] = state[n, X], state[n, Y]
            rows[n]["x_std"], rows[n]["y_std"] = math.sqrt(state[n, VAR_X]), math.sqrt(state[n, VAR_Y])
            rows[n]["xy_cov"] = state[n, COV]
            rows[n]["intensity"] = noise * state[n, PEAK]
            others = rows[n]["flags"] & ~_MERGED
            rows[n]["flags"] = others | _MERGED if state[n, MERGED] > 0 else others
