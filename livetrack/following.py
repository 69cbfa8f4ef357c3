"""Where to look in each frame when particles are followed: about each that is known, and on one tile in turn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking import Linker
from livetrack.localize.crops import Crops
from livetrack.localize.localizer import GuidedLocalizer
from livetrack.particles import Rows, empty_rows

__all__ = ["TrackGuidedSearch"]

_TILES_PER_CYCLE = 64  # tiles that a frame is searched in, one after the other
_WIDER = 2  # times as wide and high as others is the crop about a particle that was not seen in the frame before
_RUN_PX = 5000  # what each of the two runs of the network costs beside its pixels, in pixels
_REHEARSED = 16  # particles
_WHOLE_PX = 1 << 23  # pixels; larger frames are searched tile by tile from the first one on
_WORTH = 0.9  # share of the frame's pixels; beyond it a search of the whole frame costs no more

_NONE = np.empty(0, np.int64)
_NOWHERE = Crops(0, 0, _NONE, _NONE)


class TrackGuidedSearch:
    """Finds the particles of each frame without a search of all of it.

    The first frame is searched as a whole. From then on the network looks at a crop about the place where each
    trajectory is expected, and at one tile of the frame, the next one in each frame: what is new is found within one
    round of some 64 frames. A trajectory that was not seen in the frame before has a crop twice as wide and high,
    once more also when the linker has just given it up; after that its particle waits for the tile. All that is seen
    in crops and tile, each particle once, goes through the profile fit. In a frame so small or so crowded that crops
    and tile would cost as much, the whole of it is searched.

    What is found depends on the frames alone, not on the time that they take.
    """

    def __init__(self, localizer: GuidedLocalizer, linker: Linker) -> None:
        self._localizer = localizer
        self._linker = linker
        self._last = empty_rows()  # rows of the frame before; the linker has written their ids since
        self._ids, self._wide = _NONE, _NOWHERE  # trajectories then, and the wider crop about each
        self._shape: tuple[int, ...] = ()
        self._tiles: list[Crops] = []
        self._worth_below = 0.0  # particles: fewer cost less, looked about each, than a search of the whole frame
        self._windows: list[Crops] = []  # in the frame before; none: it was searched as a whole
        self._turn = 0

    def localize(self, image: npt.NDArray[Any], t_s: float | None) -> Rows:
        """Return the rows of `image` (H, W), taken at `t_s`; they are to be linked before the next call.

        Raises
        ------
        InputError
            As in `Localizer.localize`.
        UsageError
            A time before that of the frame before.
        """
        if np.shape(image) != self._shape:
            self._begin(np.shape(image))
        if self._starts_whole() or len(self._last) >= self._worth_below:
            self._windows, self._ids, self._wide = [], _NONE, _NOWHERE
        else:
            self._windows = self._look_at(self._linker.predict(t_s))
        self._last = self.search_same_crops(image)
        self._turn += 1
        return self._last

    def search_same_crops(self, image: npt.NDArray[Any]) -> Rows:
        """Return the rows of `image` (H, W), of the shape that there was last, where the last one was looked at."""
        if not self._windows:
            return self._localizer.localize(image)
        return self._localizer.localize_within(image, self._windows)

    def reset(self) -> None:
        """Search the whole of the next frame: nothing is where it was."""
        self._turn = 0
        self._windows, self._last, self._ids, self._wide = [], empty_rows(), _NONE, _NOWHERE

    def warmup(self, image: npt.NDArray[Any]) -> None:
        """Look at `image` (H, W) as if some particles were followed, one of them lost."""
        _is_member(_NONE, _NONE)
        self._begin(image.shape)
        if not self._worth_below:
            self._localizer.localize(image)
            return
        rows = _about(np.full(_REHEARSED, self._shape[1] / 2), np.full(_REHEARSED, self._shape[0] / 2))
        self._localizer.localize_within(image, [self._crops(rows), self._crops(rows[:1], _WIDER), self._tiles[0]])

    def _begin(self, shape: tuple[int, ...]) -> None:
        """Make the tiles for frames of another shape."""
        self._shape = shape
        self.reset()
        overlap = 2 * self._localizer.margin_px
        side = math.ceil(math.sqrt(math.prod(shape) / _TILES_PER_CYCLE) + overlap)
        self._tiles, self._worth_below = [], 0.0
        if len(shape) == 2 and min(shape):  # others are refused by the localizer
            x, y = (_middles(length, side, overlap) for length in reversed(shape))
            middles = _about(np.tile(x, len(y)), np.repeat(y, len(x)))
            self._tiles = [self._localizer.crops(middles[n : n + 1], side, shape) for n in range(len(middles))]
            left = _WORTH * math.prod(shape) - 2 * _RUN_PX - self._tiles[0].pixels
            self._worth_below = max(0.0, left / self._localizer.crop_px**2)

    def _starts_whole(self) -> bool:
        return not self._turn and math.prod(self._shape) <= _WHOLE_PX

    def _look_at(self, expected: Rows) -> list[Crops]:
        ids, crops, wide = expected["id"].copy(), self._crops(expected), self._crops(expected, _WIDER)
        ended = self._linker.ended
        windows = [self._tiles[self._turn % len(self._tiles)]]
        if len(ids) > len(self._last) or len(ended):  # else all were seen: who was seen is alive
            seen = _is_member(ids, self._last["id"].copy())
            lost = wide.select(~seen).concatenate(self._wide.select(_is_member(self._ids, ended)))
            if lost.pixels:
                windows.append(lost)
            crops = crops.select(seen)
        if crops.pixels:
            windows.append(crops)
        self._ids, self._wide = ids, wide
        return windows

    def _crops(self, rows: Rows, times: int = 1) -> Crops:
        return self._localizer.crops(rows, times * self._localizer.crop_px, self._shape)


@njit
def _is_member(ids: npt.NDArray[np.int64], some: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which of `ids`, the oldest first, are among `some`."""
    which = np.zeros(len(ids), np.bool_)
    for each in some:
        n = np.searchsorted(ids, each)
        if n < len(ids) and ids[n] == each:
            which[n] = True
    return which


def _about(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Rows:
    """Return rows at the places `x`, `y`, (N,) px."""
    rows = empty_rows(len(x))
    rows["x"], rows["y"] = x, y
    return rows


def _middles(length: int, side: int, overlap: float) -> npt.NDArray[np.float64]:
    """Return the middles of as many windows as cover `length`, overlapping by `overlap` at least."""
    count = max(1, math.ceil((length - overlap) / (side - overlap)))
    return np.linspace((side - 1) / 2, length - 1 - (side - 1) / 2, count)
