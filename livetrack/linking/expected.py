"""Where trajectories are expected at another time, as rows: the filter's prediction, made on a copy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
        moved[:] = tracks
        kalman.predict(moved, step)
        for name in ("id", "x", "y"):
            rows[name] = moved[name]
        np.sqrt(moved["x_var"], out=rows["x_std"], casting="same_kind")
        np.sqrt(moved["y_var"], out=rows["y_std"], casting="same_kind")
        rows["xy_cov"] = 0
        if velocity_known:
            rows["vx"], rows["vy"] = moved["x_hidden"], moved["y_hidden"]
        rows["flags"] = Flag.COASTED
        rows["flags"][moved["seen"] < confirm_after] |= np.uint32(Flag.TENTATIVE)
        return rows
