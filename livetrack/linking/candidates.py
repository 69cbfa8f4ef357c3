"""Candidate links: the particles within the search radius of each track, found with a grid over the frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["find_candidates"]


@njit
def find_candidates(
    tracks: npt.NDArray[np.void], measured: npt.NDArray[np.void], radius_px: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float64], bool]:
    """Return every particle within `radius_px` (inclusive) of each track, as sparse rows.

    Parameters
    ----------
    tracks
        (T,) with fields `x` and `y`: expected positions, px.
    measured
        (N,) with fields `x` and `y`: positions of the frame's particles, px, finite.
    radius_px
        Search radius, positive.

    Returns
    -------
    first, column, cost
        Track `i` may be linked to the particles `column[first[i]:first[i + 1]]` at the costs
        `cost[first[i]:first[i + 1]]`, the squared distances in px²; `first` is (T + 1,), the others are longer than
        needed.
    complete
        False if the frame is too crowded to examine all pairs. Then only pairs within a shorter radius are found or,
        if all particles lie in one place, only those of the first tracks.
    """
    first = np.empty(len(tracks) + 1, np.int64)
    column = np.empty(_CANDIDATES_PER_TRACK * len(tracks), np.int32)
    cost = np.empty(len(column), np.float64)
    halvings = 0
    while True:
        count, found = _find(tracks, measured, radius_px, first, column, cost)
        if count > len(column):
            column, cost = np.empty(2 * count, np.int32), np.empty(2 * count, np.float64)
        elif found or halvings == _MAX_HALVINGS:
            return first, column, cost, found and halvings == 0
        else:
            radius_px /= 2
            halvings += 1


_PARTICLE = np.dtype([("x", "<f8"), ("y", "<f8"), ("index", "<i8")])

# Upper limit on the cells of a grid, so that a frame with few particles does not pay for empty space.
_CELLS = 64
_CELLS_PER_PARTICLE = 4

# A few milliseconds of work: 10,000 particles with 200 neighbours each in the surrounding cells.
_MAX_PAIRS = 2_000_000
_MAX_HALVINGS = 8
_CANDIDATES_PER_TRACK = 4  # more need another attempt, with more memory


@njit
def _find(
    tracks: npt.NDArray[np.void],
    points: npt.NDArray[np.void],
    radius: float,
    first: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    cost: npt.NDArray[np.float64],
) -> tuple[int, bool]:
    """Fill the sparse rows; return the number of candidates, and whether these are all.

    The search stops after `_MAX_PAIRS` pairs. If `column` is too short, the number is the length it needs at least.
    """
    first[:] = 0
    if len(points) == 0:
        return 0, True
    x_low, y_low, per_px, width, height = _lay_out(points, radius)
    cell_start = np.zeros(width * height + 1, np.int32)
    by_cell = np.empty(len(points), _PARTICLE)
    _sort_into_cells(points, x_low, y_low, per_px, width, cell_start, by_cell)
    track_x, track_y = tracks["x"], tracks["y"]
    x, y, index = by_cell["x"], by_cell["y"], by_cell["index"]
    max_distance = radius * radius
    count = pairs = 0
    for i in range(len(tracks)):
        if pairs > _MAX_PAIRS:
            first[i + 1 :] = count
            return count, False
        from_x, from_y = track_x[i], track_y[i]
        left = (from_x - radius - x_low) * per_px
        right = (from_x + radius - x_low) * per_px
        top = (from_y - radius - y_low) * per_px
        bottom = (from_y + radius - y_low) * per_px
        if left < width and right >= 0 and top < height and bottom >= 0:
            cells_before = int(max(left, 0.0))
            cells_until = int(min(right, width - 1.0)) + 1
            for row in range(int(max(top, 0.0)), int(min(bottom, height - 1.0)) + 1):
                # the cells of one row are contiguous, and so are their particles
                begin, end = cell_start[row * width + cells_before], cell_start[row * width + cells_until]
                pairs += end - begin
                if count + end - begin > len(column):
                    return count + end - begin, False
                for k in range(begin, end):  # the next one overwrites a pair that is too far: no branch
                    distance = (x[k] - from_x) ** 2 + (y[k] - from_y) ** 2
                    column[count] = index[k]
                    cost[count] = distance
                    count += distance <= max_distance
        first[i + 1] = count
    return count, True


@njit
def _lay_out(points: npt.NDArray[np.void], radius: float) -> tuple[float, float, float, int, int]:
    """Return the grid's corner, its cells per px, its width and height in cells.

    A cell is twice as wide as the radius, so that a search covers two by two cells; wider if there would be too many.
    """
    x, y = points["x"], points["y"]
    x_low = x_high = x[0]
    y_low = y_high = y[0]
    for j in range(1, len(points)):
        x_low = min(x_low, x[j])
        x_high = max(x_high, x[j])
        y_low = min(y_low, y[j])
        y_high = max(y_high, y[j])
    max_cells = _CELLS + _CELLS_PER_PARTICLE * len(points)
    per_px = 1 / (2 * radius)
    while ((x_high - x_low) * per_px + 1) * ((y_high - y_low) * per_px + 1) > max_cells:
        per_px /= 2
    return x_low, y_low, per_px, int((x_high - x_low) * per_px) + 1, int((y_high - y_low) * per_px) + 1


@njit
def _sort_into_cells(
    points: npt.NDArray[np.void],
    x_low: float,
    y_low: float,
    per_px: float,
    width: int,
    cell_start: npt.NDArray[np.int32],
    by_cell: npt.NDArray[np.void],
) -> None:
    """Sort by counting: the particles of cell `c` are `by_cell[cell_start[c]:cell_start[c + 1]]`."""
    point_x, point_y = points["x"], points["y"]
    cell = np.empty(len(points), np.int32)
    for j in range(len(points)):
        cell[j] = int((point_y[j] - y_low) * per_px) * width + int((point_x[j] - x_low) * per_px)
        cell_start[cell[j]] += 1
    for c in range(1, len(cell_start)):
        cell_start[c] += cell_start[c - 1]
    x, y, index = by_cell["x"], by_cell["y"], by_cell["index"]
    for j in range(len(points) - 1, -1, -1):  # backwards, so that each cell keeps the particles' order
        cell_start[cell[j]] -= 1
        k = cell_start[cell[j]]
        x[k], y[k], index[k] = point_x[j], point_y[j], j
