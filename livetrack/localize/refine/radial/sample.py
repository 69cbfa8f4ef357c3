"""Representative samples of particles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["in_turn", "some_bright"]

_BRIGHT_ENOUGH = 0.5  # of the height of the last that would be among the brightest
_BLOCK_PX = 8.0  # a place keeps its turn while it moves by less
_SPREAD = np.array([0.7548776662, 0.5698402910])  # multiples of these fill a unit evenly (Roberts' R2 sequence)


def some_bright(
    places: npt.NDArray[np.float64], height: npt.NDArray[np.float64], wanted: npt.NDArray[np.bool_], most: int
) -> npt.NDArray[np.intp]:
    """Return the numbers of `most` of the `wanted` particles, or all, from all over the image, that are bright.

    Not the brightest: among equal ones they are those whose centre the noise has raised, and a profile would be learnt
    from them that is too high and too narrow. Whose turn it is depends on the particle's own place alone: where another
    one comes or goes, nearly all that are chosen stay the same.
    """
    which = np.flatnonzero(wanted)
    if which.size <= most:
        return which
    bright = np.abs(height[which])
    which = which[bright >= _BRIGHT_ENOUGH * np.partition(bright, -most)[-most]]
    turn = (np.round(places[which] / _BLOCK_PX) @ _SPREAD) % 1
    first = np.lexsort((places[which, 0], places[which, 1], turn))[:most]
    return np.sort(which[first])


def in_turn(which: npt.NDArray[np.bool_], turn: int, most: int) -> npt.NDArray[np.intp]:
    """Return the numbers of `most` of the particles `which`, or all, from number `turn` on, round and round."""
    numbers = np.flatnonzero(which)
    if numbers.size <= most:
        return numbers
    return numbers[(turn + np.arange(most)) % numbers.size]
