"""Chooses the reader of a file or folder."""

from __future__ import annotations

from glob import has_magic
from pathlib import Path

from livetrack.errors import InputError
from livetrack.movies.formats import format_of, open_format
from livetrack.movies.movie import Movie
from livetrack.movies.selection import Selection

__all__ = ["open_whole"]

_TIFF = frozenset({".tif", ".tiff", ".stk", ".btf", ".tf8", ".lsm"})


def open_whole(file: Path, selection: Selection) -> Movie:
    """Open a movie with all of its frames, whole: the reader honours all of the selection but frames and region.

    Raises `InputError` as `livetrack.movies.open_movie` does.
    """
    # import only the reader needed: each loads a library of its own
    form = format_of(file) if file.exists() else None
    if form is not None and (file.is_dir() or file.stat().st_size):
        return open_format(file, selection, form)
    if file.is_dir():
        from livetrack.movies.folder import open_folder

        return open_folder(file, selection, open_whole)
    if not file.exists() and has_magic(str(file)):
        from livetrack.movies.folder import open_pattern

        return open_pattern(file, selection)
    if not file.is_file():
        raise InputError(f"{file}: there is no such file or folder")
    if file.stat().st_size == 0:
        raise InputError(f"{file}: the file is empty")
    if file.suffix.lower() in _TIFF:
        from livetrack.movies.tiff import open_tiff

        return open_tiff(file, selection)
    from livetrack.movies.video import open_video

    return open_video(file, selection)
