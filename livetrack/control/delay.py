"""How late a loop acts, from its own record."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError

__all__ = ["Delay", "effective_delay"]

Floats = npt.NDArray[np.float64]

_LEAST = 100  # frames


class Delay(NamedTuple):
    """A loop's effective delay."""

    frames: float
    """0: the action that answers a frame is the one that the next frame shows, in full."""
    std: float
    fractions: tuple[float, ...]
    """What of an action shows in the next frame, in the one after it, and so on; their sum tells whether the actuator
    moves the particle as far as it was ordered to."""


def effective_delay(
    frame: npt.NDArray[np.integer],
    place: Floats,
    order: Floats,
    error: float = 0.0,
    *,
    lasting: bool = False,
    most: int = 4,
) -> Delay:
    """Return the delay of a loop that moves a free particle, from what it saw and what it ordered.

    From frame to frame the particle moves by what was ordered 0, 1, ... `most` frames before, by shares that are found
    by least squares, and by chance. The localisation error is in both, the order and the motion that it is held
    against; that part is taken off.

    Parameters
    ----------
    frame
        (N,) numbers of the frames that were answered, rising.
    place, order
        (N, 2) in each of them: the measured position, and the ordered motion per frame, in the same unit.
    error
        Localisation error, standard deviation, in that unit.
    lasting
        Whether an order stays in force until the next one, as a flow does, or is done with, as a step is: what that
        makes of frames that went by unread.

    Raises
    ------
    InputError
        Too few frames, or no orders from which to tell.
    """
    known = np.full((int(frame[-1] - frame[0]) + 1 if len(frame) else 0, 2), np.nan)
    if len(frame) < _LEAST:
        raise InputError(f"a loop's delay cannot be told from {len(frame)} frames: at least {_LEAST}")
    index = frame - frame[0]
    known[index] = place
    orders = np.zeros_like(known)
    orders[index] = order
    if lasting:
        orders = order[np.searchsorted(index, np.arange(len(known)), side="right") - 1]
    moved = known[most + 1 :] - known[most:-1]
    told = np.stack([orders[most - lag : len(known) - 1 - lag] for lag in range(most + 1)], axis=-1)
    seen = np.isfinite(moved).all(axis=1)
    motions, actions = moved[seen].ravel(), told[seen].reshape(-1, most + 1)
    moments = actions.T @ actions
    if len(motions) < _LEAST or np.linalg.matrix_rank(moments) <= most:
        raise InputError("a loop's delay cannot be told: its orders are all alike, or frames too seldom neighbours")
    gain = -float((place * order).sum() / (place**2).sum())
    products = actions.T @ motions
    products[0] -= gain * error**2 * len(motions)
    shares = np.linalg.solve(moments, products)
    rest = motions - actions @ shares
    errors = np.linalg.inv(moments) * rest.var()
    lags, total = np.arange(most + 1), shares.sum()
    frames = float(lags @ shares / total)
    slope = (lags - frames) / total
    return Delay(frames, float(np.sqrt(slope @ errors @ slope)), tuple(float(share) for share in shares))
