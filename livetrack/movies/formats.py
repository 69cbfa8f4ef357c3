"""Table of the formats that have a reader of their own: from the suffix of a file to its reader."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from livetrack.errors import InputError
from livetrack.movies.container import movie_of_container
from livetrack.movies.movie import Movie
from livetrack.movies.ndtiff_index import folder_of
from livetrack.movies.selection import Selection

__all__ = ["MOVIE_SUFFIXES", "Format", "format_of", "open_format", "package"]


class Format(NamedTuple):
    """One format."""

    kind: str
    """Its name in messages."""
    module: str
    """Of this package, with a function `opened`, an `Opener`; imported where a file needs it."""


_NUMPY, _ZARR, _NDTIFF = Format("NumPy", "numpy_file"), Format("OME-Zarr", "zarr_folder"), Format("NDTiff", "ndtiff")
_FORMATS = {
    ".czi": Format("CZI", "czi"),
    ".lif": Format("LIF", "lif"),
    ".lof": Format("LOF", "lif"),
    ".nd2": Format("ND2", "nd2"),
    ".npy": _NUMPY,
    ".npz": _NUMPY,
    ".webp": Format("WebP", "animation"),
}
MOVIE_SUFFIXES = tuple(_FORMATS)
"""Of files that have a reader of their own."""
_ZARR_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


def format_of(path: Path) -> Format | None:
    """Return the format of a file or folder; None if it has no reader of its own."""
    if folder_of(path) is not None:
        return _NDTIFF
    if path.is_dir():
        return _ZARR if any((path / name).is_file() for name in _ZARR_FILES) else None
    return _FORMATS.get(path.suffix.lower())


def open_format(path: Path, selection: Selection, form: Format) -> Movie:
    """Open a file with the reader of its format. Raises `InputError` as `movie_of_container` does."""
    opener = import_module(f"livetrack.movies.{form.module}").opened
    return movie_of_container(path, selection, form.kind, opener)


def package(name: str, path: Path) -> Any:
    """Import a package of the extra `formats`. Raises `InputError` if it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        missing = f"needs the package {name.partition('.')[0]}"
        raise InputError(f'{path}: {missing}: python -m pip install "livetrack[formats]"') from error
