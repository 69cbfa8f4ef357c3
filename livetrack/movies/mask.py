"""Masks: an image that says where particles count."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from livetrack.errors import InputError
from livetrack.movies.fill import Pixels, rows_outside
from livetrack.movies.movie import Movie
from livetrack.particles import Rows

__all__ = ["Mask"]


class Mask:
    """Selects the particles whose pixel in an image is not 0 and is a number.

    Parameters
    ----------
    mask
        Movie of that one image.
    movie
        The particles' movie, whose full images have the same size.

    Raises
    ------
    InputError
        The image has another size, is not the only one, or is 0 everywhere in the frames.
    """

    def __init__(self, mask: Movie, movie: Movie) -> None:
        self.path: Path = mask.path
        frames = list(islice(mask.frames(), 2))
        if not frames:
            raise InputError(mask.problem or f"{mask.path}: contains no image")
        if len(frames) > 1:
            raise InputError(f"{mask.path}: contains {mask.length or 'several'} images; a mask is a single image")
        pixels, filled = frames[0].pixels, frames[0].filled
        shape, (x, y) = movie.full_shape or movie.shape, movie.origin
        if pixels.shape != shape:
            sizes = [f"{width}x{height} px" for height, width in (pixels.shape, shape)]
            raise InputError(f"{mask.path}: the mask is {sizes[0]}, the images of {movie.path} are {sizes[1]}")
        height, width = movie.shape
        outside = (pixels == 0) if filled is None else (pixels == 0) | filled
        self._outside: Pixels = outside[y : y + height, x : x + width]
        if self._outside.all():
            raise InputError(f"{mask.path}: the mask is 0 everywhere, so no particle would count")

    def inside(self, rows: Rows) -> Rows:
        """Return those of the (N,) rows whose pixel counts; positions are px of the movie's frames."""
        return rows_outside(rows, self._outside)
