"""Where trajectories are expected at another time, as rows: the filter's prediction, made on a copy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking import kalman
from livetrack.linking.buffers import grown
from livetrack.linking.motion import Step
from livetrack.linking.track import TRACK
from livetrack.particles import Flag, Rows, empty_rows

__all__ = ["Expected"]


class Expected:
    """Predicts; it keeps its working memory."""

    def __init__(self) -> None:
        self._tracks = np.zeros(1, TRACK)
        self._rows = empty_rows(1)

    def after(self, tracks: npt.NDArray[np.void], step: Step, velocity_known: bool, confirm_after: int) -> Rows:
        """Return (T,) rows of where `tracks`, (T,) of dtype `TRACK`, are expected after `step`.

        A view that the next call writes over.
        """
        self._tracks = grown(self._tracks, len(tracks))
        if len(self._rows) < len(tracks):
            self._rows = empty_rows(2 * len(tracks))
        moved, rows = self._tracks[: len(tracks)], self._rows[: len(tracks)]
        moved.view(np.uint8)[:] = tracks.view(np.uint8)  # as records they would be copied field by field
        kalman.predict(moved, step)
        _write(moved, velocity_known, confirm_after, rows)
        return rows


_COASTED, _TENTATIVE = int(Flag.COASTED), int(Flag.COASTED | Flag.TENTATIVE)


@njit
def _write(tracks: npt.NDArray[np.void], velocity_known: bool, confirm_after: int, rows: Rows) -> None:
    for i in range(len(tracks)):
        track, row = tracks[i], rows[i]
        row["id"], row["x"], row["y"] = track["id"], track["x"], track["y"]
        row["x_std"], row["y_std"], row["xy_cov"] = np.sqrt(track["x_var"]), np.sqrt(track["y_var"]), 0
        row["vx"] = track["x_hidden"] if velocity_known else np.nan
        row["vy"] = track["y_hidden"] if velocity_known else np.nan
        row["flags"] = _TENTATIVE if track["seen"] < confirm_after else _COASTED
