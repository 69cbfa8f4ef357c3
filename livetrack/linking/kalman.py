"""Kalman filter of all tracks: predicts where each particle is, and corrects the prediction by the measurement.

The axes are filtered independently. Each has two states: the position, which is measured, and the hidden state that
drives it (R. E. Kalman, J. Basic Eng. 82, 35-45, 1960).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking.motion import Step
from livetrack.linking.records import TRACK
from livetrack.particles import Flag, Rows, empty_rows

__all__ = ["Predictions", "correct", "predict"]


class Predictions:
    """Predicts all tracks without changing them, in memory that is reused."""

    def __init__(self) -> None:
        self._rows = empty_rows(1)

    def at(self, tracks: npt.NDArray[np.void], step: Step, velocity_known: bool, confirm_after: int) -> Rows:
        """Return (T,) rows of `tracks`, (T,) of dtype `TRACK`, after `step`: a view that the next call overwrites."""
        if len(self._rows) < len(tracks):
            self._rows = empty_rows(2 * len(tracks))
        rows = self._rows[: len(tracks)]
        _write_rows(tracks, velocity_known, confirm_after, rows, *step)
        return rows


@njit
def predict(
    tracks: npt.NDArray[np.void],
    position_position: float,
    position_hidden: float,
    hidden_hidden: float,
    x_drift: float,
    y_drift: float,
    x_hidden_drift: float,
    y_hidden_drift: float,
    position_var: float,
    cov: float,
    hidden_var: float,
) -> None:
    """Advance the states of `tracks`, (T,) of dtype `TRACK`, by the fields of a `Step`, in place."""
    a, b, d = position_position, position_hidden, hidden_hidden
    for i in range(len(tracks)):
        track = tracks[i]
        track["x"] = a * track["x"] + b * track["x_hidden"] + x_drift
        track["y"] = a * track["y"] + b * track["y_hidden"] + y_drift
        track["x_hidden"] = d * track["x_hidden"] + x_hidden_drift
        track["y_hidden"] = d * track["y_hidden"] + y_hidden_drift
        p, c, h = track["x_var"], track["x_cov"], track["x_hidden_var"]
        track["x_var"] = a * a * p + 2 * a * b * c + b * b * h + position_var
        track["x_cov"] = a * d * c + b * d * h + cov
        track["x_hidden_var"] = d * d * h + hidden_var
        p, c, h = track["y_var"], track["y_cov"], track["y_hidden_var"]
        track["y_var"] = a * a * p + 2 * a * b * c + b * b * h + position_var
        track["y_cov"] = a * d * c + b * d * h + cov
        track["y_hidden_var"] = d * d * h + hidden_var


@njit
def correct(tracks: npt.NDArray[np.void], link: npt.NDArray[np.int32], measured: npt.NDArray[np.void]) -> None:
    """Correct the state of each track by the particle it is linked to, in place.

    Parameters
    ----------
    tracks
        (T,) of dtype `TRACK`, predicted to the time of the frame.
    link
        (T,) index of each track's particle, -1 for none.
    measured
        (N,) of dtype `MEASUREMENT`: the frame's particles.
    """
    for i in range(len(tracks)):
        j = link[i]
        if j >= 0:
            track = tracks[i]
            track["x"], track["x_hidden"], track["x_var"], track["x_cov"], track["x_hidden_var"] = _corrected(
                track["x"], track["x_hidden"], track["x_var"], track["x_cov"], track["x_hidden_var"],
                measured[j]["x"], measured[j]["x_var"],
            )  # fmt: skip
            track["y"], track["y_hidden"], track["y_var"], track["y_cov"], track["y_hidden_var"] = _corrected(
                track["y"], track["y_hidden"], track["y_var"], track["y_cov"], track["y_hidden_var"],
                measured[j]["y"], measured[j]["y_var"],
            )  # fmt: skip


# An innovation of more standard deviations than this contradicts the prediction. The measurement is accepted, and the
# variance of the prediction raised accordingly.
_MAX_INNOVATION = 4.0


@njit
def _corrected(
    position: float, hidden: float, var: float, cov: float, hidden_var: float, measured: float, noise: float
) -> tuple[float, float, float, float, float]:
    """Return position, hidden state and their covariance after a measurement of the position."""
    innovation = measured - position
    var = max(var, innovation * innovation / (_MAX_INNOVATION * _MAX_INNOVATION) - noise)
    total = var + noise
    if total <= 0:  # both are certain
        return measured, hidden, var, cov, hidden_var
    gain, hidden_gain = var / total, cov / total
    if noise == 0:
        position = measured
    else:
        position += gain * innovation
    hidden, hidden_var = hidden + hidden_gain * innovation, hidden_var - hidden_gain * cov
    return position, hidden, noise * gain, noise * hidden_gain, hidden_var


_COASTED, _TENTATIVE = int(Flag.COASTED), int(Flag.COASTED | Flag.TENTATIVE)


@njit
def _write_rows(
    tracks: npt.NDArray[np.void], velocity_known: bool, confirm_after: int, rows: Rows, *step: float
) -> None:
    predicted = np.empty(1, TRACK)
    track = predicted[0]
    for i in range(len(tracks)):
        predicted[0], row = tracks[i], rows[i]
        predict(predicted, *step)
        row["id"], row["x"], row["y"] = track["id"], track["x"], track["y"]
        row["x_std"], row["y_std"], row["xy_cov"] = np.sqrt(track["x_var"]), np.sqrt(track["y_var"]), 0
        row["vx"] = track["x_hidden"] if velocity_known else np.nan
        row["vy"] = track["y_hidden"] if velocity_known else np.nan
        row["flags"] = _TENTATIVE if track["seen"] < confirm_after else _COASTED
