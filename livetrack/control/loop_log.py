"""The log of a feedback loop, frame by frame, and its summary."""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
import numpy.typing as npt
from msgspec import Struct

__all__ = ["LOG_ROW", "LoopLog", "LoopSummary"]

LOG_ROW = np.dtype(
    [
        ("frame", "<i8"),
        ("t_s", "<f8"),
        ("x", "<f8"),  # error: measured minus desired position, px
        ("y", "<f8"),
        ("std", "<f8"),  # localisation error, px
        ("dx", "<f8"),  # commanded move, px; 0 for none
        ("dy", "<f8"),
    ]
)
"""One frame in which the particle was seen."""


class LoopSummary(Struct, frozen=True, kw_only=True):
    """How well a particle was held; px, along x and along y."""

    frames: int
    seconds: float
    unanswered: int
    """Frames without a response: the particle was not seen, or the loop skipped them."""
    moves: int
    mean_px: tuple[float, float]
    std_px: tuple[float, float]
    largest_px: float
    """Maximum distance from the desired position."""


class LoopLog:
    """Collects rows of `LOG_ROW`."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []

    def add(
        self, frame: int, t_s: float, error: tuple[float, float], std: float, move: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Add one frame."""
        self._rows.append((frame, t_s, *error, std, *move))

    def array(self, skip: int = 0) -> npt.NDArray[np.void]:
        """Return all rows but the first `skip`, (N,) of dtype `LOG_ROW`."""
        return np.array(self._rows[skip:], LOG_ROW)

    def summary(self, skip: int = 0) -> LoopSummary:
        """Summarise all rows but the first `skip`."""
        rows = self.array(skip)
        if not len(rows):
            return LoopSummary(
                frames=0, seconds=0.0, unanswered=0, moves=0, mean_px=(nan, nan), std_px=(nan, nan), largest_px=nan
            )
        return LoopSummary(
            frames=len(rows),
            seconds=float(rows["t_s"][-1] - rows["t_s"][0]),
            unanswered=int(rows["frame"][-1] - rows["frame"][0]) + 1 - len(rows),
            moves=int(((rows["dx"] != 0) | (rows["dy"] != 0)).sum()),
            mean_px=(float(rows["x"].mean()), float(rows["y"].mean())),
            std_px=(float(rows["x"].std()), float(rows["y"].std())),
            largest_px=sqrt(float((rows["x"] ** 2 + rows["y"] ** 2).max())),
        )
