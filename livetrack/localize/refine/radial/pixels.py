"""The pixels that the fit of a particle reads, and the radial splines of its profile."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["CORES", "Core", "Pixels", "basis", "pixels_of"]

_PATCH_PX = 4  # side of the patches of pixels that are trusted or doubted together

_LANES = 16  # runs of pixels start and end at multiples, for the processor's vectors
_REACH = 1.5  # radius of the window over that of the core
_MIN_RADIUS_PX = 7.0
_MARGIN_PX = 1.1  # a centre is up to 1 px from the middle pixel
_TRUSTED_PX = 4.0  # from the centre: what the profile does not describe there is the splines' own misfit


class Core(NamedTuple):
    """Where a profile is above or below its background: `splines` unknowns, every `step_px` from the centre on."""

    splines: int
    step_px: float
    binning: int
    """Side of the squares of pixels that are averaged, px."""

    @property
    def radius_px(self) -> float:
        """Radius beyond which the profile is level."""
        return (self.splines + 1) * self.step_px


_LADDER = (  # radius, px, and knots: 0.75 px apart for what is small and changes quickly, up to 1.2
    (4.5, 6), (5.4, 7), (6.3, 6), (7.2, 7), (9.0, 8), (10.8, 9), (12.6, 11), (14.4, 12), (18.0, 15), (21.6, 18),
    (25.2, 21), (28.8, 24),
)  # fmt: skip
_WIDE = ((36.0, 15), (43.2, 18), (51.6, 22), (60.0, 25))  # with binned pixels
CORES = tuple(
    Core(knots - 1, radius / knots, binning)
    for binning, ladder in ((1, _LADDER), (2, _WIDE))
    for radius, knots in ladder
)
"""Of which one is chosen for an image."""


class Pixels(NamedTuple):
    """P pixels of a window, those of the core first, each part by their distance from the middle pixel."""

    row: npt.NDArray[np.int32]
    """(P,) from the middle pixel, px; the last ones, up to a multiple of 16, are those of the middle pixel."""
    column: npt.NDArray[np.int32]
    """(P,) likewise."""
    patch: npt.NDArray[np.int32]
    """(P,) the number of the patch that each pixel belongs to; 0 is never doubted."""
    lattice: npt.NDArray[np.float32]
    """(P,) 1 for those that count outside the core as well, every second pixel, else 0."""
    runs: npt.NDArray[np.uint64]
    """(K, 2) first pixel, and the one after the last, where each spline may be above 0."""
    neighbour: npt.NDArray[np.int32]
    """(P,) the number of the core's pixel to the right of each, or -1."""
    radius_px: float
    """Of the window."""
    reach: int
    """Distance of the farthest pixel from the middle one along an axis, px."""
    in_core: int
    """Number of the core's pixels."""
    used: int
    """Number of all but the ones that fill up."""
    patches: int
    """Number of patches, that of the trusted pixels included."""


@lru_cache(maxsize=64)
def pixels_of(core: Core) -> Pixels:
    """Return the pixels of a core, and every second one around it, for the background's slope.

    With a margin: which ones are inside depends on where in its pixel the centre is.
    """
    px = core.binning
    radius = max(_MIN_RADIUS_PX, _REACH * core.radius_px)
    reach = math.ceil(radius / px + _MARGIN_PX)
    row, column = px * np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    away = np.hypot(row, column)
    inner = away < core.radius_px + _MARGIN_PX * px
    lattice = (row // px + column // px) % 2 == 0
    outer = ~inner & (away < radius + _MARGIN_PX * px) & lattice
    order = np.concatenate([_nearest_first(part, away) for part in (inner, outer)])
    row, column, used, in_core = row[order], column[order], len(order), int(np.count_nonzero(inner))
    fill = (0, -used % _LANES)
    edges = core.step_px * (np.arange(core.splines)[:, None] + (-2, 2)) + (-_MARGIN_PX * px, _MARGIN_PX * px)
    runs = np.searchsorted(away[order], edges) // _LANES * _LANES
    runs[:, 1] = np.minimum(runs[:, 1] + _LANES, used + fill[1])
    numbers = {place: n for n, place in enumerate(zip(row[:in_core], column[:in_core], strict=True))}
    neighbour = np.full(used + fill[1], -1, np.int32)
    neighbour[:in_core] = [numbers.get((i, j + px), -1) for i, j in numbers]
    patch = _patches(row, column, away[order])
    filled_row, filled_column, filled_patch = (np.pad(part, fill).astype(np.int32) for part in (row, column, patch))
    return Pixels(
        filled_row, filled_column, filled_patch, np.pad(lattice[order], fill).astype(np.float32),
        runs.astype(np.uint64), neighbour, radius, px * reach, in_core, used, int(patch.max()) + 1,
    )  # fmt: skip


def _nearest_first(which: npt.NDArray[np.bool_], away: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    numbers = np.flatnonzero(which)
    return numbers[np.argsort(away[which], kind="stable")]


def _patches(
    row: npt.NDArray[np.intp], column: npt.NDArray[np.intp], away: npt.NDArray[np.float64]
) -> npt.NDArray[np.intp]:  # fmt: skip
    """Return the number of the patch of each pixel, 0 for those of patches that reach near the centre."""
    tile = row // _PATCH_PX * 1000 + column // _PATCH_PX
    tiles, which = np.unique(tile, return_inverse=True)
    doubted = np.array([away[tile == each].min() > _TRUSTED_PX for each in tiles])
    numbers: npt.NDArray[np.intp] = np.cumsum(doubted) * doubted
    return numbers[which]


def basis(r: npt.NDArray[Any], core: Core) -> npt.NDArray[np.float64]:
    """Return (K, P) the profile's splines at `r` (P,), px.

    Cubic B-splines around every knot, folded at the centre, about which the profile is even; 0 beyond the core.
    """
    t = r / core.step_px - np.arange(core.splines)[:, None]
    value = _spline(t)
    value[1] += _spline(t[0] + 1)
    return value


def _spline(t: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    spline: npt.NDArray[np.float64] = (
        np.maximum(2 - np.abs(t), 0) ** 3 - 4 * np.maximum(1 - np.abs(t), 0) ** 3
    ) / 6  # fmt: skip
    return spline
