"""Reads the index of an NDTiff data set: where each image and its metadata are."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import NamedTuple, TypeAlias

__all__ = ["INDEX_NAME", "Entry", "Place", "folder_of", "read_index"]

INDEX_NAME = "NDTiff.index"
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
    folder = path if path.is_dir() else path.parent
    for each in (folder, folder / _FULL):
        if (each / INDEX_NAME).is_file() and (path.is_dir() or "_NDTiffStack" in path.name):
            return each
    return None


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
