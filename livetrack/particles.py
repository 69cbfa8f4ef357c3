"""The row of a localisation, the same in the network's output, on the wire and in files."""

from __future__ import annotations

from enum import IntFlag
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["NO_ID", "ROW", "Flag", "Rows", "empty_rows"]

ROW = np.dtype(
    [
        ("id", "<i8"),  # of the track; NO_ID before linking
        ("x", "<f4"),  # px of the delivered image, to the right; integers are pixel centres
        ("y", "<f4"),  # px, down
        ("x_std", "<f4"),  # px, standard uncertainty of x; NaN if unknown
        ("y_std", "<f4"),  # px
        ("xy_cov", "<f4"),  # px²
        ("intensity", "<f4"),  # grey levels, of the peak over the background; negative for dark particles
        ("score", "<f4"),  # 0..1, the probability that this is a particle
        ("angle", "<f4"),  # rad, NaN for particles without orientation
        ("vx", "<f4"),  # px/s, NaN until it is known
        ("vy", "<f4"),  # px/s
        ("flags", "<u4"),  # a sum of `Flag`s
    ],
    align=True,
)
"""One particle in one frame: 56 bytes, little-endian, padded to 8-byte rows."""

Rows: TypeAlias = npt.NDArray[np.void]
"""An (N,) array of dtype `ROW`."""

NO_ID = -1
"""The `id` of a row that is not linked."""


class Flag(IntFlag):
    """Flags of a row."""

    TENTATIVE = 1  # the track has fewer frames than `linker.confirm_after`
    NEW = 2  # first row of its track
    EDGE = 4  # at the image's edge: part of the particle is outside
    COASTED = 8  # not found in this frame; the position is predicted
    PARTIAL_SEARCH = 16  # found or refined without searching the full frame
    APPROXIMATE = 32  # linked approximately: the frame was too crowded to consider every possible link
    MERGED = 64  # longer than wide, perhaps two particles: x_std, y_std and xy_cov hold for either of them
    UNTIMED = 128  # the frame waited unread and has no time of its own: its time and the velocities are estimated


def empty_rows(count: int = 0) -> Rows:
    """Return `count` rows with no id, no flags, and NaN in every measured field."""
    rows = np.zeros(count, ROW)
    rows["id"] = NO_ID
    for name in ("x", "y", "x_std", "y_std", "xy_cov", "intensity", "score", "angle", "vx", "vy"):
        rows[name] = np.nan
    return rows
