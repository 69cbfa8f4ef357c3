"""What is drawn in the bench: a picture, 1,000 markers, 100 tails of 50 points, another frame each time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.client import Update
from livetrack.particles import Flag, Rows, empty_rows
from livetrack.wire import Preview

__all__ = ["MARKERS", "TAILS", "TAIL_POINTS", "Scene"]

MARKERS, TAILS, TAIL_POINTS = 1000, 100, 50
_FRAMES = 8  # pictures, shown in turn
_SHOWN_PX = 1024  # of a side: what the engine sends of larger pictures
_SESSION = 1
_TIMES = ("t_received_ns", "t_started_ns", "t_localized_ns", "t_linked_ns", "t_published_ns", "t_client_ns")


class Frame(NamedTuple):
    """One refresh: what the engine sends for it, and the same without livetrack's types."""

    preview: Preview
    update: Update
    whole: npt.NDArray[np.uint16]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    tails: npt.NDArray[np.float64]
    """(TAILS, TAIL_POINTS, 2) of x, y."""


class Scene:
    """`TAILS` particles keep their ids and wander, the other markers are new in each frame. Seeded."""

    def __init__(self, side_px: int) -> None:
        self._side_px = side_px
        self._rng = np.random.default_rng(6)
        self._pictures = [self._picture() for _ in range(_FRAMES)]
        self._places = self._rng.uniform(20, side_px - 20, (TAILS, 2))
        self._paths = np.repeat(self._places[:, None], TAIL_POINTS, axis=1)
        self._number = 0
        self._next_id = TAILS

    def next(self) -> Frame:
        """Return the next frame."""
        self._places += self._rng.normal(0, 1.5, (TAILS, 2))
        np.clip(self._places, 1, self._side_px - 2, out=self._places)
        self._paths = np.concatenate((self._paths[:, 1:], self._places[:, None]), axis=1)
        rows = empty_rows(MARKERS)
        others = self._rng.uniform(1, self._side_px - 2, (MARKERS - TAILS, 2))
        rows["x"], rows["y"] = np.concatenate((self._places, others)).T
        rows["id"] = np.r_[np.arange(TAILS), self._next_id + np.arange(MARKERS - TAILS)]
        rows["x_std"] = rows["y_std"] = 0.05
        rows["flags"][TAILS:] = Flag.NEW
        self._next_id += MARKERS - TAILS
        self._number += 1
        whole = self._pictures[self._number % _FRAMES]
        step = -(-self._side_px // _SHOWN_PX)
        small = (whole[::step, ::step] >> 2).clip(0, 255).astype(np.uint8)
        preview = Preview(_SESSION, self._number, step, small, 0.0, 4.0)
        x, y = (rows[axis].astype(np.float64) for axis in ("x", "y"))
        return Frame(preview, self._update(rows), whole, x, y, self._paths)

    def _update(self, rows: Rows) -> Update:
        now_ns = self._number * 33_000_000
        return Update(
            particles=rows,
            gap=0,
            session=_SESSION,
            seq=self._number,
            frame=self._number,
            camera_number=None,
            t_s=now_ns * 1e-9,
            t_exposed_ns=None,
            geometry=1,
            width=self._side_px,
            height=self._side_px,
            x_origin=0,
            y_origin=0,
            binning=1,
            pixel_size_um=0.1,
            skipped=0,
            lost=0,
            wall_ns=now_ns,
            **dict.fromkeys(_TIMES, now_ns),
        )

    def _picture(self) -> npt.NDArray[np.uint16]:
        return self._rng.normal(200, 12, (self._side_px, self._side_px)).astype(np.uint16)
