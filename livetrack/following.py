"""Track-guided search (`localizer.search = "follow"`): measures the known particles, and searches little of a frame."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking import Linker
from livetrack.localize.crops import Crops
from livetrack.localize.localizer import GuidedLocalizer, MeasuringLocalizer
from livetrack.particles import ROW, Flag, Rows, empty_rows

__all__ = ["LOOK_EVERY", "TrackGuidedSearch"]

LOOK_EVERY = 16
"""Each particle is searched for in at least every n-th frame."""

_TILES_PER_CYCLE = 64
_SMALL_PX = 1 << 14  # up to here, a full search now and then costs less than a tile in every frame
_WIDE = 2  # side of the crop around a particle that was not found in the last frame, in normal crops
_CALL_PX = 5000  # cost of a call of the network besides its pixels, in pixels
_WARMUP_PARTICLES = 16
_MAX_FULL_SEARCH_PX = 1 << 23  # in larger frames even the first search is tile by tile
_MAX_FRACTION = 0.9  # of the frame's pixels in crops; beyond it a full search costs no more
_SURE = 0.9  # a particle with a lower score is searched for in every frame
_CLOSE_PX = 6.0  # so are particles nearer to each other than this
_WEIGHT = 0.125  # of the newest intensity, and misfit, in what is usual
_SAME_INTENSITY, _SAME_MISFIT = 0.25, 0.75  # change over the newest value, beyond which that alone counts

_NO_TURN = -1
_NO_ROWS = empty_rows()
_NO_MASK, _NO_MISFIT = np.empty(0, np.bool_), np.empty(0, np.float32)
_NOT_PARTIAL = ~np.uint32(Flag.PARTIAL_SEARCH)
_TENTATIVE = np.uint32(Flag.TENTATIVE)


class TrackGuidedSearch:
    """Finds the particles of each frame without searching all of it.

    The first frame is searched in full. From then on the localizer measures the particles where they are expected, and
    searches only

    - a crop around each particle in doubt: one that `MeasuringLocalizer.measure` does not confirm, whose track is
      tentative, whose score is low, that is close to another one, or whose turn it is, once in `LOOK_EVERY` frames;
    - a crop twice as wide and high around each particle that was not found in the last frame, and once more when the
      linker has just ended its track; after that the particle has to wait for its tile;
    - for new particles, one tile of the frame, a different one in each frame: they are found within one cycle of some
      64 frames. Small frames are searched in full once in `LOOK_EVERY` frames instead.

    If the frame is so small or so crowded that these crops would cost as much as a full search, the frame is searched
    in full; if that is known before, the particles are not measured. A localizer that does not measure searches for
    each particle in each frame.

    The result depends on the frames only, not on timing.
    """

    def __init__(self, localizer: GuidedLocalizer, linker: Linker) -> None:
        self._localizer = localizer
        measures = isinstance(localizer, MeasuringLocalizer) and localizer.measures
        self._measuring = cast("MeasuringLocalizer", localizer) if measures else None
        self._linker = linker
        self._shape: tuple[int, ...] = ()
        self._pixels = self._tile_cost_px = 0
        self._tiles: list[Crops] = []
        self._small = False
        self._frames = 0  # since the last reset
        self._count = self._lost_count = self._track_count = 0  # rows in use of `_expected`, `_lost`, `_tracks`
        self._measures = False  # whether the particles of the last frame were measured
        self._last: Rows = _NO_ROWS  # of the last frame; the linker has added the ids since
        self._searched: list[Crops] | None = []  # in the last frame; empty for all of it, None for nothing
        self._usual = np.zeros((16, 2), np.float32)  # intensity and misfit of the rows of the last frame
        self._tracks = np.zeros(0, ROW)
        self._grow(16)

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
        self._expect(self._linker.predict(t_s), self._last, self._linker.ended)
        rows, confirmed, misfit = self._measure(image)
        self._searched = self._choose_crops(confirmed)
        if self._searched is not None:
            rows = self._search(image, rows, self._searched)
        if len(rows) > len(self._usual):
            self._usual = np.zeros((2 * len(rows), 2), np.float32)
        _average(rows, misfit, self._expected[: self._count], self._misfits, self._usual)
        self._last = rows
        self._frames += 1
        return rows

    def repeat(self, image: npt.NDArray[Any]) -> Rows:
        """Return the rows of `image` (H, W), of the shape of the last one, measured and searched as that was."""
        rows, _, _ = self._measure(image)
        return rows if self._searched is None else self._search(image, rows, self._searched)

    def reset(self) -> None:
        """Search the next frame in full, since all tracks have ended."""
        self._frames = self._count = self._lost_count = self._track_count = 0
        self._measures = False
        self._last, self._searched = _NO_ROWS, []

    def warmup(self, image: npt.NDArray[Any]) -> None:
        """Search `image` (H, W) as if it had some tracks, one of them not found in the last frame."""
        self._make_tiles(image.shape)
        self._localizer.localize(image)
        rows = _rows_at(*(np.full(_WARMUP_PARTICLES, length / 2) for length in reversed(self._shape)))
        rows["id"], rows["intensity"], rows["score"] = np.arange(len(rows)), 1.0, 1.0
        self._frames, self._usual = 1, np.ones((len(rows), 2), np.float32)
        self._expect(rows, rows[1:].copy(), rows["id"][:1].copy())
        self._measures = self._measuring is not None
        self._measure(image.astype(np.float32))  # read-only and non-contiguous frames are converted
        measured, confirmed, misfit = self._measure(image)
        self._choose_crops(confirmed)
        _average(measured, misfit, self._expected, self._misfits, self._usual)
        self._search(image, measured, [self._crops(rows), self._crops(rows[:2], _WIDE), self._tiles[0]])
        self.reset()

    def _make_tiles(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self.reset()
        overlap = 2 * self._localizer.margin_px
        self._pixels = math.prod(shape)
        side = math.ceil(math.sqrt(self._pixels / _TILES_PER_CYCLE) + overlap)
        self._tiles, self._small = [], self._measuring is not None and self._pixels <= _SMALL_PX
        if len(shape) == 2 and min(shape):  # the localizer rejects others
            x, y = (_tile_centres(length, side, overlap) for length in reversed(shape))
            centres = _rows_at(np.tile(x, len(y)), np.repeat(y, len(x)))
            self._tiles = [self._localizer.crops(centres[n : n + 1], side, shape) for n in range(len(centres))]
        self._tile_cost_px = 0 if self._small or not self._tiles else self._tiles[0].pixels + _CALL_PX

    def _expect(self, predicted: Rows, last: Rows, ended: npt.NDArray[np.int64]) -> None:
        """Sort out which particles are expected where, given the rows of the last frame."""
        if len(predicted) > len(self._expected):
            self._grow(2 * len(predicted))
        turn = _NO_TURN if self._small else self._frames % LOOK_EVERY
        self._count, doubted, self._lost_count = _expect(
            predicted, last, self._usual, ended, self._tracks, self._track_count, turn,
            self._expected, self._misfits, self._doubted, self._lost,
        )  # fmt: skip
        self._track_count = len(predicted)
        self._measures = (
            self._measuring is not None
            and self._count > 0
            and not self._starts_with_full_search()
            and not self._is_full_search_cheaper(doubted)
        )

    def _grow(self, count: int) -> None:
        """Make room for `count` tracks."""
        self._expected = np.zeros(count, ROW)  # particles found in the last frame
        self._misfits = np.zeros(count, np.float32)  # their usual ones
        self._doubted = np.zeros(count, np.bool_)  # which of them are searched for in any case
        self._sought = np.zeros(count, ROW)  # those that are searched for
        self._lost = np.zeros(2 * count, ROW)  # particles not found in the last frame, also of tracks that have ended
        tracks, self._tracks = self._tracks, np.zeros(count, ROW)  # all tracks
        self._tracks[: len(tracks)] = tracks

    def _measure(self, image: npt.NDArray[Any]) -> tuple[Rows, npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        if self._measures and self._measuring is not None:
            return self._measuring.measure(image, self._expected[: self._count], self._misfits[: self._count])
        return _NO_ROWS, _NO_MASK, _NO_MISFIT

    def _choose_crops(self, confirmed: npt.NDArray[np.bool_]) -> list[Crops] | None:
        """Return what to search: crops, none for the whole frame, or None for nothing."""
        if self._starts_with_full_search():
            return []
        if self._small and (self._frames % LOOK_EVERY == 0 or not self._count + self._lost_count):
            return []
        doubted = _doubt(self._expected[: self._count], self._doubted, confirmed, self._sought)
        if self._small and not doubted + self._lost_count:
            return None
        if self._is_full_search_cheaper(doubted):
            return []
        crops = [] if self._small else [self._tiles[self._frames % len(self._tiles)]]
        if self._lost_count:
            crops.append(self._crops(self._lost[: self._lost_count], _WIDE))
        if doubted:
            crops.append(self._crops(self._sought[:doubted]))
        return crops

    def _starts_with_full_search(self) -> bool:
        return not self._frames and self._pixels <= _MAX_FULL_SEARCH_PX

    def _is_full_search_cheaper(self, doubted: int) -> bool:
        """Whether crops around `doubted` particles and all lost ones, and the tile, cost as much as the whole frame."""
        lost = self._lost_count
        if not doubted and not lost:
            return False
        cost_px = self._tile_cost_px + ((doubted > 0) + (lost > 0)) * _CALL_PX
        return cost_px + (doubted + _WIDE**2 * lost) * self._localizer.crop_px**2 >= _MAX_FRACTION * self._pixels

    def _search(self, image: npt.NDArray[Any], measured: Rows, crops: list[Crops]) -> Rows:
        if self._measuring is None or not len(measured):
            return self._localizer.localize_within(image, crops) if crops else self._localizer.localize(image)
        if crops:
            return self._measuring.localize_within(image, crops, measured)
        whole = self._localizer.crops(measured[:1], max(self._shape), self._shape)
        rows = self._measuring.localize_within(image, [whole], measured)
        rows["flags"] &= _NOT_PARTIAL
        return rows

    def _crops(self, rows: Rows, scale: int = 1) -> Crops:
        return self._localizer.crops(rows, scale * self._localizer.crop_px, self._shape)


@njit
def _expect(
    predicted: Any, last: Any, usual: Any, ended: Any, tracks: Any, track_count: int, turn: int, expected: Any,
    misfits: Any, doubted: Any, lost: Any,
) -> Any:  # fmt: skip
    """Fill `expected`, `misfits` and `doubted` by particles that the last frame shows, `lost` by others.

    `predicted` are the tracks now, `tracks` those of the last frame, which are replaced, `ended` the ids of those that
    have just ended.
    Returns the numbers of particles expected, in doubt, and lost.
    """
    count = doubted_count = lost_count = 0
    j = -1
    for i in range(len(predicted)):
        track = predicted[i]
        j = _find(last, track["id"], j + 1)
        if j < 0:
            lost[lost_count] = track
            lost_count += 1
            continue
        row = expected[count]
        row["id"], row["x"], row["y"] = track["id"], track["x"], track["y"]
        row["x_std"], row["y_std"] = track["x_std"], track["y_std"]
        row["intensity"], row["score"], row["angle"] = usual[j, 0], last[j]["score"], last[j]["angle"]
        misfits[count] = usual[j, 1]
        its_turn = turn != _NO_TURN and (track["id"] + turn) % LOOK_EVERY == 0
        doubted[count] = its_turn or track["flags"] & _TENTATIVE != 0 or not row["score"] >= _SURE
        for k in range(count):
            dy = row["y"] - expected[k]["y"]
            if abs(dy) < _CLOSE_PX and dy * dy + (row["x"] - expected[k]["x"]) ** 2 < _CLOSE_PX * _CLOSE_PX:
                doubted[count] = doubted[k] = True
        count += 1
    for i in range(count):
        doubted_count += doubted[i]
    for number in ended:
        j = _find(tracks[:track_count], number, 0)
        if j >= 0:
            lost[lost_count] = tracks[j]
            lost_count += 1
    for i in range(len(predicted)):
        tracks[i] = predicted[i]
    return count, doubted_count, lost_count


@njit
def _find(rows: Any, number: int, guess: int) -> int:
    """Return the index of the row with this id, -1 if there is none; looks at `guess` first."""
    if guess < len(rows) and rows[guess]["id"] == number:
        return guess
    for j in range(len(rows)):
        if rows[j]["id"] == number:
            return j
    return -1


@njit
def _doubt(expected: Any, doubted: Any, confirmed: Any, into: Any) -> int:
    """Write the particles in doubt `into` rows; return their number. `confirmed` is empty if none was measured."""
    count = 0
    for n in range(len(expected)):
        if doubted[n] or n >= len(confirmed) or not confirmed[n]:
            into[count] = expected[n]
            count += 1
    return count


@njit
def _average(rows: Any, misfit: Any, expected: Any, misfits: Any, usual: Any) -> None:
    """Write what is `usual` of each of `rows` (N,): its intensity and its misfit, NaN for what was not measured.

    A measured row has the id of its track. A great change, which the search has confirmed, is not averaged.
    """
    j = -1
    for n in range(len(rows)):
        usual[n, 0], usual[n, 1] = rows[n]["intensity"], np.nan
        if rows[n]["id"] >= 0:
            j = _find(expected, rows[n]["id"], j + 1)
            usual[n, 0] = _between(expected[j]["intensity"], rows[n]["intensity"], _SAME_INTENSITY)
            usual[n, 1] = _between(misfits[j], misfit[j], _SAME_MISFIT)


@njit
def _between(before: float, now: float, same: float) -> float:
    change = now - before
    return before + _WEIGHT * change if abs(change) <= same * abs(now) else now


def _rows_at(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Rows:
    """Return rows at the positions `x`, `y`, (N,) px."""
    rows = empty_rows(len(x))
    rows["x"], rows["y"] = x, y
    return rows


def _tile_centres(length: int, side: int, overlap: float) -> npt.NDArray[np.float64]:
    """Return the centres of the fewest tiles that cover `length` and overlap by at least `overlap`."""
    count = max(1, math.ceil((length - overlap) / (side - overlap)))
    return np.linspace((side - 1) / 2, length - 1 - (side - 1) / 2, count)
