"""The frames of a recorded session as a movie."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from itertools import groupby, takewhile
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from livetrack.errors import InputError
from livetrack.movies.movie import DamagedMovieError, LostFrame, Movie, MovieFrame
from livetrack.movies.selection import EVERYTHING
from livetrack.movies.tiff import open_tiff
from livetrack.record import read_session

__all__ = ["session_geometries", "session_movie"]


def session_movie(folder: Path) -> Movie:
    """Open the frames with pixels of a recording, in any order; their numbers are those of its tables.

    Frames of another size than most, after a change of the ROI, are left out and named by `Movie.problem`.

    Raises
    ------
    InputError
        The folder is not a recording, or contains no frames with pixels.
    """
    session = read_session(folder)
    listed = session.received()
    listed = listed.filter(pc.is_valid(listed["page"]))
    files, pages = listed["file"].to_pylist(), listed["page"].to_pylist()
    if not files:
        raise InputError(f"{folder}: lists no frames with pixels; try `livetrack recover {folder}`")
    sizes = Counter(zip(listed["height"].to_pylist(), listed["width"].to_pylist(), strict=True))
    shape = sizes.most_common(1)[0][0]
    numbers = listed["frame"].to_numpy()
    times = listed["t_s"].to_numpy()
    times = times - times[0]
    first = _open(folder / files[0])

    def read(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        inside = takewhile(lambda index: index < len(files), indices)
        for name, group in groupby(inside, files.__getitem__):
            yield from read_file(folder / name, group)

    def read_file(file: Path, indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        due: deque[int] = deque()

        def due_pages() -> Iterator[int]:
            for index in indices:
                due.append(index)
                yield pages[index]

        for frame in _open(file).read(due_pages()):
            number = int(numbers[due.popleft()])
            if isinstance(frame, MovieFrame):
                yield frame._replace(number=number)
            else:
                yield LostFrame(number, f"frame {number}: {frame.reason}")

    intervals = np.diff(times)
    interval_s = float(np.median(intervals)) if len(intervals) else 0.0
    size_um = listed["pixel_size_um"][0].as_py()
    return Movie(
        folder, shape, first.dtype, len(files), 1 / interval_s if interval_s > 0 else None, size_um, read,
        times=lambda: times, numbers=numbers, lacking=session.problem,
    )  # fmt: skip


def session_geometries(folder: Path) -> Callable[[int], int]:
    """Return a function from the number of a recorded frame to that of its geometry. Raises `InputError`."""
    listed = read_session(folder).received()
    numbers, geometries = listed["frame"].to_numpy(), listed["geometry"].to_numpy()
    return lambda number: int(geometries[min(np.searchsorted(numbers, number), len(numbers) - 1)])


def _open(file: Path) -> Movie:
    try:
        return open_tiff(file, EVERYTHING)
    except InputError as error:
        raise DamagedMovieError(str(error)) from None
    except OSError as error:
        raise DamagedMovieError(f"{file.name} cannot be read ({error.strerror})") from error
