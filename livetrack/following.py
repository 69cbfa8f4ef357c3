"""Track-guided search (`localizer.search = "follow"`): around the known tracks, and in one tile per frame."""

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

_TILES_PER_CYCLE = 64
_WIDE = 2  # side of the crop around a particle that was not found in the last frame, in normal crops
_CALL_PX = 5000  # cost of a call of the network besides its pixels, in pixels; there are two calls per frame
_WARMUP_PARTICLES = 16
_MAX_FULL_SEARCH_PX = 1 << 23  # in larger frames even the first search is tile by tile
_MAX_FRACTION = 0.9  # of the frame's pixels in crops; beyond it a full search costs no more

_NO_IDS = np.empty(0, np.int64)
_NO_CROPS = Crops(0, 0, _NO_IDS, _NO_IDS)


class TrackGuidedSearch:
    """Finds the particles of each frame without searching all of it.

    The first frame is searched in full. From then on the localizer searches a crop around the expected position of each
    track, and one tile of the frame, a different one in each frame: new particles are found within one cycle of some
    64 frames. The crop of a track that was not found in the last frame is twice as wide and high. It is searched once
    more when the linker has just ended the track; after that the particle has to wait for its tile. All particles in
    crops and tile, each one once, are refined. If the frame is so small or so crowded that crops and tile would cost
    as much as a full search, the frame is searched in full.

    The result depends on the frames only, not on timing.
    """

    def __init__(self, localizer: GuidedLocalizer, linker: Linker) -> None:
        self._localizer = localizer
        self._linker = linker
        self._last = empty_rows()  # of the last frame; the linker has added the ids since
        self._ids, self._wide_crops = _NO_IDS, _NO_CROPS  # of the tracks expected in the last frame
        self._shape: tuple[int, ...] = ()
        self._tiles: list[Crops] = []
        self._max_particles = 0.0  # with more, a full search is cheaper
        self._searched: list[Crops] = []  # in the last frame; empty after a full search
        self._frames = 0  # since the last reset

    def localize(self, image: npt.NDArray[Any], t_s: float | None) -> Rows:
        """Return the (N,) rows of `image` (H, W), taken at `t_s`; link them before the next call.

        Raises
        ------
        InputError
            As in `Localizer.localize`.
        UsageError
            `t_s` is earlier than that of the last frame.
        """
        if np.shape(image) != self._shape:
            self._make_tiles(np.shape(image))
        if self._starts_with_full_search() or len(self._last) >= self._max_particles:
            self._searched, self._ids, self._wide_crops = [], _NO_IDS, _NO_CROPS
        else:
            self._searched = self._choose_crops(self._linker.predict(t_s))
        self._last = self.search_same_crops(image)
        self._frames += 1
        return self._last

    def search_same_crops(self, image: npt.NDArray[Any]) -> Rows:
        """Return the rows of `image` (H, W), of the same shape as the last one, from the crops searched there."""
        if not self._searched:
            return self._localizer.localize(image)
        return self._localizer.localize_within(image, self._searched)

    def reset(self) -> None:
        """Search the next frame in full, since all tracks have ended."""
        self._frames = 0
        self._searched, self._last, self._ids, self._wide_crops = [], empty_rows(), _NO_IDS, _NO_CROPS

    def warmup(self, image: npt.NDArray[Any]) -> None:
        """Search `image` (H, W) as if it had some tracks, one of them not found in the last frame."""
        _is_member(_NO_IDS, _NO_IDS)
        self._make_tiles(image.shape)
        if not self._max_particles:
            self._localizer.localize(image)
            return
        rows = _rows_at(np.full(_WARMUP_PARTICLES, self._shape[1] / 2), np.full(_WARMUP_PARTICLES, self._shape[0] / 2))
        self._localizer.localize_within(image, [self._crops(rows), self._crops(rows[:1], _WIDE), self._tiles[0]])

    def _make_tiles(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self.reset()
        overlap = 2 * self._localizer.margin_px
        side = math.ceil(math.sqrt(math.prod(shape) / _TILES_PER_CYCLE) + overlap)
        self._tiles, self._max_particles = [], 0.0
        if len(shape) == 2 and min(shape):  # the localizer rejects others
            x, y = (_tile_centres(length, side, overlap) for length in reversed(shape))
            centres = _rows_at(np.tile(x, len(y)), np.repeat(y, len(x)))
            self._tiles = [self._localizer.crops(centres[n : n + 1], side, shape) for n in range(len(centres))]
            remaining_px = _MAX_FRACTION * math.prod(shape) - 2 * _CALL_PX - self._tiles[0].pixels
            self._max_particles = max(0.0, remaining_px / self._localizer.crop_px**2)

    def _starts_with_full_search(self) -> bool:
        return not self._frames and math.prod(self._shape) <= _MAX_FULL_SEARCH_PX

    def _choose_crops(self, expected: Rows) -> list[Crops]:
        ids, crops, wide = expected["id"].copy(), self._crops(expected), self._crops(expected, _WIDE)
        ended = self._linker.ended
        searched = [self._tiles[self._frames % len(self._tiles)]]
        if len(ids) > len(self._last) or len(ended):  # otherwise all tracks were found
            found = _is_member(ids, self._last["id"].copy())
            lost = wide.select(~found).concatenate(self._wide_crops.select(_is_member(self._ids, ended)))
            if lost.pixels:
                searched.append(lost)
            crops = crops.select(found)
        if crops.pixels:
            searched.append(crops)
        self._ids, self._wide_crops = ids, wide
        return searched

    def _crops(self, rows: Rows, scale: int = 1) -> Crops:
        return self._localizer.crops(rows, scale * self._localizer.crop_px, self._shape)


@njit
def _is_member(ids: npt.NDArray[np.int64], members: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return for each of `ids`, which are sorted, whether it is among `members`."""
    result = np.zeros(len(ids), np.bool_)
    for member in members:
        n = np.searchsorted(ids, member)
        if n < len(ids) and ids[n] == member:
            result[n] = True
    return result


def _rows_at(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Rows:
    """Return rows at the positions `x`, `y`, (N,) px."""
    rows = empty_rows(len(x))
    rows["x"], rows["y"] = x, y
    return rows


def _tile_centres(length: int, side: int, overlap: float) -> npt.NDArray[np.float64]:
    """Return the centres of the fewest tiles that cover `length` and overlap by at least `overlap`."""
    count = max(1, math.ceil((length - overlap) / (side - overlap)))
    return np.linspace((side - 1) / 2, length - 1 - (side - 1) / 2, count)
