"""Reads movies frame by frame: TIFF stacks, folders of images and videos, with frame rate and pixel size if known.

For example:

    movie = open_movie("beads.tif")
    for image in movie:
        ...
    if movie.problem:
        print(movie.problem)  # the file is damaged; the frames before the damage were read
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from livetrack.errors import InputError
from livetrack.movies.movie import Movie

__all__ = ["Movie", "open_movie"]

_TIFF = frozenset({".tif", ".tiff", ".stk", ".btf", ".tf8", ".lsm"})


def open_movie(path: str | PathLike[str], channel: int | None = None) -> Movie:
    """Open a TIFF or OME-TIFF stack, a folder of images, or a video that PyAV can read.

    Parameters
    ----------
    path
        File or folder.
    channel
        Channel to read, from 0. None reads the only one, or converts colours to grey; required for a stack with
        several separate channels.

    Raises
    ------
    InputError
        The file is missing, is not a movie, or has several axes or channels of images to choose from.
    """
    file = Path(path).expanduser()
    # import only the reader needed: each loads a library of its own
    if file.is_dir():
        from livetrack.movies.folder import open_folder

        return open_folder(file, channel)
    if not file.is_file():
        raise InputError(f"{file}: there is no such file or folder")
    if file.stat().st_size == 0:
        raise InputError(f"{file}: the file is empty")
    if file.suffix.lower() in _TIFF:
        from livetrack.movies.tiff import open_tiff

        return open_tiff(file, channel)
    from livetrack.movies.video import open_video

    return open_video(file, channel)
