"""How the particles of this session move, learnt as they do: the moments of their displacements."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["MotionStatistics"]

_WINDOW_FRAMES, _WINDOW_LINKS = 200.0, 1000.0  # what is learnt fades over so many, whichever takes longer

# Assumed at the start: the search radius is two rms steps, and four fifths of a step's square last to the next. It
# weighs as much as some links, and nothing once there are ten times as many.
_STEPS_IN_RADIUS, _LASTING, _ASSUMED_LINKS = 2.0, 0.8, 10.0

# Of the displacements' square, at least so much is taken for motion: a localizer that claims too much noise must not
# make moving particles seem at rest.
_LEAST_MOTION = 0.05


class MotionStatistics:
    """Mean products of each particle's successive displacements, over all particles.

    Second moments are per axis, about the mean displacement, and free of the noise that the positions state:
    two successive displacements share the position between them, whose noise makes their product smaller by its
    variance (A. J. Berglund, Phys. Rev. E 82, 011917, 2010).

    Parameters
    ----------
    search_radius_px
        What the assumption rests on that holds until particles were seen to move.

    Attributes
    ----------
    sums
        (9,) all that is learnt: count, x, y, square, square with the noise; count, lag 1; count, lag 2.
    drift_px
        Mean displacement from frame to frame along x and y.
    square_px2
        Mean square displacement, above 0.
    lag_1_px2
        Mean product of a displacement and the next: above 0 for a motion that lasts, below 0 in a trap.
    lag_2_px2
        Mean product of a displacement and the next but one.
    """

    def __init__(self, search_radius_px: float) -> None:
        self._least_px2 = (1e-3 * search_radius_px) ** 2
        self._assumed_px2 = (search_radius_px / _STEPS_IN_RADIUS) ** 2
        self.restore(np.zeros(9))

    def restore(self, sums: npt.NDArray[np.float64]) -> None:
        """Put `sums` in the place of what was learnt."""
        self.sums = sums
        self._reckon()

    def learn(self, tracks: npt.NDArray[np.void], link: npt.NDArray[np.int32], found: npt.NDArray[np.void]) -> None:
        """Take in the displacements of one frame, before it changes `tracks`; note them in `tracks`."""
        _learn(tracks, link, found, self.sums)
        self._reckon()

    def _reckon(self) -> None:
        count, x, y, square, noisy, count_1, lag_1, count_2, lag_2 = self.sums.tolist()
        assumed, assumed_1, assumed_2 = _weight(count), _weight(count_1), _weight(count_2)
        x, y = x / (count + assumed), y / (count + assumed)
        of_drift = (x * x + y * y) / 2
        square = (square + assumed * self._assumed_px2) / (count + assumed) - of_drift
        lasting = _LASTING * square
        self.drift_px = x, y
        self.square_px2 = max(square, _LEAST_MOTION * (noisy / max(count, 1.0) - of_drift), self._least_px2)
        self.lag_1_px2 = (lag_1 - count_1 * of_drift + assumed_1 * lasting) / (count_1 + assumed_1)
        self.lag_2_px2 = (lag_2 - count_2 * of_drift + assumed_2 * lasting) / (count_2 + assumed_2)


def _weight(links: float) -> float:
    """Return what the assumption weighs beside so many links."""
    return max(_ASSUMED_LINKS - links / 10, 0.0)


@njit
def _learn(
    tracks: npt.NDArray[np.void],
    link: npt.NDArray[np.int32],
    found: npt.NDArray[np.void],
    sums: npt.NDArray[np.float64],
) -> None:
    """Let `sums` fade and add to them. A gap begins a track's history anew."""
    count = count_1 = count_2 = 0.0
    x = y = square = noisy = lag_1 = lag_2 = 0.0
    for i in range(len(tracks)):
        j = link[i]
        track = tracks[i]
        if j < 0 or track["missed"] > 0:
            track["steps"] = 0
            continue
        dx = found[j]["x"] - track["x_seen"]
        dy = found[j]["y"] - track["y_seen"]
        noise = (track["x_noise"] + track["y_noise"]) / 2
        count += 1
        x += dx
        y += dy
        noisy += (dx * dx + dy * dy) / 2
        square += (dx * dx + dy * dy - found[j]["x_var"] - found[j]["y_var"]) / 2 - noise
        if track["steps"] >= 1:
            count_1 += 1
            lag_1 += (dx * track["dx_1"] + dy * track["dy_1"]) / 2 + noise
        if track["steps"] >= 2:
            count_2 += 1
            lag_2 += (dx * track["dx_2"] + dy * track["dy_2"]) / 2
        track["dx_2"], track["dy_2"] = track["dx_1"], track["dy_1"]
        track["dx_1"], track["dy_1"] = dx, dy
        track["steps"] = min(track["steps"] + 1, 2)
    fading = 1 - min(1 / _WINDOW_FRAMES, count / _WINDOW_LINKS)
    fresh = (count, x, y, square, noisy, count_1, lag_1, count_2, lag_2)
    for k in range(len(fresh)):
        sums[k] = fading * sums[k] + fresh[k]
