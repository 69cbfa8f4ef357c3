"""Where to look in each frame when particles are followed: about each that is known, and on one tile in turn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.linking import Linker
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.windows import Windows
from livetrack.particles import Rows, empty_rows

__all__ = ["Follower"]

_ROUND = 64  # tiles that a frame is searched in, one after the other
_WIDER = 2  # times as wide and high as others is the crop about a particle that was not seen in the frame before
_RUN_PX = 2048  # what running the network once more costs, in pixels
_REHEARSED = 16  # particles
_WORTH = 0.5  # share of the frame's pixels; beyond it a search of the whole frame costs no more


class Follower:
    """Finds the particles of each frame without a search of all of it.

    The network looks at a crop about the place where each trajectory is expected, and at one tile of the frame, the
    next one in each frame: what is new is found within one round of some 64 frames. A trajectory that was not seen
    in the frame before has a crop twice as wide and high; when the linker has given it up, which it does after
    `memory` frames, its particle waits for the tile. All that is seen in crops and tile, each particle once, goes
    through the profile fit. Where crops and tile would make up half of a small or crowded frame, the whole of it is
    searched.

    What is found depends on the frames alone, not on the time that they take.
    """

    def __init__(self, localizer: NetworkLocalizer, linker: Linker) -> None:
        self._localizer = localizer
        self._linker = linker
        self._last = empty_rows()  # rows of the frame before; the linker has written their ids since
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
        windows = self._windows(image.shape, t_s) if np.ndim(image) == 2 else []
        cost = sum(_RUN_PX + each.pixels for each in windows)
        if 0 < cost < _WORTH * image.size:
            self._last = self._localizer.localize_within(image, windows)
        else:
            self._last = self._localizer.localize(image)
        return self._last

    def rehearse(self, image: npt.NDArray[Any]) -> None:
        """Look at `image` (H, W) as if some particles were followed, one of them lost."""
        localizer, shape, crop = self._localizer, image.shape, self._localizer.card.crop_px
        x, y = (np.full(_REHEARSED, side / 2) for side in reversed(shape))
        places = [localizer.windows(x, y, crop, shape), localizer.windows(x[:1], y[:1], _WIDER * crop, shape)]
        localizer.localize_within(image, [*places, self._tile(shape, 0)])

    def _windows(self, shape: tuple[int, int], t_s: float | None) -> list[Windows]:
        expected = self._linker.predict(t_s)
        missed = ~np.isin(expected["id"], self._last["id"])
        crop = self._localizer.card.crop_px
        windows = [
            self._localizer.windows(places["x"], places["y"], side, shape)
            for places, side in ((expected[~missed], crop), (expected[missed], _WIDER * crop))
            if len(places)
        ]
        self._turn += 1
        return [*windows, self._tile(shape, self._turn)]

    def _tile(self, shape: tuple[int, int], turn: int) -> Windows:
        """Return tile number `turn`, which counts on from round to round."""
        overlap = 2 * self._localizer.margin_px
        side = math.ceil(math.sqrt(shape[0] * shape[1] / _ROUND) + overlap)
        y, x = (_middles(length, side, overlap) for length in shape)
        row, column = divmod(turn % (len(y) * len(x)), len(x))
        return self._localizer.windows(x[column : column + 1], y[row : row + 1], side, shape)


def _middles(length: int, side: int, overlap: float) -> npt.NDArray[np.float64]:
    """Return the middles of as many windows as cover `length`, overlapping by `overlap` at least."""
    count = max(1, math.ceil((length - overlap) / (side - overlap)))
    return np.linspace((side - 1) / 2, length - 1 - (side - 1) / 2, count)
