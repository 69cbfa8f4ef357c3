"""The movies inside a folder that has no images of its own: folders of positions, or a single file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from livetrack.errors import InputError
from livetrack.movies.formats import MOVIE_SUFFIXES, format_of
from livetrack.movies.image_files import IMAGE_SUFFIXES
from livetrack.movies.image_names import natural_order
from livetrack.movies.left_out import listed
from livetrack.movies.selection import Selection

__all__ = ["SESSION_FILE", "inner_movie"]

_VIDEO_SUFFIXES = (".avi", ".mp4", ".m4v", ".mkv", ".mov", ".wmv", ".webm", ".mpg", ".mpeg", ".mj2", ".cine", ".gif")
SESSION_FILE = "session.json"
"""In the folder of a recording of livetrack."""
_MAX_FOLDERS = 1000


def inner_movie(path: Path, selection: Selection) -> tuple[Path, Selection, str]:
    """Return the only movie inside a folder, or the one of the selected position; what is selected of it; and a note.

    Raises
    ------
    InputError
        There is none, or there are several of which none was chosen.
    """
    entries = sorted((each for each in path.iterdir() if not each.name.startswith(".")), key=_order)
    files = [file for file in entries if file.is_file() and file.suffix.lower() in (*_VIDEO_SUFFIXES, *MOVIE_SUFFIXES)]
    folders = [folder for folder in entries[:_MAX_FOLDERS] if folder.is_dir() and _has_movie(folder)]
    if not files and not folders:
        raise InputError(f"{path}: the folder contains no images ({' '.join(IMAGE_SUFFIXES)}) and no other movie")
    if len(files) + len(folders) == 1:
        (only,) = (*files, *folders)
        return only, selection, f"{only.name} is read, the only movie in this folder"
    if files:
        raise InputError(f"{path}: contains {len(files) + len(folders)} movies; open one: {_names([*files, *folders])}")
    chosen = selection.position
    if chosen is None or chosen >= len(folders):
        beyond = "" if chosen is None else f", not {chosen}"
        raise InputError(
            f"{path}: contains {len(folders)} folders with movies, {_names(folders)}; open one, or choose it with "
            f"--position 0 to {len(folders) - 1}{beyond}"
        )
    return folders[chosen], replace(selection, position=None), f"position {chosen} is the folder {folders[chosen].name}"


def _has_movie(folder: Path) -> bool:
    if (folder / SESSION_FILE).exists():  # a recording of livetrack, which the caller lists
        return False
    try:
        return format_of(folder) is not None or any(
            file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") for file in folder.iterdir()
        )
    except OSError:
        return False


def _names(paths: list[Path]) -> str:
    return listed(path.name for path in paths)


def _order(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    return natural_order(path.name), path.name
