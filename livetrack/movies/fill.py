"""Fills pixels that are not numbers, as registration and masks leave them, so that the rest can be tracked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.movies.movie import DamagedMovieError, Image, LostFrame, Movie, MovieFrame
from livetrack.particles import Rows

__all__ = ["Pixels", "fill", "filled", "rows_outside"]

Pixels: TypeAlias = npt.NDArray[np.bool_]

_TILE = 16  # px: the background is the median of squares of this side
_ENOUGH = 1 / 8  # of a square, for its median to count


def filled(movie: Movie) -> Movie:
    """Return a movie whose pixels that are not finite are filled with background; one of integers as it is.

    The share is noted for the first frame that has any. A frame without any number is lost.
    """
    if movie.dtype.kind != "f":
        return movie
    notes = movie.notes

    def read(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        noted = False
        for frame in movie.read(indices):
            if isinstance(frame, LostFrame) or np.isfinite(frame.pixels).all():
                yield frame
                continue
            missing = ~np.isfinite(frame.pixels)
            if missing.all():
                yield LostFrame(frame.number, f"frame {frame.number} has no pixel that is a number")
                continue
            if not noted and not any(_FILLED in note for note in notes):
                share = 100 * missing.mean()
                notes.append(f"{share:.2g} % of the pixels of frame {frame.number} {_FILLED}")
            noted = True
            yield frame._replace(pixels=fill(frame.pixels, missing), filled=missing)

    with suppress(DamagedMovieError):  # said when frames are read; this is for what is noted before
        next(read(count()), None)
    return replace(movie, read=read)


_FILLED = "are not numbers (NaN): they are filled with background, and nothing is found there"


def fill(image: Image, missing: Pixels) -> Image:
    """Return an image whose `missing` pixels have the background around them and its noise, the same each time."""
    background, noise = _background(image, missing)
    result = image.copy()
    draws = np.random.default_rng(0).standard_normal(int(missing.sum()))
    result[missing] = background[missing] + noise * draws
    return result


def rows_outside(rows: Rows, pixels: Pixels) -> Rows:
    """Return the rows whose positions are not on these pixels of the image."""
    height, width = pixels.shape
    x = np.clip(np.rint(rows["x"]), 0, width - 1).astype(np.intp)
    y = np.clip(np.rint(rows["y"]), 0, height - 1).astype(np.intp)
    outside: Rows = rows[~pixels[y, x]]
    return outside


def _background(image: Image, missing: Pixels) -> tuple[npt.NDArray[np.float64], float]:
    """Return the background at each pixel, and the standard deviation of its noise."""
    height, width = image.shape
    rows, columns = -(-height // _TILE), -(-width // _TILE)
    whole = np.full((rows * _TILE, columns * _TILE), np.nan)
    whole[:height, :width] = np.where(missing, np.nan, image)
    tiles = whole.reshape(rows, _TILE, columns, _TILE).swapaxes(1, 2).reshape(rows, columns, -1)
    medians, deviations = np.full((rows, columns), np.nan), []
    enough = np.isfinite(tiles).sum(axis=-1) >= _ENOUGH * _TILE**2
    for row, column in zip(*np.nonzero(enough), strict=True):
        numbers = tiles[row, column][np.isfinite(tiles[row, column])]
        medians[row, column] = np.median(numbers)
        deviations.append(np.median(np.abs(numbers - medians[row, column])))
    if not enough.any():
        medians[:] = np.median(image[~missing])
    _extend(medians)
    noise = 1.4826 * float(np.median(deviations)) if deviations else 0.0
    return _enlarged(_enlarged(medians, height).T, width).T, noise


def _extend(medians: npt.NDArray[np.float64]) -> None:
    """Fill the empty places of (rows, columns) with the mean of their neighbours, from the filled ones outwards."""
    while (empty := np.isnan(medians)).any():
        around = np.pad(medians, 1, constant_values=np.nan)
        neighbours = np.stack([around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]])
        known = np.isfinite(neighbours)
        counts = known.sum(axis=0)
        sums = np.where(known, neighbours, 0).sum(axis=0)
        reached = empty & (counts > 0)
        medians[reached] = sums[reached] / counts[reached]


def _enlarged(values: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Return (size, columns) from the values at the centres of squares, (rows, columns), linearly between them."""
    places = np.clip((np.arange(size) + 0.5) / _TILE - 0.5, 0, len(values) - 1)
    lower = np.minimum(places.astype(np.intp), max(len(values) - 2, 0))
    upper = np.minimum(lower + 1, len(values) - 1)
    share = (places - lower)[:, None]
    result: npt.NDArray[Any] = values[lower] * (1 - share) + values[upper] * share
    return result
