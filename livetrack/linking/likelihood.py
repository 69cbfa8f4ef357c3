"""What a link costs by how likely it is: the gate and the price of each from the innovation's covariance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking.candidates import Candidates

__all__ = ["Likelihood"]


class Likelihood:
    """Prices links by -2 ln of how likely they are, beside how likely it is to be mistaken.

    The place of a particle is expected with the covariance S of the innovation, the sum of the prediction's and the
    measurement's. Its distribution is taken as Student's t with two degrees of freedom, with tails far heavier than
    the normal's: particles differ in how they move, and stages jump (K. L. Lange, R. J. A. Little, J. M. G. Taylor,
    J. Am. Stat. Assoc. 84, 881-896, 1989). For an innovation v a link costs

        4 ln(1 + v' S^-1 v / 2) + ln(det S / w²) - 2 ln score

    with w the widest variance that counts, of a standard deviation of a quarter of the search radius. A trajectory
    without a particle costs -2 ln(c n), where n is how many particles besides its own a trajectory has within the
    search radius, on average over the frame. So the gate follows from the price and from how crowded the frame is:
    the search radius where particles are far apart, some standard deviations where they might be mistaken.
    """

    def __init__(self, search_radius_px: float) -> None:
        self._widest_px2 = (search_radius_px / _STD_IN_RADIUS) ** 2

    def price(self, tracks: npt.NDArray[np.void], found: npt.NDArray[np.void], candidates: Candidates) -> float:
        """Replace the squared distances in `candidates` by these costs, and leave out links beyond the gate.

        Returns what a trajectory without a particle costs.
        """
        return float(_price(tracks, found, self._widest_px2, candidates.first, candidates.column, candidates.cost))


_STD_IN_RADIUS = 4.0
_MISTAKEN = 1e-3  # c: that a particle is missed, and another taken for it
_FEWEST = 1e-6  # of the others: alone in the frame, a particle is linked at the search radius, whatever it did before
_LEAST, _MOST_CORRELATED = 1e-12, 0.9  # of the widest variance, of the product of both: no division by 0


@njit
def _price(
    tracks: npt.NDArray[np.void],
    found: npt.NDArray[np.void],
    widest: float,
    first: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    cost: npt.NDArray[np.float64],
) -> float:
    others = 0
    for i in range(len(tracks)):
        others += max(first[i + 1] - first[i] - 1, 0)
    unlinked = -2 * np.log(_MISTAKEN * max(others / max(len(tracks), 1), _FEWEST))
    kept = begin = 0
    for i in range(len(tracks)):
        track = tracks[i]
        x, y, x_known, y_known = track["x"], track["y"], track["x_var"], track["y_var"]
        end = first[i + 1]
        for k in range(begin, end):
            particle = found[column[k]]
            x_var = min(max((x_known + particle["x_var"]) / widest, _LEAST), 1.0)
            y_var = min(max((y_known + particle["y_var"]) / widest, _LEAST), 1.0)
            cov = particle["xy_cov"] / widest
            if cov * cov > _MOST_CORRELATED * x_var * y_var:
                cov = 0.0
            det = x_var * y_var - cov * cov
            dx, dy = particle["x"] - x, particle["y"] - y
            far = 1 + (dx * dx * y_var - 2 * dx * dy * cov + dy * dy * x_var) / (2 * det * widest)
            price = np.log(far * far * far * far * det) + particle["score_penalty"]
            if price <= unlinked:
                column[kept], cost[kept] = column[k], price
                kept += 1
        begin = end
        first[i + 1] = kept
    return float(unlinked)
