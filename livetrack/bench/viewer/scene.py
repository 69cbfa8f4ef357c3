"""The scene that the bench draws: an image, 1,000 markers and 100 trails of 50 points, new in each frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.client import Update
from livetrack.particles import Flag, Rows, empty_rows
from livetrack.wire import Preview

__all__ = [
    "MARKERS",
    "TRAILS",
    "TRAIL_POINTS",
    "Frame",
    "Scene",
]

MARKERS, TRAILS, TRAIL_POINTS = 1000, 100, 50
_IMAGES = 8  # shown in turn
_PREVIEW_PX = 1024  # largest side of the engine's previews
_SESSION = 1
_TIMES = ("t_received_ns", "t_started_ns", "t_localized_ns", "t_linked_ns", "t_published_ns", "t_client_ns")


class Frame(NamedTuple):
    """One refresh: the engine's messages, and the same data as plain arrays."""

    preview: Preview
    update: Update
    image: npt.NDArray[np.uint16]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    trails: npt.NDArray[np.float64]
    """(TRAILS, TRAIL_POINTS, 2) of x, y."""


class Scene:
    """`TRAILS` particles keep their ids and diffuse; the other markers are new in each frame. Seeded."""

    def __init__(self, side_px: int) -> None:
        self._side_px = side_px
        self._rng = np.random.default_rng(6)
        self._images = [self._draw_image() for _ in range(_IMAGES)]
        self._positions = self._rng.uniform(20, side_px - 20, (TRAILS, 2))
        self._trails = np.repeat(self._positions[:, None], TRAIL_POINTS, axis=1)
        self._number = 0
        self._next_id = TRAILS

    def next(self) -> Frame:
        """Return the next frame."""
        self._positions += self._rng.normal(0, 1.5, (TRAILS, 2))
        np.clip(self._positions, 1, self._side_px - 2, out=self._positions)
        self._trails = np.concatenate((self._trails[:, 1:], self._positions[:, None]), axis=1)
        rows = empty_rows(MARKERS)
        new = self._rng.uniform(1, self._side_px - 2, (MARKERS - TRAILS, 2))
        rows["x"], rows["y"] = np.concatenate((self._positions, new)).T
        rows["id"] = np.r_[np.arange(TRAILS), self._next_id + np.arange(MARKERS - TRAILS)]
        rows["x_std"] = rows["y_std"] = 0.05
        rows["flags"][TRAILS:] = Flag.NEW
        self._next_id += MARKERS - TRAILS
        self._number += 1
        image = self._images[self._number % _IMAGES]
        step = -(-self._side_px // _PREVIEW_PX)
        small = (image[::step, ::step] >> 2).clip(0, 255).astype(np.uint8)
        preview = Preview(_SESSION, self._number, step, small, 0.0, 4.0)
        x, y = (rows[axis].astype(np.float64) for axis in ("x", "y"))
        return Frame(preview, self._update(rows), image, x, y, self._trails)

    def _update(self, rows: Rows) -> Update:
        now_ns, side = self._number * 33_000_000, self._side_px
        return Update(
            particles=rows, gap=0, session=_SESSION, seq=self._number, frame=self._number, camera_number=None,
            t_s=now_ns * 1e-9, t_exposed_ns=None, geometry=1, width=side, height=side, x_origin=0, y_origin=0,
            binning=1, pixel_size_um=0.1, skipped=0, lost=0, wall_ns=now_ns, **dict.fromkeys(_TIMES, now_ns),
        )  # fmt: skip

    def _draw_image(self) -> npt.NDArray[np.uint16]:
        return self._rng.normal(200, 12, (self._side_px, self._side_px)).astype(np.uint16)
