"""Which of an image's particles are asked for what holds for all of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["brightest", "some", "some_bright"]

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]

_BRIGHT_ENOUGH = 0.5  # of the height of the last that would be among the brightest
_BLOCK_PX = 8.0  # a place keeps its turn while it moves by less
_SPREAD = np.array([0.7548776662, 0.5698402910])  # multiples of these fill a unit evenly (Roberts' R2 sequence)


def brightest(height: Doubles, wanted: npt.NDArray[np.bool_], most: int) -> Numbers:
    """Return the numbers of the `most` brightest of the `wanted` particles, or of all of them, brightest first."""
    order: Numbers = np.argsort(-np.abs(height) * wanted, kind="stable")[:most]
    return order[wanted[order]]


def some_bright(places: Doubles, height: Doubles, wanted: npt.NDArray[np.bool_], most: int) -> Numbers:
    """Return the numbers of `most` of the `wanted` particles, or all, from all over the image, that are bright.

    Not the brightest: among equal ones they are those whose centre the noise has raised, and a profile would be learnt
    from them that is too high and too narrow.
    """
    which = np.flatnonzero(wanted)
    if which.size > most:
        bright = np.abs(height[which])
        which = which[bright >= _BRIGHT_ENOUGH * np.partition(bright, -most)[-most]]
    return some(places, which, most)


def some(places: Doubles, which: Numbers, most: int) -> Numbers:
    """Return `most` of the numbers `which`, or all, in order.

    Whose turn it is depends on the particle's own place alone: where another one comes or goes, nearly all that are
    chosen stay the same.
    """
    if which.size <= most:
        return which
    turn = (np.round(places[which] / _BLOCK_PX) @ _SPREAD) % 1
    first = np.lexsort((places[which, 0], places[which, 1], turn))[:most]
    return np.sort(which[first])
