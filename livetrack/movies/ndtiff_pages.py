"""Finds the images of an NDTiff data set whose index is lost or cut short: in the pages of its TIFF files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import tifffile

from livetrack.movies import micro_manager
from livetrack.movies.ndtiff_index import Entry, Place
from livetrack.movies.quiet import quiet_tifffile
from livetrack.movies.tiff_directories import Directory, all_directories

__all__ = ["entries_of_pages"]

_STRIPS, _METADATA = 273, 51123  # tags
_PIXEL_TYPES = {(8, 1): 0, (16, 1): 1, (8, 3): 2}
"""Number of the index, by bits and samples; those of 10 to 14 bits are stored as 16."""
_MAX_METADATA_BYTES = 1 << 24


@quiet_tifffile()
def entries_of_pages(files: Sequence[Path]) -> list[Entry]:
    """Return the images of files in their order; those whose metadata name no axes are counted as times."""
    entries: list[Entry] = []
    for file in files:
        try:
            with tifffile.TiffFile(file) as tif:
                for directory in all_directories(tif):
                    entry = _entry(tif, directory, file.name, len(entries))
                    if entry is not None:
                        entries.append(entry)
        except (OSError, ValueError, tifffile.TiffFileError):
            continue  # what follows in this file is damaged
    return entries


def _entry(tif: tifffile.TiffFile, directory: Directory, name: str, number: int) -> Entry | None:
    width, height, samples, bits = directory.layout[:4]
    bits = 8 if samples == 3 else bits  # of which the page has three
    strips, metadata = directory.entries.get(_STRIPS), directory.entries.get(_METADATA)
    if strips is None or (bits, samples) not in _PIXEL_TYPES:
        return None
    order: Literal["little", "big"] = "little" if tif.byteorder == "<" else "big"
    at, size, place = 0, 0, Place()
    if metadata is not None and metadata[1] > 4:
        at, size = int.from_bytes(metadata[2], order), metadata[1]
        tif.filehandle.seek(at)
        axes = micro_manager.parse(tif.filehandle.read(min(size, _MAX_METADATA_BYTES)).rstrip(b"\0")).get("Axes")
        place = {str(axis): value for axis, value in axes.items()} if isinstance(axes, dict) else {}
    if not place or not all(isinstance(value, int | str) for value in place.values()):
        place = {"time": number}
    offset = int.from_bytes(strips[2], order)
    return Entry(place, name, offset, width, height, _PIXEL_TYPES[bits, samples], 0, at, size)
