"""The particles of a frame in the form that linking reads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.errors import UsageError
from livetrack.jit import njit
from livetrack.linking.buffers import ensure_capacity
from livetrack.linking.records import MEASUREMENT
from livetrack.particles import Rows

__all__ = ["MeasurementBuffer"]


class MeasurementBuffer:
    """Converts the rows or points of each frame to `MEASUREMENT` records, in memory that is reused."""

    def __init__(self) -> None:
        self._measured = np.zeros(1, MEASUREMENT)
        self._points = np.zeros((1, 2))  # contiguous copies

    def from_rows(self, rows: Rows) -> npt.NDArray[np.void]:
        """Return contiguous `rows` as (N,) of dtype `MEASUREMENT`, valid until the next call.

        Raises
        ------
        UsageError
            A position is not finite.
        """
        self._grow(len(rows))
        measured = self._measured[: len(rows)]
        return _checked(measured, _convert_rows(rows, measured))

    def from_points(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
        """Do the same for (N, 2) positions of unknown uncertainty and score."""
        self._grow(len(points))
        contiguous, measured = self._points[: len(points)], self._measured[: len(points)]
        contiguous[:] = points
        return _checked(measured, _convert_points(contiguous, measured))

    def _grow(self, count: int) -> None:
        if count > len(self._measured):
            self._measured = ensure_capacity(self._measured, count)
            self._points = ensure_capacity(self._points, count)


_MAX_PX = 1e100  # far from where squares of coordinates overflow
_MIN_SCORE = 1e-3


def _checked(measured: npt.NDArray[np.void], invalid: int) -> npt.NDArray[np.void]:
    if invalid >= 0:
        position = (float(measured["x"][invalid]), float(measured["y"][invalid]))
        raise UsageError(f"positions must be finite, but particle {invalid} is at {position}")
    return measured


@njit
def _convert_rows(rows: npt.NDArray[np.void], measured: npt.NDArray[np.void]) -> int:
    """Fill `measured`; return the first row whose position is NaN, infinite or out of bounds, or -1."""
    for j in range(len(rows)):
        row, out = rows[j], measured[j]
        out["x"], out["y"] = row["x"], row["y"]
        x_var, y_var = np.float64(row["x_std"]) ** 2, np.float64(row["y_std"]) ** 2
        known = x_var < np.inf and y_var < np.inf
        out["x_var"] = x_var if known else 0.0
        out["y_var"] = y_var if known else 0.0
        xy_cov = np.float64(row["xy_cov"])
        out["xy_cov"] = xy_cov if known and xy_cov * xy_cov < x_var * y_var else 0.0
        score = np.float64(row["score"])
        out["score_penalty"] = -2 * np.log(max(score, _MIN_SCORE)) if score < 1 else 0.0
        if not (abs(out["x"]) <= _MAX_PX and abs(out["y"]) <= _MAX_PX):
            return j
    return -1


@njit
def _convert_points(points: npt.NDArray[np.float64], measured: npt.NDArray[np.void]) -> int:
    """Do the same for points."""
    for j in range(len(points)):
        out = measured[j]
        out["x"], out["y"] = points[j, 0], points[j, 1]
        out["x_var"] = out["y_var"] = out["xy_cov"] = out["score_penalty"] = 0.0
        if not (abs(out["x"]) <= _MAX_PX and abs(out["y"]) <= _MAX_PX):
            return j
    return -1
