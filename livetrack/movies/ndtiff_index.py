"""Reads the index of an NDTiff data set: where each image and its metadata are."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import NamedTuple, TypeAlias

__all__ = ["INDEX_NAME", "Entry", "Place", "files_of", "folder_of", "read_index"]

INDEX_NAME = "NDTiff.index"
_FILE = "_NDTiffStack"
_MAGIC = struct.pack("<I", 483729)
_FULL = "Full resolution"  # folder of the images themselves, where smaller copies are kept as well

Place: TypeAlias = dict[str, int | str]
"""Number or name of an image along each of its axes."""


class Entry(NamedTuple):
    """One image."""

    place: Place
    file: str
    offset: int
    width: int
    height: int
    pixel_type: int
    compression: int
    metadata_offset: int
    metadata_size: int


def folder_of(path: Path) -> Path | None:
    """Return the folder of the data set that a folder is, or that a file belongs to; None if there is none."""
    if not path.is_dir():
        return path.parent if _is_ndtiff(path) else None
    for folder in (path, path / _FULL):
        if (folder / INDEX_NAME).is_file() or (folder.is_dir() and files_of(folder)):
            return folder
    return None


def files_of(path: Path) -> list[Path]:
    """Return the TIFF files of the data set in a folder, or those that belong to a file, in order."""
    if path.is_dir():
        return sorted(filter(_is_ndtiff, path.glob(f"*{_FILE}*.tif")), key=_order)
    base, found, _ = path.name.partition(_FILE)
    others = (each for each in path.parent.glob("*.tif") if found and each.name.startswith(base + _FILE))
    return sorted({path, *filter(_is_ndtiff, others)}, key=_order)


def _is_ndtiff(file: Path) -> bool:
    if file.suffix.lower() not in (".tif", ".tiff"):
        return False
    try:
        with file.open("rb") as opened:
            return opened.read(12)[8:] == _MAGIC
    except OSError:
        return False


def _order(file: Path) -> tuple[int, str]:
    return len(file.name), file.name  # without a number, then _1, _2 ... _10


def read_index(path: Path) -> tuple[list[Entry], bool]:
    """Return the images of a data set in the order of the file, and whether the index is complete.

    An entry has the size of its axes, its axes as JSON, the size of a file name, the name, and eight numbers. Bytes
    that are zero may follow the last.

    Raises
    ------
    OSError
        The index cannot be read.
    """
    data = path.read_bytes()
    entries: list[Entry] = []
    begin = 0
    while begin < len(data):
        try:
            axes, after = _text(data, begin)
            if not axes:
                return entries, not any(data[begin:])
            name, after = _text(data, after)
            numbers = struct.unpack_from("<8I", data, after)
            place = {str(axis): value for axis, value in json.loads(axes).items()}
        except (struct.error, ValueError, AttributeError):
            return entries, False
        if not all(isinstance(value, int | str) for value in place.values()):
            return entries, False
        entries.append(Entry(place, name, *numbers[:7]))
        begin = after + 32
    return entries, True


def _text(data: bytes, begin: int) -> tuple[str, int]:
    """Return a text and where it ends."""
    (size,) = struct.unpack_from("<I", data, begin)
    end = begin + 4 + size
    if end > len(data):
        raise ValueError("beyond the file")
    return data[begin + 4 : end].decode(), end
