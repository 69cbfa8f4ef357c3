"""Moments of the displacements of a session's particles, updated with every frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["MotionStatistics", "update_sums"]

_WINDOW_FRAMES, _WINDOW_LINKS = 200.0, 1000.0  # memory of the moments, whichever is longer

# Prior until particles have moved: the rms displacement per axis is half the search radius, and the mean products at
# lags 1 and 2 are this fraction of the mean square. It weighs as much as `_PRIOR_LINKS` links at first, less with every
# link, and nothing from 10 * `_PRIOR_LINKS` links on.
_STEPS_IN_RADIUS, _PERSISTENCE, _PRIOR_LINKS = 2.0, 0.8, 10.0

# At least this fraction of the mean square displacement counts as motion: overestimated noise of the positions must
# not make moving particles seem at rest.
_MIN_MOTION = 0.05


class MotionStatistics:
    """Mean products of each particle's successive displacements, over all particles.

    Second moments are per axis, about the mean displacement, and corrected for the noise of the positions: two
    successive displacements share the position between them, whose variance lowers their mean product (A. J.
    Berglund, Phys. Rev. E 82, 011917, 2010).

    Parameters
    ----------
    search_radius_px, prior_drift_px
        Set the prior that holds until particles have moved: how far they scatter, and their mean displacement per frame
        along x and y.

    Attributes
    ----------
    sums
        (9,) the whole state, decaying sums: number of displacements; x, y (px); square less noise, square with noise
        (px²); number of products and product (px²) at lag 1; the same at lag 2. The mean is not subtracted.
    drift_px
        Mean displacement per frame along x and y.
    square_px2
        Variance of the displacement per frame, per axis, without noise; positive.
    lag_1_px2
        Mean product of a displacement and the next: positive for persistent motion, negative in a trap.
    lag_2_px2
        Mean product of a displacement and the next but one.
    """

    def __init__(self, search_radius_px: float, prior_drift_px: tuple[float, float] = (0.0, 0.0)) -> None:
        self.prior_drift_px = prior_drift_px
        self._min_px2 = (1e-3 * search_radius_px) ** 2
        self._prior_px2 = (search_radius_px / _STEPS_IN_RADIUS) ** 2
        self.restore(np.zeros(9))

    def restore(self, sums: npt.NDArray[np.float64]) -> None:
        """Replace the state by `sums`."""
        self.sums = sums
        self.update_estimates()

    def update_estimates(self) -> None:
        """Compute the other attributes from `sums`, after these have changed."""
        count, x, y, square, noisy, count_1, lag_1, count_2, lag_2 = self.sums.tolist()
        prior, prior_1, prior_2 = _prior_weight(count), _prior_weight(count_1), _prior_weight(count_2)
        prior_x, prior_y = self.prior_drift_px
        x, y = (x + prior * prior_x) / (count + prior), (y + prior * prior_y) / (count + prior)
        of_drift, prior_of_drift = (x * x + y * y) / 2, (prior_x * prior_x + prior_y * prior_y) / 2
        square = (square + prior * (self._prior_px2 + prior_of_drift)) / (count + prior) - of_drift
        persistent = _PERSISTENCE * square
        self.drift_px = x, y
        self.square_px2 = max(square, _MIN_MOTION * (noisy / max(count, 1.0) - of_drift), self._min_px2)
        self.lag_1_px2 = (lag_1 - count_1 * of_drift + prior_1 * persistent) / (count_1 + prior_1)
        self.lag_2_px2 = (lag_2 - count_2 * of_drift + prior_2 * persistent) / (count_2 + prior_2)


def _prior_weight(links: float) -> float:
    """Return the weight of the prior after this many links."""
    return max(_PRIOR_LINKS - links / 10, 0.0)


@njit
def update_sums(
    tracks: npt.NDArray[np.void],
    link: npt.NDArray[np.int32],
    measured: npt.NDArray[np.void],
    sums: npt.NDArray[np.float64],
    usual: bool,
) -> None:
    """Decay `sums` and add the displacements of one frame, which are also recorded in `tracks`.

    To be called before the tracks take the new measurements: displacements start at their last one. A gap clears the
    history of its track.

    Parameters
    ----------
    tracks
        (T,) of `TRACK`.
    link
        (T,) index into `measured` of each track's localisation, negative if it has none.
    measured
        (N,) of `MEASUREMENT`.
    sums
        Those of a `MotionStatistics`.
    usual
        Whether about one usual interval has passed since the frame before; more or less is a gap of all tracks.
    """
    count = count_1 = count_2 = 0.0
    x = y = square = noisy = lag_1 = lag_2 = 0.0
    for i in range(len(tracks)):
        j = link[i]
        track = tracks[i]
        if j < 0 or track["missed"] > 0 or not usual:
            track["steps"] = 0
            continue
        dx = measured[j]["x"] - track["x_seen"]
        dy = measured[j]["y"] - track["y_seen"]
        noise = (track["x_noise"] + track["y_noise"]) / 2
        count += 1
        x += dx
        y += dy
        noisy += (dx * dx + dy * dy) / 2
        square += (dx * dx + dy * dy - measured[j]["x_var"] - measured[j]["y_var"]) / 2 - noise
        if track["steps"] >= 1:
            count_1 += 1
            lag_1 += (dx * track["dx_1"] + dy * track["dy_1"]) / 2 + noise
        if track["steps"] >= 2:
            count_2 += 1
            lag_2 += (dx * track["dx_2"] + dy * track["dy_2"]) / 2
        track["dx_2"], track["dy_2"] = track["dx_1"], track["dy_1"]
        track["dx_1"], track["dy_1"] = dx, dy
        track["steps"] = min(track["steps"] + 1, 2)
    decay = 1 - min(1 / _WINDOW_FRAMES, count / _WINDOW_LINKS)
    fresh = (count, x, y, square, noisy, count_1, lag_1, count_2, lag_2)
    for k in range(len(fresh)):
        sums[k] = decay * sums[k] + fresh[k]
