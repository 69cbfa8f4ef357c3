"""The particles of a frame as linking reads them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.errors import UsageError
from livetrack.jit import njit
from livetrack.linking.buffers import ensure_capacity
from livetrack.particles import ROW, Rows

__all__ = ["MEASUREMENT", "MeasurementBuffer"]

MEASUREMENT = np.dtype(
    [
        ("x", "<f8"),  # px
        ("y", "<f8"),
        ("x_var", "<f8"),  # px², of the measurement; 0 where it is not known
        ("y_var", "<f8"),
        ("xy_cov", "<f8"),
        ("score_penalty", "<f8"),  # -2 ln of the score, 0 where there is none
    ]
)
"""One particle of the frame."""


class MeasurementBuffer:
    """Takes in a frame's particles, of rows or of points; the memory is used again for each frame."""

    def __init__(self) -> None:
        self._found = np.zeros(1, MEASUREMENT)
        self._rows = np.zeros(1, ROW)  # rows and points in one piece, whatever their layout was
        self._points = np.zeros((1, 2))

    def of_rows(self, rows: Rows) -> npt.NDArray[np.void]:
        """Return (N,) of dtype `MEASUREMENT`, good until the next call. Raises `UsageError` where one is not finite."""
        self._make_room(len(rows))
        found = self._found[: len(rows)]
        if not rows.flags.carray:
            self._rows[: len(rows)] = rows
            rows = self._rows[: len(rows)]
        return _usable(found, _take_rows(rows, found))

    def of_points(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
        """Return the same of (N, 2) positions, whose uncertainty and score are not known."""
        self._make_room(len(points))
        own, found = self._points[: len(points)], self._found[: len(points)]
        own[:] = points
        return _usable(found, _take_points(own, found))

    def _make_room(self, count: int) -> None:
        if count > len(self._found):
            self._found = ensure_capacity(self._found, count)
            self._rows = ensure_capacity(self._rows, count)
            self._points = ensure_capacity(self._points, count)


_LARGEST_PX = 1e100  # coordinates stay far from where their squares overflow
_LEAST_SCORE = 1e-3


def _usable(found: npt.NDArray[np.void], wrong: int) -> npt.NDArray[np.void]:
    if wrong >= 0:
        place = (float(found["x"][wrong]), float(found["y"][wrong]))
        raise UsageError(f"positions must be finite, but particle {wrong} is at {place}")
    return found


@njit
def _take_rows(rows: npt.NDArray[np.void], found: npt.NDArray[np.void]) -> int:
    """Fill `found`; return the first whose place is NaN, infinite or out of bounds, -1 where all are good."""
    for j in range(len(rows)):
        row, out = rows[j], found[j]
        out["x"], out["y"] = row["x"], row["y"]
        x_var, y_var = np.float64(row["x_std"]) ** 2, np.float64(row["y_std"]) ** 2
        known = x_var < np.inf and y_var < np.inf
        out["x_var"] = x_var if known else 0.0
        out["y_var"] = y_var if known else 0.0
        xy_cov = np.float64(row["xy_cov"])
        out["xy_cov"] = xy_cov if known and xy_cov * xy_cov < x_var * y_var else 0.0
        score = np.float64(row["score"])
        out["score_penalty"] = -2 * np.log(max(score, _LEAST_SCORE)) if score < 1 else 0.0
        if not (abs(out["x"]) <= _LARGEST_PX and abs(out["y"]) <= _LARGEST_PX):
            return j
    return -1


@njit
def _take_points(points: npt.NDArray[np.float64], found: npt.NDArray[np.void]) -> int:
    """Do the same for points."""
    for j in range(len(points)):
        out = found[j]
        out["x"], out["y"] = points[j, 0], points[j, 1]
        out["x_var"] = out["y_var"] = out["xy_cov"] = out["score_penalty"] = 0.0
        if not (abs(out["x"]) <= _LARGEST_PX and abs(out["y"]) <= _LARGEST_PX):
            return j
    return -1
