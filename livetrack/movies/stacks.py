"""Reads several TIFF stacks as one movie: the files of one recording, or stacks that follow each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from livetrack.errors import InputError
from livetrack.movies.left_out import listed
from livetrack.movies.movie import DamagedMovieError, LostFrame, Movie, MovieFrame, Times
from livetrack.movies.quiet import quiet_tifffile
from livetrack.movies.selection import Selection
from livetrack.movies.tiff import open_file, open_tiff

__all__ = ["count_images", "open_stacks"]


@quiet_tifffile()
def count_images(file: Path) -> int:
    """Return how many images a TIFF file may have: 0 if it cannot be read, 2 for any number above 1."""
    try:
        with tifffile.TiffFile(file) as tif:
            pages: Any = tif.pages
            first = pages[0]
            in_a_row = first.is_contiguous and (tif.filehandle.size - first.dataoffsets[0]) // first.nbytes > 1
            return 2 if len(pages) > 1 or in_a_row or first.axes == "SYX" else 1
    except Exception:  # noqa: BLE001 - tifffile raises anything for damaged files
        return 0


def open_stacks(path: Path, files: Sequence[Path], selection: Selection, notes: list[str], is_pattern: bool) -> Movie:
    """Open stacks: the only one in a folder, all files of one recording, or those that a pattern matches.

    Raises
    ------
    InputError
        Stacks in a folder are not the files of one recording, or those of a pattern differ in size or type.
    """
    if len(files) == 1:
        movie = open_tiff(files[0], selection)
        return replace(movie, path=path, notes=[*notes, f"{files[0].name} is read, the only one", *movie.notes])
    recording = _recording(files[0])
    if {file.name for file in files} <= recording:
        movie = open_tiff(files[0], selection, whole_recording=True)
        return replace(movie, path=path, notes=[*notes, *movie.notes])
    if not is_pattern:
        names = listed(file.name for file in files)
        raise InputError(
            f"{path}: contains {len(files)} files of several images each: {names}; open one of them, or, if they "
            f'follow each other, all with a pattern: "{path / "*"}{files[0].suffix}"'
        )
    return _one_after_another(path, [open_tiff(file, selection) for file in files], notes)


@quiet_tifffile()
def _recording(file: Path) -> set[str]:
    """Return the names of all files of the recording that a file belongs to: only itself, if it names no others."""
    try:
        with open_file(file) as tif:
            series = [each for each in tif.series if each.kind in ("ome", "mmstack")]
            return {page.parent.filename for each in series for page in each.pages if page is not None} or {file.name}
    except Exception:  # noqa: BLE001 - likewise
        return {file.name}


def _one_after_another(path: Path, movies: Sequence[Movie], notes: list[str]) -> Movie:
    """Return the frames of all movies, with numbers that go on from file to file."""
    first = movies[0]
    for movie in movies:
        if movie.shape != first.shape or movie.dtype != first.dtype:
            height, width = movie.shape
            raise InputError(
                f"{path}: {movie.path.name} has images of {width}x{height} px and type {movie.dtype}, "
                f"{first.path.name} of {first.shape[1]}x{first.shape[0]} px and type {first.dtype}"
            )
        if movie.length is None:
            raise InputError(f"{path}: {movie.path.name} is truncated; leave it out, or open it alone")
    lengths = [movie.length or 0 for movie in movies]

    def read_all(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        waiting, behind = next(indices, None), list[str]()
        begin = 0
        for movie, length in zip(movies, lengths, strict=True):
            end = begin + length
            inside, read = [], 0
            while waiting is not None and waiting < end:
                inside.append(waiting - begin)
                waiting = next(indices, None)
            try:
                # the index behind the last lets the reader say what is missing there
                for frame in movie.read(iter([*inside, length])) if inside else ():
                    read += 1
                    yield frame._replace(number=frame.number + begin)
            except DamagedMovieError as damage:
                reason = f"{movie.path.name}: {damage}"
                yield from (LostFrame(begin + index, reason) for index in inside[read:])
                if len(inside) == read:
                    behind.append(reason)
            begin = end
        if behind:
            raise DamagedMovieError("; ".join(behind))

    lacking = "; ".join(f"{movie.path.name}: {movie.lacking}" for movie in movies if movie.lacking)
    found = listed(f"{movie.path.name} with {length} frames" for movie, length in zip(movies, lengths, strict=True))
    notes = [*notes, f"{len(movies)} files follow each other: {found}", *first.notes]
    times = _times_one_after_another(movies)
    if times is not None:
        notes.append("between its files one frame interval is assumed")
    return replace(
        first, path=path, length=sum(lengths), read=read_all, times=lambda: times, lacking=lacking, notes=notes
    )


def _times_one_after_another(movies: Sequence[Movie]) -> Times | None:
    """Return the times of all frames, a typical interval between the files; None if those of some are unknown."""
    each, begin = list[Times](), 0.0
    for movie in movies:
        times = movie.times_s()
        if times is None or not movie.fps:
            return None
        each.append(times + begin)
        begin = float(each[-1][-1]) + 1 / movie.fps
    return np.concatenate(each)
