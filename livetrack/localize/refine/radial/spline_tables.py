"""Tables of the pixels in a fit window, and of the profile's splines at each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["CORES", "PATCH", "PHASES", "Knots", "Window", "splines", "window_of"]

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

PHASES = 5
"""Places of the centre within a pixel, along each axis, that the tables are made for."""

_TILE_PX = 4  # along either axis
PATCH = _TILE_PX**2
"""Consecutive pixels of the tables, which lie together in the image, that are believed or doubted as one."""

_REACH = 1.5  # radius of the window over that of the core
_LEAST_PX = 7.0
_SPLINES = 4  # that are not 0 at any place
_BELIEVED_PX = 4.0  # from the centre: what the profile does not describe there is the spline's own misfit
_LANES = 32  # the pixels are filled up to multiples, for the processor's vectors; of PATCH too


class Knots(NamedTuple):
    """Where the unknowns of a profile are: K = `number`, every `step_px` from the centre on."""

    number: int
    step_px: float

    @property
    def core_px(self) -> float:
        """Radius within which the profile is not level."""
        return self.number * self.step_px


_LADDER = (  # radius of a core, px, and its knots: 0.75 px apart for what is small and changes quickly, up to 1.2
    (4.5, 6), (5.4, 7), (6.3, 6), (7.2, 7), (9.0, 8), (10.8, 9), (12.6, 11), (14.4, 12), (18.0, 15), (21.6, 18),
    (25.2, 21), (28.8, 24), (36.0, 30),
)  # fmt: skip
CORES = tuple(Knots(number, core_px / number) for core_px, number in _LADDER)
"""Of which one is chosen for an image: a few, so that their tables are soon all there."""


@dataclass(frozen=True, slots=True)
class Window:
    """Tables for each of the F = PHASES² places of a centre within its pixel; P pixels.

    The core, where the particle is, has a profile of K unknowns, the last of which is the level beyond. Of the pixels
    there every other one is used: they are for the background's slope.
    """

    knots: Knots
    reach: int
    """Farthest pixel from the middle one, along an axis, px."""
    square: npt.NDArray[np.int32]
    """(P,) number of each pixel in a square of that reach about the middle one, row by row."""
    pair: Floats
    """(P,) 1 where the next pixel is a neighbour, else 0."""
    doubted: Floats
    """(P / PATCH,) 1 for patches that may be doubted, 0 for those at the centre."""
    inside: Floats
    """(F, P) 1, or 0 for what is only there to fill up."""
    basis: Floats
    """(F, K + 2, P) each spline, and dx and dy: how a grey level depends on the profile and on the slope."""
    derivative: Floats
    """(F, K, P) each spline's derivative by r, 1/px."""
    direction: Floats
    """(F, 2, P) dx / r and dy / r."""


@lru_cache(maxsize=32)
def window_of(knots: Knots) -> Window:
    """Return the window whose profile has these knots."""
    core = knots.core_px
    radius = max(_LEAST_PX, _REACH * core)
    reach = int(radius + 0.5)
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    near = np.hypot(row, column)
    kept = (near < core + 1) | ((near < radius + 1) & ((row + column) % 2 == 0))
    used = int(np.count_nonzero(kept))
    count = -(-used // _LANES) * _LANES
    order = np.flatnonzero(kept)[_tile_by_tile(row[kept] + reach, column[kept] + reach)]
    row, column = (np.pad(part[order], (0, count - used)).astype(np.int32) for part in (row, column))
    nearest = np.pad(near[order], (0, count - used), constant_values=np.inf).reshape(-1, PATCH).min(axis=1)
    doubted = (nearest > _BELIEVED_PX).astype(np.float32)
    square = ((row + reach) * (2 * reach + 1) + column + reach).astype(np.int32)
    pair = np.append(np.abs(np.diff(row)) + np.abs(np.diff(column)) == 1, False).astype(np.float32)
    shifts = (np.arange(PHASES) - PHASES // 2) / PHASES
    y, x = np.meshgrid(shifts, shifts, indexing="ij")
    dx, dy = column - x.reshape(-1, 1), row - y.reshape(-1, 1)
    r = np.hypot(dx, dy)
    inside = (np.arange(count) < used) & ((r < core) | ((r <= radius) & ((row + column) % 2 == 0)))
    direction = np.stack([dx, dy], axis=1) / np.maximum(r, 1e-9)[:, None]
    value, derivative = splines(r, knots)
    basis = np.concatenate([value, np.stack([dx, dy], axis=1)], axis=1)
    tables = (part.astype(np.float32) for part in (inside, basis, derivative, direction))
    return Window(knots, reach, square, pair, doubted, *tables)


def _tile_by_tile(row: npt.NDArray[np.intp], column: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the order of pixels tile by tile, to and fro, and to and fro within each: most follow a neighbour."""
    down, along = row // _TILE_PX, column // _TILE_PX
    return np.lexsort((np.where(row % 2, -column, column), row, np.where(down % 2, -along, along), down))


def splines(r: Doubles, knots: Knots) -> tuple[Doubles, Doubles]:
    """Return the profile's splines at `r` (..., P), and their derivatives by r, both (..., K, P).

    Cubic B-splines, folded at the centre, about which the profile is even, and at the level beyond the core.
    """
    number, px = knots
    value = np.zeros((*r.shape[:-1], number, r.shape[-1]))
    derivative = np.zeros_like(value)
    beyond = r >= knots.core_px
    first = np.floor(r / px).astype(np.intp) - 1
    for k in (first + step for step in range(_SPLINES)):
        t = r / px - k
        near, far = np.abs(t), np.maximum(2 - np.abs(t), 0)
        at = np.minimum(np.abs(k), number - 1)
        _add(value, at, np.where(near < 1, (4 - 6 * near**2 + 3 * near**3) / 6, far**3 / 6) * ~beyond)
        slope = np.sign(t) * np.where(near < 1, -2 * near + 1.5 * near**2, -(far**2) / 2) / px
        _add(derivative, at, slope * ~beyond)
    value[..., number - 1, :][beyond] = 1.0
    return value, derivative


def _add(table: Doubles, at: npt.NDArray[np.intp], part: Doubles) -> None:
    """Add `part` (..., P) to the rows `at` (..., P) of `table` (..., K, P)."""
    rows = at[..., None, :]
    np.put_along_axis(table, rows, np.take_along_axis(table, rows, axis=-2) + part[..., None, :], axis=-2)
