"""Collects crops of one particle from a running session."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from livetrack.client import PreviewSubscriber, Remote, Subscriber, Update
from livetrack.client.address import resolve_address
from livetrack.errors import LivetrackError, UsageError
from livetrack.particles import Flag
from livetrack.training.particle.align import MIN_CROPS

__all__ = ["SIDE_PX", "ParticleCrops", "collect_crops"]

SIDE_PX = 97
"""Side of the crops: the particle, and its surroundings."""

_WAIT_S = 0.5
_KEPT_UPDATES = 1000  # positions of frames whose image has not arrived
_FOLLOWED_PX = 8.0  # where a track ends, the nearest particle this close continues it
_LOST_S = 2.0  # without a particle there: it is gone


@dataclass(frozen=True, slots=True, eq=False)
class ParticleCrops:
    """Crops of one particle in different frames.

    `grey` (N, SIDE_PX, SIDE_PX) float32, NaN beyond the image's edge; `x`, `y` (N,) are the tracked position in the
    crop, px. `particle` is the id of the first track.
    """

    grey: npt.NDArray[np.float32]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    particle: int


def collect_crops(
    address: str,
    particle: int | None = None,
    *,
    at: tuple[float, float] | None = None,
    count: int = 150,
    seconds: float = 20.0,
    progress: Callable[[int], None] | None = None,
) -> ParticleCrops:
    """Collect crops of a particle from the engine at `address`, from its previews in full resolution.

    Previews come at `publish.preview_fps`, large ones more slowly. A track that ends is continued by the particle
    nearest to its last position.

    Parameters
    ----------
    particle
        Id of its track; None for the target.
    at
        Where it was just before, px: if that track has ended, the nearest particle is taken.
    count
        Crops to collect.
    seconds
        Time limit.
    progress
        Called with the number of crops after each.

    Raises
    ------
    UsageError
        There is no particle of that id, no target, or the engine sends no previews.
    LivetrackError
        The particle is lost, or the engine does not respond.
    """
    with Remote(address) as remote:
        status = remote.state()
        reached = remote.address
    particle = status.target if particle is None else particle
    if particle is None:
        raise UsageError("the session has no target: click a particle in the window, or give --particle ID")
    follower = _Follower(particle, at)
    preview_address = resolve_address(status.preview_address, reached)
    crops: list[tuple[npt.NDArray[np.float32], float, float]] = []
    images = 0
    updates: OrderedDict[int, Update] = OrderedDict()
    with Subscriber(address, newest=False) as positions, PreviewSubscriber(preview_address, True) as previews:
        begun_s = seen_s = time.monotonic()
        while len(crops) < count and time.monotonic() - begun_s < seconds:
            preview = previews.receive(_WAIT_S)
            while update := positions.receive(0):
                updates[update.frame] = update
                if len(updates) > _KEPT_UPDATES:
                    updates.popitem(last=False)
            if preview is None or preview.frame not in updates:
                continue
            update = updates.pop(preview.frame)
            images += 1
            place = follower.find(update)
            if place is not None:
                seen_s = time.monotonic()
                pixels = preview.offset + preview.scale * preview.pixels.astype(np.float32)
                crops.append(_crop(pixels, *place))
                if progress is not None:
                    progress(len(crops))
            elif time.monotonic() - seen_s > _LOST_S:
                break
    if len(crops) < MIN_CROPS:
        raise _too_few(follower, len(crops), images, status.state)
    grey, x, y = zip(*crops, strict=True)
    return ParticleCrops(np.stack(grey), np.array(x), np.array(y), follower.first)


class _Follower:
    """Finds one particle in each frame."""

    def __init__(self, particle: int, at: tuple[float, float] | None) -> None:
        self.first = particle
        self.found = False
        """Whether the particle was found in any frame."""
        self._id = particle
        self._at = at

    def find(self, update: Update) -> tuple[float, float] | None:
        """Return the particle's position in this frame, px; None if it was not found."""
        rows = update.particles[(update.particles["flags"] & Flag.COASTED) == 0]
        mine = np.flatnonzero(rows["id"] == self._id)
        if not len(mine) and self._at is not None and len(rows):
            distance = np.hypot(rows["x"] - self._at[0], rows["y"] - self._at[1])
            mine = np.flatnonzero((distance == distance.min()) & (distance <= _FOLLOWED_PX))
        if not len(mine):
            return None
        row, self.found = rows[mine[0]], True
        self._id, self._at = int(row["id"]), (float(row["x"]), float(row["y"]))
        return self._at


def _crop(pixels: npt.NDArray[np.float32], x: float, y: float) -> tuple[npt.NDArray[np.float32], float, float]:
    """Return the crop around (`x`, `y`), px of the image, and this position in it."""
    left, top = round(x) - SIDE_PX // 2, round(y) - SIDE_PX // 2
    height, width = pixels.shape
    crop = np.full((SIDE_PX, SIDE_PX), math.nan, np.float32)
    rows, columns = slice(max(top, 0), min(top + SIDE_PX, height)), slice(max(left, 0), min(left + SIDE_PX, width))
    part = pixels[rows, columns]
    crop[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = part
    return crop, x - left, y - top


def _too_few(follower: _Follower, count: int, images: int, state: str) -> LivetrackError:
    if not images:
        return LivetrackError(f"no image received, the session is {state}: is publish.preview_fps above 0?")
    if not follower.found:
        return UsageError(f"particle {follower.first} is not in the images; choose another one")
    return LivetrackError(
        f"particle {follower.first} was found in {count} images only, {MIN_CROPS} are needed; choose another one"
    )
