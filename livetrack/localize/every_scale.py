"""A network that searches an image at several scales, for particles of any size, mixed in one image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.halving import HalvedImages
from livetrack.localize.resizing import ResizingLocalizer
from livetrack.localize.scaled import ScaledLocalizer
from livetrack.particles import Rows

__all__ = ["EveryScaleLocalizer"]

_LEAST_SIDE_PX = 48  # of a halved image: in a smaller one, the light's own shape may look like a particle
_VAGUE_PX = 1.0  # uncertainty of a position in the halved image at which the evidence for that scale is gone
_LEAST = 0.01  # of the score, that remains as evidence then: such a row is kept where nothing else is found
_CERTAIN_PX = 0.45  # likewise: rows of halved images that are less certain are noise, or particles of another scale
_COARSER = 1.06  # how much more a row counts with each halving: of equally good scales, the fit is safer at the coarser
_SAME = 0.5  # of the diameter of a typical particle: nearer to each other, rows of two scales are one particle
_AGREED = 1.0  # how much more a row counts at the scale of all others
_ROUNDS = 4  # of choosing scales, until most agree


class EveryScaleLocalizer(ResizingLocalizer):
    """Finds particles of all sizes: `scale = "auto"`. A `LearningLocalizer`.

    Each octave searches the whole image. A particle is mostly found at two or three scales, and belongs to the one at
    which the network is most certain of its position, in pixels of the halved image; of scales that are equally good,
    to the one that most of the others belong to. There it is refined, with the others of that scale.

    Parameters
    ----------
    octaves
        Of one model, with 0, 1, 2 ... halvings. They share the open model of the first.
    """

    def __init__(self, octaves: Sequence[ScaledLocalizer]) -> None:
        self.octaves = list(octaves)
        super().__init__(self.octaves[0].network)
        self._diameter_px = self.network.card.diameter_px
        self._images = HalvedImages()
        self._learnt: list[object | None] = [None] * len(self.octaves)
        self._fitted: list[bool] = [False] * len(self.octaves)  # in the last image
        self._adopt_runtime()

    @property
    def threshold(self) -> float:
        """Minimum score of a row, 0..1; may be set between two calls."""
        return self.network.threshold

    @threshold.setter
    def threshold(self, value: float) -> None:
        for octave in self.octaves:
            octave.threshold = value

    @property
    def search_scale(self) -> str:
        """The scales at which the particles of the last image were found, in words."""
        found = [octave.search_scale for octave, fitted in zip(self.octaves, self._fitted, strict=True) if fitted]
        return f"auto ({', '.join(found)})" if found else "auto"

    def find(self, image: npt.NDArray[Any]) -> Rows:
        """Search the full image. See `Localizer.find`."""
        return _top_to_bottom([rows for _, rows in self._find(self._images_of(image))])

    def localize(self, image: npt.NDArray[Any]) -> Rows:
        """Find, then refine. See `Localizer.localize`."""
        images = self._images_of(image)
        found = self._find(images)
        self._fitted = [False] * len(self.octaves)
        for n, rows in found:
            self._fitted[n] = len(rows) > 0
        return _top_to_bottom([self.octaves[n].fit_in(images, rows) for n, rows in found])

    def learn(self) -> object | None:
        """Return what the last particles of each scale have in common. See `LearningLocalizer.learn`."""
        if not any(self._fitted):
            return None
        each = zip(self.octaves, self._learnt, self._fitted, strict=True)
        return [(octave.learn() or before) if fitted else before for octave, before, fitted in each]

    def recall(self, learnt: Any) -> None:
        """Refine the next images by what was learnt. See `LearningLocalizer.recall`."""
        self._learnt = learnt or [None] * len(self.octaves)
        for octave, its in zip(self.octaves, self._learnt, strict=True):
            octave.recall(its)

    def warmup(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        """Compile and allocate everything for images of this shape (H, W) and dtype."""
        for octave in self.octaves[: _octave_count(shape, len(self.octaves))]:
            octave.warmup(shape, dtype)
        self.localize((100 + 10 * np.random.default_rng(0).random(shape)).astype(dtype))

    def _images_of(self, image: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        return self._images.of(image, _octave_count(np.shape(image), len(self.octaves)) - 1)

    def _find(self, images: list[npt.NDArray[Any]]) -> list[tuple[int, Rows]]:
        """Return the halvings of each scale, and the (N,) rows that belong to it."""
        found = [octave.find_in(images) for octave, _ in zip(self.octaves, images, strict=False)]
        rows = np.concatenate(found)
        halvings = np.repeat(np.arange(len(found), dtype=np.int64), [len(part) for part in found])
        std = np.maximum(rows["x_std"], rows["y_std"]) / 2.0**halvings
        evidence = rows["score"] * np.maximum(1 - std / _VAGUE_PX, _LEAST)
        evidence[(std > _CERTAIN_PX) & (halvings > 0)] = 0
        evidence *= _COARSER**halvings
        kept = _choose(rows, halvings, evidence.astype(np.float64), _SAME * self._diameter_px)
        return [(n, rows[kept & (halvings == n)]) for n in range(len(found))]

    def _adopt_runtime(self) -> None:
        super()._adopt_runtime()
        for octave in self.octaves[1:]:
            octave.network.share(self.network)


def _octave_count(shape: tuple[int, ...], most: int) -> int:
    side = min(shape, default=0)
    return max(1, min(most, 1 + int(math.log2(max(side / _LEAST_SIDE_PX, 1)))))


def _top_to_bottom(parts: list[Rows]) -> Rows:
    rows = np.concatenate(parts)
    return rows[np.argsort(rows["y"], kind="stable")]


@njit
def _choose(rows: Any, halvings: Any, evidence: Any, reach_px: float) -> Any:
    """Return which of `rows` (N,), found in images halved so often (N,), are particles at the scale that suits them.

    Those nearer to each other than `reach_px`, in px of the more halved image, are the same particle.
    """
    kept = np.zeros(len(rows), np.bool_)
    totals, weight = np.zeros(halvings.max() + 1 if len(rows) else 0), evidence.copy()
    by_height = np.argsort(rows["y"], kind="mergesort")
    for _ in range(_ROUNDS):
        _keep_best(rows, halvings, weight, by_height, reach_px, kept)
        totals[:] = 0
        for n in np.flatnonzero(kept):
            totals[halvings[n]] += evidence[n]
        whole = max(totals.sum(), _LEAST)
        for k in range(weight.size):
            weight[k] = evidence[k] * (1 + _AGREED * totals[halvings[k]] / whole)
    return kept


@njit
def _keep_best(rows: Any, halvings: Any, weight: Any, by_height: Any, reach_px: float, kept: Any) -> None:
    count = by_height.size
    place = np.empty(count, np.int64)
    place[by_height] = np.arange(count)
    farthest = reach_px * (1 << halvings.max()) if count else 0.0
    kept[:] = False
    for n in np.argsort(-weight, kind="mergesort"):
        free = True
        for step in (-1, 1):
            k = place[n] + step
            while free and 0 <= k < count:
                m = by_height[k]
                dy = rows[m]["y"] - rows[n]["y"]
                if abs(dy) >= farthest:
                    break
                if kept[m] and halvings[m] != halvings[n]:
                    reach = reach_px * (1 << max(halvings[m], halvings[n]))
                    free = dy * dy + (rows[m]["x"] - rows[n]["x"]) ** 2 >= reach * reach
                k += step
        kept[n] = free and weight[n] > 0
