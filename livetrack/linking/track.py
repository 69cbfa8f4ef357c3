"""The record of one trajectory, and what linking says of one particle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.particles import Flag, Rows

__all__ = ["SEEN", "TRACK", "tell"]

TRACK = np.dtype(
    [
        ("id", "<i8"),
        # where it is expected now, and with which covariance: along x, then along y
        ("x", "<f8"),  # px
        ("x_hidden", "<f8"),  # what drives it: a velocity, px/s, or the centre of a trap, px
        ("x_var", "<f8"),  # of the place, px²
        ("x_cov", "<f8"),  # of place and hidden state
        ("x_hidden_var", "<f8"),
        ("y", "<f8"),
        ("y_hidden", "<f8"),
        ("y_var", "<f8"),
        ("y_cov", "<f8"),
        ("y_hidden_var", "<f8"),
        # the last sighting
        ("x_seen", "<f8"),  # px
        ("y_seen", "<f8"),
        ("x_noise", "<f8"),  # variance of that measurement, px²
        ("y_noise", "<f8"),
        ("t_s", "<f8"),  # NaN where that frame had no time
        # the last displacements, each from one frame to the next
        ("dx_1", "<f8"),  # px
        ("dy_1", "<f8"),
        ("dx_2", "<f8"),  # the one before
        ("dy_2", "<f8"),
        ("steps", "<i4"),  # how many of the two are known
        ("seen", "<i4"),  # frames in which it was seen, up to the age of confirmation
        ("missed", "<i4"),  # frames since it was last seen
    ],
    align=True,
)
"""One trajectory that can still be continued."""

SEEN = np.dtype([("id", "<i8"), ("vx", "<f4"), ("vy", "<f4"), ("flags", "<u4")], align=True)
"""What linking says of one particle of the frame; the names and units are those of `ROW`."""


def tell(seen: npt.NDArray[np.void], rows: Rows) -> None:
    """Write `seen`, (N,) of dtype `SEEN`, into the `rows` of these particles, (N,); other flags are left alone."""
    _tell(seen, rows)


_OTHER_FLAGS = ~np.uint32(Flag.NEW | Flag.TENTATIVE | Flag.HURRIED)


@njit
def _tell(seen: Any, rows: Any) -> None:
    for j in range(len(rows)):
        rows[j]["id"], rows[j]["vx"], rows[j]["vy"] = seen[j]["id"], seen[j]["vx"], seen[j]["vy"]
        rows[j]["flags"] = (rows[j]["flags"] & _OTHER_FLAGS) | seen[j]["flags"]
