"""Matches the tracks to the particles of one frame: everything in one kernel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking.assignment import solve
from livetrack.linking.candidates import find_candidates
from livetrack.linking.kalman import correct, predict
from livetrack.linking.likelihood import update_costs
from livetrack.linking.motion_statistics import update_sums

__all__ = ["match"]


@njit
def match(
    tracks: npt.NDArray[np.void],
    measured: npt.NDArray[np.void],
    radius_px: float,
    learnt: bool,
    filtered: bool,
    sums: npt.NDArray[np.float64],
    usual: bool,
    *step: float,
) -> tuple[npt.NDArray[np.int32], int, bool]:
    """Predict the tracks, match them to the particles, and correct them.

    Parameters
    ----------
    tracks
        (T,) of dtype `TRACK`, changed in place.
    measured
        (N,) of dtype `MEASUREMENT`: the frame's particles.
    radius_px
        Search radius.
    learnt
        A link costs what `update_costs` says; if not, its squared distance.
    filtered
        A Kalman filter predicts and corrects the tracks; if not, they stay where they are, and `sums` as well.
    sums
        Those of the `MotionStatistics`, updated in place.
    usual
        Whether about one usual interval has passed since the frame before.
    step
        Fields of the `Step` to the frame.

    Returns
    -------
    link
        (T,) index of each track's particle, -1 for none.
    linked
        Number of particles with a track.
    exact
        Whether the links are optimal, with all possible ones considered.
    """
    if filtered:
        predict(tracks, *step)
    first, column, cost, complete = find_candidates(tracks, measured, radius_px)
    unlinked_cost = radius_px**2
    if learnt:
        unlinked_cost = update_costs(tracks, measured, radius_px, first, column, cost)
    link, exact = solve(len(tracks), len(measured), first, column, cost, unlinked_cost)
    if filtered:
        update_sums(tracks, link, measured, sums, usual)
        correct(tracks, link, measured)
    return link, int(np.sum(link >= 0)), complete and exact
