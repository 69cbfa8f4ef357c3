"""The records that the kernels of linking read and write."""

from __future__ import annotations

import numpy as np

__all__ = ["MEASUREMENT", "TRACK"]

TRACK = np.dtype(
    [
        ("id", "<i8"),
        # expected state and its covariance, along x, then along y
        ("x", "<f8"),  # px
        ("x_hidden", "<f8"),  # what drives the particle: a velocity, px/s, or the centre of a trap, px
        ("x_var", "<f8"),  # of the position, px²
        ("x_cov", "<f8"),  # of position and hidden state
        ("x_hidden_var", "<f8"),
        ("y", "<f8"),
        ("y_hidden", "<f8"),
        ("y_var", "<f8"),
        ("y_cov", "<f8"),
        ("y_hidden_var", "<f8"),
        # the last measurement
        ("x_seen", "<f8"),  # px
        ("y_seen", "<f8"),
        ("x_noise", "<f8"),  # its variance, px²
        ("y_noise", "<f8"),
        ("t_s", "<f8"),  # NaN if that frame had no time
        # the last two displacements, each from one frame to the next
        ("dx_1", "<f8"),  # px
        ("dy_1", "<f8"),
        ("dx_2", "<f8"),  # the one before
        ("dy_2", "<f8"),
        ("steps", "<i4"),  # how many of the two are known
        ("seen", "<i4"),  # frames with a measurement, up to `confirm_after`
        ("missed", "<i4"),  # frames since the last measurement
    ],
    align=True,
)
"""A track that can still be continued. `Linker.save` stores these."""

MEASUREMENT = np.dtype(
    [
        ("x", "<f8"),  # px
        ("y", "<f8"),
        ("x_var", "<f8"),  # px², 0 if unknown
        ("y_var", "<f8"),
        ("xy_cov", "<f8"),
        ("score_penalty", "<f8"),  # -2 ln of the score, 0 if there is no score
    ]
)
"""A particle of the current frame."""
