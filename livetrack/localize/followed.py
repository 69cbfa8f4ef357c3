"""Particles that are measured where they are expected, and what a search for them adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.crops import Crops
from livetrack.localize.edge import near_edge
from livetrack.particles import ROW, Flag, Rows

__all__ = ["begin_measuring", "confirm", "merge"]

_LEAST_HEIGHT, _MOST_HEIGHT = 0.7, 1.4  # measured over expected intensity
_MOST_STD_PX = 0.5  # fits of noise alone are less certain than this
_MOST_MISFIT = 4.0  # reduced chi-square, over the particle's usual one, or over 1
_REACH_PX = 2.0  # a fit that starts this far from the particle still finds it
_WINDOW_PX = 4  # half of the side, one pixel less, in which the centre of symmetry is looked for
_ALONE_PX = 6.0  # nearer neighbours disturb the symmetry
_LEAST_TURN = 1e-3  # of the lines' directions, 0 if they are parallel, 1/4 if they are evenly distributed
_MOST_INNOVATION = 5.0  # standard deviations between the expected and the measured position
_APART_PX = 3.0  # nearer to each other than this, two fits may have found the same particle
_BESIDE_PX, _SURE = 4.0, 0.9  # so far, and of such a score, is a second particle in place of one
_SAME_PX = 1.0  # between the search's position and the fit's; the search's own error is a third of that

_EDGE, _PARTIAL = np.uint32(Flag.EDGE), np.uint32(Flag.PARTIAL_SEARCH)
_MERGED = np.uint32(Flag.MERGED)


def begin_measuring(expected: Rows, image: npt.NDArray[Any], radius: float) -> Rows:
    """Return (N,) rows to be refined, of unknown uncertainty, near the `expected` positions in an image (H, W).

    Those alone are moved to the centre of symmetry around, from where the fit mostly needs one step; the centre costs a
    tenth of that. Those within `radius` px of the edge of the image have `Flag.EDGE`.
    """
    rows = np.zeros(len(expected), ROW)  # padding too: rows are sent and compared as bytes
    _begin(expected, image, radius, rows)
    return rows


def confirm(
    expected: Rows, usual_misfit: npt.NDArray[np.float32], rows: Rows, misfit: npt.NDArray[np.float32], width: int,
    height: int, radius: float, confirmed: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """Decide which particles are what and where they were expected to be, from their `rows`, refined, and `misfit`.

    All are (N,); `confirmed` is written. Intensity and position must be near the expected ones, the uncertainty small,
    the profile as round as usual, the particle not at the edge, and no other one so near that one may be taken for the
    other.
    """
    _confirm(expected, usual_misfit, rows, misfit, width, height, radius, confirmed)


def merge(
    measured: Rows, found: Rows, crops: Sequence[Crops], margin: float, shape: tuple[int, ...]
) -> tuple[Rows, bool]:
    """Join `measured` rows, (M,), and those `found`, (N,), in `crops` of an image of `shape` (H, W).

    Returns them all, each particle once, and whether some are still to be refined. Measured rows take the score and the
    angle of the one found at the same place; those that lie within a crop, `margin` px from its border or more, and
    were not found are left out. So are, for the rows found there, those that may be two and any two within 3 px of each
    other; and what crops alone show: a third row within 3 px of two measured ones, and an unsure one where there are
    two in place of a measured one.
    """
    looked = np.zeros(len(measured), np.bool_)
    for part in crops:
        _mark(measured, part.left, part.top, part.width, part.height, margin + _SAME_PX, shape[1], shape[0], looked)
    rows = np.zeros(len(measured) + len(found), ROW)
    whole = any(part.width >= shape[1] and part.height >= shape[0] for part in crops)
    count, changed = _merge(measured, looked, found, whole, rows)
    return rows[:count], changed


@njit
def _begin(expected: Any, image: Any, radius: float, rows: Any) -> None:
    height, width = image.shape
    for n in range(len(expected)):
        row, like = rows[n], expected[n]
        row["id"], row["x"], row["y"] = like["id"], like["x"], like["y"]
        if not _has_neighbour(n, expected):
            row["x"], row["y"] = _symmetry_centre(image, like["x"], like["y"])
        row["x_std"] = row["y_std"] = row["xy_cov"] = row["vx"] = row["vy"] = np.nan
        row["intensity"], row["score"], row["angle"] = like["intensity"], like["score"], like["angle"]
        row["flags"] = _PARTIAL | (_EDGE if near_edge(row, width, height, radius) else np.uint32(0))


@njit
def _has_neighbour(n: int, rows: Any) -> bool:
    neighbours = 0
    for m in range(len(rows)):
        neighbours += m != n and _are_near(rows[m], rows[n], _ALONE_PX)
    return neighbours > 0


@njit(fastmath=True, error_model="numpy")
def _symmetry_centre(image: Any, x: float, y: float) -> tuple[float, float]:
    """Return the point nearest to all lines along the gradient around (x, y), or that itself if it is far.

    For spots and rings alike it is off by some 0.8 px over the SNR, hardly more than a fit (Parthasarathy, Nature
    Methods 9, 724 (2012)). Lines count with their squared gradient, and the less the farther from (x, y) it is taken.
    """
    i, j = round(y), round(x)
    if not (_WINDOW_PX < i < image.shape[0] - 1 - _WINDOW_PX and _WINDOW_PX < j < image.shape[1] - 1 - _WINDOW_PX):
        return x, y
    xx = xy = yy = bx = by = 0.0
    for row in range(i - _WINDOW_PX, i + _WINDOW_PX + 1):
        above, here, below = image[row - 1], image[row], image[row + 1]
        for k in range(j - _WINDOW_PX, j + _WINDOW_PX + 1):
            falling, rising = float(below[k + 1]) - above[k - 1], float(below[k - 1]) - above[k + 1]
            along = falling - rising + 2 * (float(here[k + 1]) - here[k - 1])
            down = falling + rising + 2 * (float(below[k]) - above[k])
            dx, dy = k - x, row - y
            weight = 1 / (dx * dx + dy * dy + 1)
            offset = along * dy - down * dx
            xx += weight * down * down
            xy -= weight * along * down
            yy += weight * along * along
            bx -= weight * down * offset
            by += weight * along * offset
    determinant = xx * yy - xy * xy
    if not determinant > _LEAST_TURN * (xx + yy) ** 2:
        return x, y
    dx, dy = (yy * bx - xy * by) / determinant, (xx * by - xy * bx) / determinant
    if not max(abs(dx), abs(dy)) < _REACH_PX:
        return x, y
    return x + dx, y + dy


@njit
def _confirm(
    expected: Any, usual_misfit: Any, rows: Any, misfit: Any, width: int, height: int, radius: float, confirmed: Any
) -> None:
    for n in range(len(rows)):
        row, like = rows[n], expected[n]
        certain = row["x_std"] <= _MOST_STD_PX and row["y_std"] <= _MOST_STD_PX  # False for NaN: not fitted
        square = like["intensity"] * like["intensity"]
        confirmed[n] = (
            certain
            and _LEAST_HEIGHT * square <= row["intensity"] * like["intensity"] <= _MOST_HEIGHT * square
            and not (misfit[n] > _MOST_MISFIT and not misfit[n] <= _MOST_MISFIT * usual_misfit[n])  # NaN: unknown
            and _is_near(row["x"] - like["x"], row["x_std"], like["x_std"])
            and _is_near(row["y"] - like["y"], row["y_std"], like["y_std"])
            and not near_edge(row, width, height, radius)
        )
    for n in range(len(rows)):
        for m in range(n):
            if _are_near(rows[n], rows[m], _APART_PX):
                confirmed[n] = confirmed[m] = False


@njit
def _is_near(difference: float, std: float, expected_std: float) -> bool:
    if not abs(difference) <= _REACH_PX:
        return False
    return not difference * difference > _MOST_INNOVATION * _MOST_INNOVATION * (std * std + expected_std * expected_std)


@njit
def _mark(
    rows: Any, left: Any, top: Any, width: int, height: int, margin: float, image_width: int, image_height: int,
    marked: Any,
) -> None:  # fmt: skip
    """Set `marked`, (N,), where a row lies within one of the crops and `margin` from its border."""
    for k in range(len(left)):
        x_min = left[k] + margin if left[k] > 0 else -np.inf
        y_min = top[k] + margin if top[k] > 0 else -np.inf
        x_max = left[k] + width - 1 - margin if left[k] + width < image_width else np.inf
        y_max = top[k] + height - 1 - margin if top[k] + height < image_height else np.inf
        for n in range(len(rows)):
            if x_min <= rows[n]["x"] <= x_max and y_min <= rows[n]["y"] <= y_max:
                marked[n] = True


@njit
def _merge(measured: Any, looked: Any, found: Any, whole: bool, rows: Any) -> Any:
    """Write into `rows`; return their number, and whether one of those found has to be refined."""
    match = np.full(len(measured), -1)  # index of the one found at the same place
    doubtful = looked.copy()
    for n in range(len(measured)):
        alone = measured[n]["flags"] & _MERGED == 0
        for m in range(len(measured)):
            alone = alone and (m == n or not _are_near(measured[n], measured[m], _APART_PX))
        doubtful[n] = looked[n] and not alone
    taken = np.zeros(len(found), np.bool_)
    for j in range(len(found)):
        best, nearest = -1, _SAME_PX * _SAME_PX
        for n in range(len(measured)):
            fitted = not doubtful[n] and measured[n]["x_std"] > 0  # False for NaN
            if fitted and _are_near(measured[n], found[j], _SAME_PX):
                distance = (measured[n]["y"] - found[j]["y"]) ** 2 + (measured[n]["x"] - found[j]["x"]) ** 2
                if distance <= nearest:
                    best, nearest = n, distance
        if best >= 0 and match[best] < 0:
            match[best], taken[j] = j, True
    count = 0
    for n in range(len(measured)):
        if match[n] >= 0 or not looked[n]:
            rows[count] = measured[n]
            if match[n] >= 0:
                rows[count]["score"], rows[count]["angle"] = found[match[n]]["score"], found[match[n]]["angle"]
            count += 1
    changed = False
    for j in range(len(found)):
        spurious = not whole and not taken[j] and _is_split(found[j], measured, match, looked)
        if not taken[j] and not spurious and not _is_spurious(found[j], measured, match, looked):
            rows[count] = found[j]
            changed |= found[j]["flags"] & _EDGE == 0
            count += 1
    return count, changed


@njit
def _is_spurious(row: Any, measured: Any, match: Any, looked: Any) -> bool:
    """Whether a row found is near two that are kept: a crop may show a third between two particles."""
    beside = 0
    for n in range(len(measured)):
        if (match[n] >= 0 or not looked[n]) and measured[n]["x_std"] > 0:
            beside += _are_near(measured[n], row, _APART_PX)
    return beside > 1


@njit
def _is_split(row: Any, measured: Any, match: Any, looked: Any) -> bool:
    """Whether an unsure row found is one of several in place of a measured particle, and no other measured one."""
    beside = False
    for n in range(len(measured)):
        if match[n] < 0 and looked[n]:
            if _are_near(measured[n], row, _REACH_PX):
                return False
            beside |= _are_near(measured[n], row, _BESIDE_PX) and measured[n]["x_std"] > 0
    return bool(beside and row["score"] < _SURE)


@njit
def _are_near(row: Any, other: Any, distance_px: float) -> bool:
    dy = row["y"] - other["y"]
    return bool(abs(dy) < distance_px and dy * dy + (row["x"] - other["x"]) ** 2 < distance_px * distance_px)
