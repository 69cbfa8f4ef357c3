"""The row: one record per particle, from the network to the wire to the file."""

from __future__ import annotations

from enum import IntFlag
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["NO_ID", "ROW", "Flag", "Rows", "empty_rows"]

ROW = np.dtype(
    [
        ("id", "<i8"),  # trajectory, NO_ID before linking
        ("x", "<f4"),  # px of the delivered image, to the right; integer = pixel centre
        ("y", "<f4"),  # px, down
        ("x_std", "<f4"),  # px, standard uncertainty of x; NaN where the localizer does not know it
        ("y_std", "<f4"),  # px
        ("xy_cov", "<f4"),  # px²
        ("intensity", "<f4"),  # grey levels: the peak's height over the background, negative for dark particles
        ("score", "<f4"),  # 0..1, the probability that this is a particle
        ("angle", "<f4"),  # rad, NaN for particles without one
        ("vx", "<f4"),  # px/s, NaN until the linker knows it
        ("vy", "<f4"),  # px/s
        ("flags", "<u4"),  # of `Flag`
    ],
    align=True,
)
"""One particle in one frame: 56 bytes, little-endian, padded to 8-byte rows."""

Rows: TypeAlias = npt.NDArray[np.void]
"""An (N,) array of dtype `ROW`."""

NO_ID = -1
"""The `id` of a row that no linker has seen."""


class Flag(IntFlag):
    """What `flags` says of a row."""

    TENTATIVE = 1  # the trajectory is younger than the linker's confirmation age
    NEW = 2  # first row of its trajectory
    EDGE = 4  # so close to the image's edge that part of the particle is cut off
    COASTED = 8  # not seen in this frame
    PARTIAL_SEARCH = 16  # found or refined without a search of the whole frame
    APPROXIMATE = 32  # linked in a frame too crowded to weigh every possible link


def empty_rows(count: int = 0) -> Rows:
    """Return `count` rows with no id, no flags, and NaN in every measured field."""
    rows = np.zeros(count, ROW)
    rows["id"] = NO_ID
    for name in ("x", "y", "x_std", "y_std", "xy_cov", "intensity", "score", "angle", "vx", "vy"):
        rows[name] = np.nan
    return rows
