"""Narrows a movie to a range of frames and a region, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError
from livetrack.movies.movie import LostFrame, Movie, MovieFrame, Reader, Times
from livetrack.movies.selection import FrameRange, Region, Selection

__all__ = ["narrow"]


def narrow(movie: Movie, selection: Selection) -> Movie:
    """Return a movie of the selected frames and region. Raises `InputError` if they are outside of it."""
    if selection.frames is not None:
        movie = _of_frames(movie, selection.frames)
    return movie if selection.region is None else _of_region(movie, selection.region)


def _of_frames(movie: Movie, frames: FrameRange) -> Movie:
    if movie.length is None:
        return replace(movie, read=_every(movie.read, frames))
    numbers = np.arange(movie.length, dtype=np.int64) if movie.numbers is None else movie.numbers
    inside = (numbers >= frames.start) & ((numbers - frames.start) % frames.step == 0)
    if frames.stop is not None:
        inside &= numbers < frames.stop
    chosen = np.flatnonzero(inside)
    if not len(chosen):
        last = int(numbers[-1]) if len(numbers) else -1
        raise InputError(f"{movie.path}: --frames {frames} contains none of its frames, 0 to {last}")

    def times() -> Times | None:
        times = movie.times()
        return None if times is None else times[chosen[chosen < len(times)]]

    return replace(
        movie, length=len(chosen), numbers=numbers[chosen], read=_at(movie.read, chosen), times=times, problem=None
    )


def _at(read: Reader, chosen: npt.NDArray[np.int64]) -> Reader:
    def read_chosen(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        inside = takewhile(lambda index: index < len(chosen), indices)
        return read(int(chosen[index]) for index in inside)

    return read_chosen


def _every(read: Reader, frames: FrameRange) -> Reader:
    def read_every(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        numbers = (frames.start + index * frames.step for index in indices)
        return read(takewhile(lambda number: frames.stop is None or number < frames.stop, numbers))

    return read_every


def _of_region(movie: Movie, region: Region) -> Movie:
    height, width = movie.shape
    if region.x + region.width > width or region.y + region.height > height:
        raise InputError(f"{movie.path}: --region {region} reaches beyond its {width}x{height} px")
    part = np.s_[region.y : region.y + region.height, region.x : region.x + region.width]

    def read(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        for frame in movie.read(indices):
            if isinstance(frame, MovieFrame) and frame.pixels.shape == movie.shape:
                inside = None if frame.filled is None else np.ascontiguousarray(frame.filled[part])
                yield frame._replace(pixels=np.ascontiguousarray(frame.pixels[part]), filled=inside)
            else:
                yield frame

    origin = movie.origin[0] + region.x, movie.origin[1] + region.y
    full_shape = movie.full_shape or movie.shape
    return replace(movie, shape=(region.height, region.width), origin=origin, full_shape=full_shape, read=read)
