"""The grey levels in each particle's fit window, and the weight of each pixel."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["Image", "read_window"]

_FEWEST, _MOST = 8, 0.5  # pixels, and share of all, that are stuck at an end of the scale; others are there by chance
_SAMPLES = 1 << 10  # pixels, whose median is the frame's level
_HALF = np.float32(0.5)
_NONE = np.float32(0)


class Image(NamedTuple):
    """Grey levels, and what holds for all of them."""

    pixels: npt.NDArray[Any]
    """(H, W), uint8, uint16 or float32."""
    noise: float
    """Standard deviation of the background's noise, grey levels."""
    level: float
    """Grey level that most of the image has."""
    stuck: tuple[float, float]
    """Grey levels at which pixels are stuck, cut off at zero and saturated; infinite where there are none."""

    @classmethod
    def of(cls, pixels: npt.NDArray[Any], noise: float, places: npt.NDArray[np.float64], reach_px: float) -> Image:
        """Measure the rest, the ends of the scale where somebody will look: up to `reach_px` about `places` (N, 2).

        An end of the scale shows as an extreme that several pixels share; though not most of them, as the background
        of an image without noise does.
        """
        step = round(math.sqrt(pixels.size / _SAMPLES)) | 1  # odd, so as not to fall in step with a pattern
        sample = np.sort(pixels[::step, ::step], axis=None)  # a partition takes 1 ms where grey levels are few
        level = float(sample[sample.size // 2])
        darkest, brightest, lows, highs, looked = _extremes(pixels, places, math.ceil(reach_px))
        few, most = _FEWEST, _MOST * looked
        stuck = darkest if few <= lows <= most else -math.inf, brightest if few <= highs <= most else math.inf
        return cls(pixels, noise, level, stuck)

    def grey(
        self, places: npt.NDArray[np.float64], reach_px: float, room: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[np.float32]:
        """Return the pixels (H, W) as float32, copied to `room` up to `reach_px` about `places` where they are not."""
        if self.pixels.dtype == np.float32:
            return self.pixels
        if room is None:
            room = np.empty(self.pixels.shape, np.float32)
        _copy(self.pixels, places, math.ceil(reach_px), room)
        return room


@njit
def _boxes(places: Any, reach: int, height: int, width: int) -> Any:
    """Return top, bottom, left and right of a box about each place in the image, or of all of it where that is less."""
    if len(places) * (2 * reach + 1) ** 2 > height * width:
        return np.array([[0, height, 0, width]])
    boxes, inside = np.empty((len(places), 4), np.int64), 0
    for x, y in places:
        if 0 <= x < width and 0 <= y < height:
            i, j = round(y), round(x)
            boxes[inside] = max(0, i - reach), min(height, i + reach + 1), max(0, j - reach), min(width, j + reach + 1)
            inside += 1
    return boxes[:inside]


@njit
def _copy(image: Any, places: Any, reach: int, room: Any) -> None:
    for top, bottom, left, right in _boxes(places, reach, *image.shape):
        for i in range(top, bottom):
            line, into = image[i, left:right], room[i, left:right]
            for j in range(line.size):
                into[j] = line[j]


@njit
def _extremes(image: Any, places: Any, reach: int) -> Any:
    """Return the least and the largest grey level about `places`, how many pixels have each, and how many there are."""
    boxes = _boxes(places, reach, *image.shape)
    least = most = image[boxes[0, 0], boxes[0, 2]]
    lows, highs, looked = 0, 0, 0
    for top, bottom, left, right in boxes:
        for i in range(top, bottom):
            line = image[i, left:right]
            looked += line.size
            low, high = _ends(line)
            if low < least:
                least, lows = low, 0
            if high > most:
                most, highs = high, 0
            if low == least:
                lows += _count(line, low)
            if high == most:
                highs += _count(line, high)
    return float(least), float(most), lows, highs, looked


@njit(fastmath=True)
def _ends(line: Any) -> Any:
    low, high = line[0], line[0]
    for j in range(line.size):
        low, high = min(low, line[j]), max(high, line[j])
    return low, high


@njit(fastmath=True)
def _count(line: Any, value: Any) -> int:
    count = 0
    for j in range(line.size):
        count += line[j] == value
    return count


@njit
def read_window(
    n: int, grey: Any, stuck: Any, scale: float, centre: Any, square: Any, inside: Any, basis: Any, near_start: Any,
    near: Any, core: int, at: Any, painted: Any, shown: Any, room: Any, origin: Any, z: Any, weight: Any,
) -> None:  # fmt: skip
    """Read the window of particle `n`.

    Parameters
    ----------
    grey, stuck, scale
        (H, W) grey levels, those at which they are stuck, as from `Image`, and 1 / noise.
    centre
        (N, 2) of all particles, px.
    square, inside, basis
        Of the `Window`.
    near_start, near
        Which of them are neighbours, as from `neighbours`.
    core, at, painted, shown
        What neighbours add to the grey levels is taken off, as far as it is known: (2, N, side, side) in units of the
        noise, about the middle pixels (2, N, 2), as x and y; of both it is the one that is `shown` (N,). It reaches
        `core` px.
    room
        (side, side) to work in.
    origin
        (4,) gets the centre's nearest place in the tables, x and y in px, its number, and the grey level that z
        counts from, in units of the noise.
    z, weight
        (P,) get the grey levels, in units of the noise, and 1, or 0 outside of the image, on pixels that are stuck
        and on those nearer to a neighbour.
    """
    side, phases = len(room), round(math.sqrt(len(inside)))
    along, down = math.floor(centre[n, 0] * phases + 0.5), math.floor(centre[n, 1] * phases + 0.5)
    j, i = (along + phases // 2) // phases, (down + phases // 2) // phases
    phase = (down - i * phases + phases // 2) * phases + along - j * phases + phases // 2
    middle = grey[min(max(i, 0), grey.shape[0] - 1), min(max(j, 0), grey.shape[1] - 1)]
    origin[0], origin[1], origin[2], origin[3] = along / phases, down / phases, phase, scale * middle
    top, left = i - side // 2, j - side // 2
    weight[:] = inside[phase]
    if not _cut_out(grey, middle, top, left, room):
        _leave_outside(grey.shape, top, left, square, side, weight)
    if stuck[0] > -np.inf or stuck[1] < np.inf:
        _leave_stuck(grey, stuck, top, left, square, side, weight)
    for k in range(near_start[n], near_start[n + 1]):
        m = near[k]
        of = shown[m]
        _take_off(painted[of, m], np.float32(1 / scale), at[of, m, 1] - i, at[of, m, 0] - j, core, room)
        dx, dy = centre[m, 0] - origin[0], centre[m, 1] - origin[1]
        _leave_nearer(basis[phase], np.float32(dx), np.float32(dy), weight)
    _gather(room.reshape(-1), square, np.float32(scale), middle, z)


@njit
def _cut_out(grey: Any, middle: Any, top: int, left: int, room: Any) -> bool:
    """Copy a square of the image; return whether all of it was there."""
    side = room.shape[0]
    first_row, last_row = max(0, -top), min(side, grey.shape[0] - top)
    first, last = max(0, -left), min(side, grey.shape[1] - left)
    whole = first_row == 0 and first == 0 and last_row == side and last == side
    if not whole:
        room[:] = middle
    for i in range(first_row, last_row):
        for j in range(first, last):
            room[i, j] = grey[top + i, left + j]
    return whole


@njit(fastmath=True)
def _gather(flat: Any, square: Any, scale: Any, middle: Any, z: Any) -> None:
    for p in range(square.size):
        z[p] = scale * (flat[square[p]] - middle)


@njit
def _leave_outside(shape: Any, top: int, left: int, square: Any, side: int, weight: Any) -> None:
    """Give no weight to pixels outside of the image."""
    for p in range(square.size):
        i, j = top + square[p] // side, left + square[p] % side
        if not (0 <= i < shape[0] and 0 <= j < shape[1]):
            weight[p] = _NONE


@njit
def _leave_stuck(grey: Any, stuck: Any, top: int, left: int, square: Any, side: int, weight: Any) -> None:
    """Give no weight to pixels that are stuck at an end of the scale."""
    for p in range(square.size):
        i, j = top + square[p] // side, left + square[p] % side
        if 0 <= i < grey.shape[0] and 0 <= j < grey.shape[1] and not stuck[0] < grey[i, j] < stuck[1]:
            weight[p] = _NONE


@njit(fastmath=True)
def _take_off(painted: Any, noise: Any, down: int, along: int, core: int, room: Any) -> None:
    """Subtract what a neighbour adds, whose window is so many pixels further down and along."""
    side = room.shape[0]
    least, most = side // 2 - core, side // 2 + core + 1
    first, last = max(0, along + least), min(side, along + most)
    for i in range(max(0, down + least), min(side, down + most)):
        line, into = painted[i - down], room[i]
        for j in range(first, last):
            into[j] -= noise * line[j - along]


@njit(fastmath=True)
def _leave_nearer(basis: Any, dx: Any, dy: Any, weight: Any) -> None:
    """Give no weight to the pixels beyond half the way to a neighbour."""
    half = _HALF * (dx * dx + dy * dy)
    x, y = basis[basis.shape[0] - 2], basis[basis.shape[0] - 1]
    for p in range(weight.size):
        if x[p] * dx + y[p] * dy > half:
            weight[p] = _NONE
