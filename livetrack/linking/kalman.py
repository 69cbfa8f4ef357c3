"""The Kalman filter of all trajectories: where each is expected, and what a sighting tells.

Both axes are filtered on their own, each with two states: the place, which is measured, and what drives it
(R. E. Kalman, J. Basic Eng. 82, 35-45, 1960).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking.buffers import ensure_capacity
from livetrack.linking.motion import Step
from livetrack.linking.tracks import TRACK
from livetrack.particles import Flag, Rows, empty_rows

__all__ = ["Predictions", "correct", "predict"]


def predict(tracks: npt.NDArray[np.void], step: Step) -> None:
    """Move the states of `tracks`, (T,) of dtype `TRACK`, on by one step, in place."""
    _predict(tracks, *step)


def correct(tracks: npt.NDArray[np.void], link: npt.NDArray[np.int32], found: npt.NDArray[np.void]) -> None:
    """Let each trajectory learn from the particle that it is linked to, in place.

    Parameters
    ----------
    tracks
        (T,) of dtype `TRACK`, predicted to the time of the frame.
    link
        (T,) the particle of each, -1 where it has none.
    found
        (N,) of dtype `MEASUREMENT`: the frame's particles.
    """
    _correct(tracks, link, found)


# A particle found farther away than so many standard deviations has gone where it was not expected to go: it is
# believed, and its state made as uncertain as that.
_SURPRISE = 4.0


@njit
def _predict(
    tracks: npt.NDArray[np.void],
    place_place: float,
    place_hidden: float,
    hidden_hidden: float,
    x_drift: float,
    y_drift: float,
    x_hidden_drift: float,
    y_hidden_drift: float,
    place_var: float,
    cov: float,
    hidden_var: float,
) -> None:
    a, b, d = place_place, place_hidden, hidden_hidden
    for i in range(len(tracks)):
        track = tracks[i]
        track["x"] = a * track["x"] + b * track["x_hidden"] + x_drift
        track["y"] = a * track["y"] + b * track["y_hidden"] + y_drift
        track["x_hidden"] = d * track["x_hidden"] + x_hidden_drift
        track["y_hidden"] = d * track["y_hidden"] + y_hidden_drift
        p, c, h = track["x_var"], track["x_cov"], track["x_hidden_var"]
        track["x_var"] = a * a * p + 2 * a * b * c + b * b * h + place_var
        track["x_cov"] = a * d * c + b * d * h + cov
        track["x_hidden_var"] = d * d * h + hidden_var
        p, c, h = track["y_var"], track["y_cov"], track["y_hidden_var"]
        track["y_var"] = a * a * p + 2 * a * b * c + b * b * h + place_var
        track["y_cov"] = a * d * c + b * d * h + cov
        track["y_hidden_var"] = d * d * h + hidden_var


@njit
def _correct(tracks: npt.NDArray[np.void], link: npt.NDArray[np.int32], found: npt.NDArray[np.void]) -> None:
    for i in range(len(tracks)):
        j = link[i]
        if j >= 0:
            track = tracks[i]
            track["x"], track["x_hidden"], track["x_var"], track["x_cov"], track["x_hidden_var"] = _corrected(
                track["x"], track["x_hidden"], track["x_var"], track["x_cov"], track["x_hidden_var"],
                found[j]["x"], found[j]["x_var"],
            )  # fmt: skip
            track["y"], track["y_hidden"], track["y_var"], track["y_cov"], track["y_hidden_var"] = _corrected(
                track["y"], track["y_hidden"], track["y_var"], track["y_cov"], track["y_hidden_var"],
                found[j]["y"], found[j]["y_var"],
            )  # fmt: skip


@njit
def _corrected(
    place: float, hidden: float, var: float, cov: float, hidden_var: float, measured: float, noise: float
) -> tuple[float, float, float, float, float]:
    """Return place, hidden state and their covariance after a measurement of the place."""
    away = measured - place
    var = max(var, away * away / (_SURPRISE * _SURPRISE) - noise)
    total = var + noise
    if total <= 0:  # both were certain
        return measured, hidden, var, cov, hidden_var
    gain, hidden_gain = var / total, cov / total
    if noise == 0:
        place = measured
    else:
        place += gain * away
    return place, hidden + hidden_gain * away, noise * gain, noise * hidden_gain, hidden_var - hidden_gain * cov


class Predictions:
    """Predicts; it keeps its working memory."""

    def __init__(self) -> None:
        self._tracks = np.zeros(1, TRACK)
        self._rows = empty_rows(1)

    def at(self, tracks: npt.NDArray[np.void], step: Step, velocity_known: bool, confirm_after: int) -> Rows:
        """Return (T,) rows of where `tracks`, (T,) of dtype `TRACK`, are expected after `step`.

        A view that the next call writes over.
        """
        self._tracks = ensure_capacity(self._tracks, len(tracks))
        if len(self._rows) < len(tracks):
            self._rows = empty_rows(2 * len(tracks))
        moved, rows = self._tracks[: len(tracks)], self._rows[: len(tracks)]
        moved.view(np.uint8)[:] = tracks.view(np.uint8)  # as records they would be copied field by field
        predict(moved, step)
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
