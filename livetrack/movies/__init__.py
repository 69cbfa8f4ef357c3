"""Recorded movies as one thing: frames in order, with what the file says of rate and scale.

::

    movie = open_movie("beads.tif")
    for image in movie:
        ...
    if movie.problem:
        print(movie.problem)  # the file is damaged: these were the frames before the damage
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from livetrack.errors import InputError
from livetrack.movies.movie import Movie

__all__ = ["Movie", "open_movie"]

_TIFF = frozenset({".tif", ".tiff", ".stk", ".btf", ".tf8", ".lsm"})


def open_movie(path: str | PathLike[str], channel: int | None = None) -> Movie:
    """Open a TIFF or OME-TIFF stack, a folder of images, or a video that PyAV reads.

    Parameters
    ----------
    path
        The file or folder.
    channel
        Which channel to read, from 0. None reads the only one, or turns colours to grey; a stack with several
        separate channels needs it.

    Raises
    ------
    InputError
        There is no such file, it is not a movie, or it does not say by itself which of its images are the frames.
    """
    place = Path(path).expanduser()
    # each reader pulls in its own library: only the one that is needed is loaded
    if place.is_dir():
        from livetrack.movies.folder import open_folder

        return open_folder(place, channel)
    if not place.is_file():
        raise InputError(f"{place}: there is no such file or folder")
    if place.stat().st_size == 0:
        raise InputError(f"{place}: the file is empty")
    if place.suffix.lower() in _TIFF:
        from livetrack.movies.tiff import open_tiff

        return open_tiff(place, channel)
    from livetrack.movies.video import open_video

    return open_video(place, channel)
