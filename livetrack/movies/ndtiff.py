"""Reads NDTiff data sets, as Micro-Manager 2 and pycro-manager write them: an index and TIFF files in a folder."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from livetrack.errors import InputError
from livetrack.movies import micro_manager
from livetrack.movies.arrangement import Axis, Index
from livetrack.movies.container import Container, check_image_size
from livetrack.movies.movie import DamagedMovieError, Image
from livetrack.movies.ndtiff_index import INDEX_NAME, Entry, Place, files_of, folder_of, read_index
from livetrack.movies.ndtiff_pages import entries_of_pages
from livetrack.movies.selection import Selection

__all__ = ["opened"]

_NAMES = {"time": "T", "z": "Z", "channel": "C", "position": "P"}
_PIXELS: dict[int, tuple[type[np.generic], int]] = {
    0: (np.uint8, 1),
    1: (np.uint16, 1),
    2: (np.uint8, 3),
    3: (np.uint16, 1),  # 10 to 14 bits
    4: (np.uint16, 1),
    5: (np.uint16, 1),
    6: (np.uint16, 1),
}
_SUMMARY_BYTES = 1 << 24
_SUMMARY_MARK = 2355492
_MAX_FRAMES = 1 << 24


@contextmanager
def opened(path: Path, selection: Selection) -> Iterator[Container]:
    """Open a data set by its folder, or by one of its files.

    Axes with names instead of numbers, such as channels, are in the order in which they were written.
    """
    folder = folder_of(path)
    if folder is None:
        raise InputError(f"{path}: is no data set of NDTiff")
    entries, lacking = _entries(path, folder)
    if not entries:
        raise InputError(f"{path}: its {INDEX_NAME} names no image, and its files have none")
    axes = _axes_of(path, entries)
    found = {
        tuple(axis.numbers.get(entry.place.get(name, 0), 0) for name, axis in axes.items()): entry for entry in entries
    }
    with ExitStack() as stack:
        files: dict[str, BinaryIO] = {}

        def file_of(entry: Entry) -> BinaryIO:
            if entry.file not in files:
                if Path(entry.file).name != entry.file or not (folder / entry.file).is_file():
                    raise DamagedMovieError(f"the file {entry.file} is missing")
                files[entry.file] = stack.enter_context((folder / entry.file).open("rb"))
            return files[entry.file]

        def image(index: Index) -> Image:
            entry = found.get(index)
            if entry is None:
                raise DamagedMovieError("the data set has no image of it")
            return _pixels(file_of(entry), entry)

        def metadata(index: Index) -> bytes:
            entry = found.get(index)
            if entry is None:
                return b""
            try:
                file = file_of(entry)
            except DamagedMovieError:
                return b""
            file.seek(entry.metadata_offset)
            return file.read(min(entry.metadata_size, _SUMMARY_BYTES))

        def times_s(indices: Sequence[Index]) -> list[float | None]:
            return [micro_manager.elapsed_s(metadata(index)) for index in indices]

        summary = _summary(folder / entries[0].file)
        first = micro_manager.parse(metadata(next(iter(found))))
        yield Container(
            tuple(Axis(_NAMES.get(name, name), axis.size) for name, axis in axes.items()),
            image,
            times_s,
            micro_manager.interval_s(summary),
            micro_manager.pixel_size_um(first, summary),
            lacking,
        )


def _entries(path: Path, folder: Path) -> tuple[list[Entry], str]:
    """Return the images of a data set, and what is wrong with it; tiles of a mosaic are positions.

    They are those in the index, or if that is lost or cut short, those in the pages of the files, if they are more.
    """
    try:
        entries, is_complete = read_index(folder / INDEX_NAME)
    except OSError:
        entries, is_complete = [], False
    if not path.is_dir() and all(entry.file != path.name for entry in entries):  # it was moved or renamed
        entries, is_complete = [], False
    lacking = ""
    if not is_complete:
        found = entries_of_pages(files_of(folder if path.is_dir() else path))
        if entries and len(found) <= len(entries):
            lacking = f"its {INDEX_NAME} is cut short; the images that it names are read"
        else:
            state = "cut short" if entries else "missing"
            entries, lacking = found, f"its {INDEX_NAME} is {state}; the images that were found in its files are read"
    tiles = {(entry.place.get("row", 0), entry.place.get("column", 0)) for entry in entries}
    if len(tiles) > 1:
        entries = [entry._replace(place=_as_position(entry.place)) for entry in entries]
    return entries, lacking


def _as_position(place: Place) -> Place:
    tile = f"{place.get('position', '')} row {place.get('row', 0)} column {place.get('column', 0)}"
    return {**{name: value for name, value in place.items() if name not in ("row", "column")}, "position": tile}


class _Axis(NamedTuple):
    """One axis of a data set."""

    size: int
    numbers: dict[int | str, int]
    """Number along the axis, from 0, of each value that an image has there."""


def _axes_of(path: Path, entries: list[Entry]) -> dict[str, _Axis]:
    """Return the axes. Times that are missing keep their number; other values are counted in order.

    Names, such as those of channels, are in the order in which they were written.
    """
    seen: dict[str, dict[int | str, None]] = {}
    for entry in entries:
        for name, value in entry.place.items():
            seen.setdefault(name, {})[value] = None
    axes = {}
    for name, values in seen.items():
        numbers = [value for value in values if isinstance(value, int)]
        in_order: list[int | str] = list(values) if len(numbers) < len(values) else [*sorted(numbers)]
        if name == "time" and len(numbers) == len(values):
            begin = min(0, *numbers)
            if max(numbers) - begin > _MAX_FRAMES:
                raise InputError(
                    f"{path}: its {INDEX_NAME} names frame {max(numbers):,}; at most {_MAX_FRAMES:,} are read"
                )
            axes[name] = _Axis(max(numbers) - begin + 1, {value: value - begin for value in numbers})
        else:
            axes[name] = _Axis(len(in_order), {value: number for number, value in enumerate(in_order)})
    return axes


def _pixels(file: BinaryIO, entry: Entry) -> Image:
    """Return (H, W) or (H, W, 3) pixels."""
    if entry.compression or entry.pixel_type not in _PIXELS:
        raise DamagedMovieError(f"its pixels are of an unknown kind ({entry.pixel_type}, {entry.compression})")
    dtype, samples = _PIXELS[entry.pixel_type]
    shape = (entry.height, entry.width, samples)
    check_image_size(shape, np.dtype(dtype).itemsize)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    file.seek(entry.offset)
    data = file.read(size)
    if len(data) < size:
        raise DamagedMovieError(f"the file {entry.file} is cut short")
    pixels = np.frombuffer(data, dtype).reshape(shape)
    return pixels if samples == 3 else pixels[:, :, 0]


def _summary(path: Path) -> dict[str, Any]:
    """Return what a file says of the whole recording; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(28)
            _, second, third, fourth = struct.unpack("<4I", head[12:28])
            size = fourth if second != _SUMMARY_MARK else third  # version 3 has a minor version as well
            file.seek(28 if second != _SUMMARY_MARK else 24)
            return micro_manager.parse(file.read(min(size, _SUMMARY_BYTES)))
    except (OSError, struct.error):
        return {}
