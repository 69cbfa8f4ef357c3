"""The delay of a feedback loop, from its own log."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError

__all__ = ["Delay", "effective_delay"]

Floats = npt.NDArray[np.float64]

_MIN_FRAMES = 100


class Delay(NamedTuple):
    """A loop's effective delay."""

    frames: float
    """0: the next frame shows the response to this frame in full."""
    std: float
    fractions: tuple[float, ...]
    """Fraction of a move that shows in the next frame, in the one after it, and so on. Their sum is 1 if the actuator
    moves the particle as far as commanded."""


def effective_delay(
    frame: npt.NDArray[np.integer],
    position: Floats,
    move: Floats,
    error: float = 0.0,
    *,
    persistent: bool = False,
    max_lag: int = 4,
) -> Delay:
    """Return the delay of a loop that moves a free particle, from its measured positions and its moves.

    The displacement from frame to frame is fitted by least squares as a sum of fractions of the moves commanded
    0, 1, ... `max_lag` frames before, plus diffusion. The localisation error enters both the move and the displacement
    that follows; that correlation is removed.

    Parameters
    ----------
    frame
        (N,) numbers of the frames acted on, increasing.
    position, move
        (N, 2) measured position and commanded move in each of them, in the same unit.
    error
        Localisation error, standard deviation, in that unit.
    persistent
        Whether a command stays in force until the next one, as a flow does, or is complete, as a step is. It makes a
        difference for frames that were skipped.

    Raises
    ------
    InputError
        Too few frames, or moves that do not determine the delay.
    """
    if len(frame) < _MIN_FRAMES:
        raise InputError(f"the loop's delay cannot be measured from {len(frame)} frames; it takes {_MIN_FRAMES}")
    index = frame - frame[0]
    positions = np.full((int(index[-1]) + 1, 2), np.nan)
    positions[index] = position
    moves = np.zeros_like(positions)
    moves[index] = move
    if persistent:
        moves = move[np.searchsorted(index, np.arange(len(positions)), side="right") - 1]
    displacement = positions[max_lag + 1 :] - positions[max_lag:-1]
    lagged = np.stack([moves[max_lag - lag : len(positions) - 1 - lag] for lag in range(max_lag + 1)], axis=-1)
    known = np.isfinite(displacement).all(axis=1)
    displacements, actions = displacement[known].ravel(), lagged[known].reshape(-1, max_lag + 1)
    moments = actions.T @ actions
    if len(displacements) < _MIN_FRAMES or np.linalg.matrix_rank(moments) <= max_lag:
        raise InputError("the loop's delay cannot be measured: its moves are too much alike, or it skipped frames")
    gain = -float((position * move).sum() / (position**2).sum())
    products = actions.T @ displacements
    products[0] -= gain * error**2 * len(displacements)
    fractions = np.linalg.solve(moments, products)
    residuals = displacements - actions @ fractions
    covariance = np.linalg.inv(moments) * residuals.var()
    lags, total = np.arange(max_lag + 1), fractions.sum()
    frames = float(lags @ fractions / total)
    slope = (lags - frames) / total
    return Delay(frames, float(np.sqrt(slope @ covariance @ slope)), tuple(map(float, fractions)))
