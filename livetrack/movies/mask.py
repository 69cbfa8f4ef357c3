"""Masks: an image that says where particles count."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError
from livetrack.movies.movie import Movie
from livetrack.particles import Rows

__all__ = ["Mask"]


class Mask:
    """Selects the particles whose pixel in an image is not 0.

    Parameters
    ----------
    mask
        Movie of that one image.
    movie
        The particles' movie, whose full images have the same size.

    Raises
    ------
    InputError
        The image has another size, is not the only one, or is 0 everywhere.
    """

    def __init__(self, mask: Movie, movie: Movie) -> None:
        self.path: Path = mask.path
        images = [frame.pixels for frame in islice(mask.frames(), 2)]
        if len(images) != 1:
            raise InputError(f"{mask.path}: contains {mask.length or len(images)} images; a mask is a single image")
        shape, (x, y) = movie.full_shape or movie.shape, movie.origin
        if images[0].shape != shape:
            sizes = [f"{width}x{height} px" for height, width in (images[0].shape, shape)]
            raise InputError(f"{mask.path}: the mask is {sizes[0]}, the images of {movie.path} are {sizes[1]}")
        height, width = movie.shape
        self._counts: npt.NDArray[np.bool_] = np.nan_to_num(images[0][y : y + height, x : x + width]) != 0
        if not self._counts.any():
            raise InputError(f"{mask.path}: the mask is 0 everywhere, so no particle would count")

    def inside(self, rows: Rows) -> Rows:
        """Return those of the (N,) rows whose pixel counts; positions are px of the movie's frames."""
        height, width = self._counts.shape
        x = np.rint(rows["x"]).astype(np.intp).clip(0, width - 1)
        y = np.rint(rows["y"]).astype(np.intp).clip(0, height - 1)
        inside: Rows = rows[self._counts[y, x]]
        return inside
