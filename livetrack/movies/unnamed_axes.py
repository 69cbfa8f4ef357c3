"""Axes of arrays whose files do not name them."""

from __future__ import annotations

from typing import NamedTuple

from livetrack.movies.arrangement import Axis
from livetrack.movies.movie import DamagedMovieError

__all__ = ["Dimensions", "guess_dimensions"]

_COLOURS = (3, 4)


class Dimensions(NamedTuple):
    """What the dimensions of an array are."""

    shape: tuple[int, ...]
    """Of the array without its dimensions of size 1, which mean nothing."""
    axes: tuple[Axis, ...]
    """Of the images: the first dimensions of `shape`; the channels, if any are last in it, are last here too."""
    channels_last: bool
    """Whether the last axis is the last dimension, behind rows and columns."""
    notes: tuple[str, ...]
    """What was assumed."""


def guess_dimensions(shape: tuple[int, ...]) -> Dimensions:
    """Return what the dimensions are: frames, rows, columns, and perhaps colours.

    Raises
    ------
    DamagedMovieError
        There are fewer than two dimensions.
    """
    sides = tuple(size for size in shape if size != 1)
    if len(sides) < 2 or 0 in sides:
        raise DamagedMovieError(f"it is an array of the shape {shape}, which holds no images")
    small_last = len(sides) > 2 and sides[-1] <= _COLOURS[-1] < min(sides[-3:-1])
    of_an_image = 2 + (small_last and sides[-1] in _COLOURS)
    channels_last = small_last and sides[-1] not in _COLOURS
    rest = sides[: len(sides) - of_an_image - channels_last]
    names = ["T"] if len(rest) == 1 else [f"dimension {place}" for place in range(len(rest))]
    axes = tuple(map(Axis, names, rest))
    if channels_last:
        axes = (*axes, Axis("C", sides[-1]))
    notes: tuple[str, ...] = ()
    if len(rest) == 1 and rest[0] <= _COLOURS[-1] and not small_last:
        notes = (f"its {rest[0]} images are read as frames; if they are channels: --axes C",)
    if len(rest) == 1 and of_an_image == 2 and not channels_last and sides[0] == sides[1] != sides[2]:
        notes = (
            f"its first dimension, {sides[0]}, is read as frames; if the last, {sides[2]}, counts them: save "
            "numpy.moveaxis(array, -1, 0)",
        )
    return Dimensions(sides, axes, channels_last, notes)
