"""Costs of links: -2 ln of the likelihood of a link, relative to that of a mistaken one.

The innovation, measured minus expected position, has the covariance S: that of the prediction plus that of the
measurement. Its distribution is modelled as Student's t with two degrees of freedom, with much heavier tails than the
normal, because particles differ in how they move and stages jump (K. L. Lange, R. J. A. Little, J. M. G. Taylor,
J. Am. Stat. Assoc. 84, 881-896, 1989). For an innovation v a link costs

    4 ln(1 + v' S^-1 v / 2) + ln(det S / w²) - 2 ln score

where w is the largest variance, that of a standard deviation of a quarter of the search radius; larger ones are
clipped to it. A track without a particle costs -2 ln(c n), where n is the number of particles besides its own that a
track has within the search radius, averaged over the frame. So the gate follows from the cost and from how crowded the
frame is: the full search radius if particles are far apart, a few standard deviations if they could be confused.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["update_costs"]


_STD_IN_RADIUS = 4.0
_MISTAKEN = 1e-3  # c: probability that a particle is missed and another one linked instead
_MIN_NEIGHBOURS = 1e-6  # a particle alone in the frame is linked up to the search radius, however it moved before
_MIN_VAR, _MAX_CORRELATION2 = 1e-12, 0.9  # relative to the largest variance, to the product of both: no division by 0


@njit
def update_costs(
    tracks: npt.NDArray[np.void],
    measured: npt.NDArray[np.void],
    search_radius_px: float,
    first: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    cost: npt.NDArray[np.float64],
) -> float:
    """Replace the squared distances of `find_candidates` by these costs, and remove links beyond the gate.

    Returns the cost of a track without a particle.
    """
    max_var = (search_radius_px / _STD_IN_RADIUS) ** 2
    neighbours = 0
    for i in range(len(tracks)):
        neighbours += max(first[i + 1] - first[i] - 1, 0)
    unlinked = -2 * np.log(_MISTAKEN * max(neighbours / max(len(tracks), 1), _MIN_NEIGHBOURS))
    kept = begin = 0
    for i in range(len(tracks)):
        track = tracks[i]
        x, y, x_expected_var, y_expected_var = track["x"], track["y"], track["x_var"], track["y_var"]
        end = first[i + 1]
        for k in range(begin, end):
            particle = measured[column[k]]
            x_var = min(max((x_expected_var + particle["x_var"]) / max_var, _MIN_VAR), 1.0)
            y_var = min(max((y_expected_var + particle["y_var"]) / max_var, _MIN_VAR), 1.0)
            cov = particle["xy_cov"] / max_var
            if cov * cov > _MAX_CORRELATION2 * x_var * y_var:
                cov = 0.0
            det = x_var * y_var - cov * cov
            dx, dy = particle["x"] - x, particle["y"] - y
            far = 1 + (dx * dx * y_var - 2 * dx * dy * cov + dy * dy * x_var) / (2 * det * max_var)
            link_cost = np.log(far * far * far * far * det) + particle["score_penalty"]
            if link_cost <= unlinked:
                column[kept], cost[kept] = column[k], link_cost
                kept += 1
        begin = end
        first[i + 1] = kept
    return float(unlinked)
