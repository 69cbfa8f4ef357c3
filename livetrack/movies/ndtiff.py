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
from livetrack.movies.ndtiff_index import INDEX_NAME, Entry, folder_of, read_index
from livetrack.movies.selection import Selection

__all__ = ["opened"]

_NAMES = {"time": "T", "z": "Z", "channel": "C", "position": "P"}
_PIXELS: dict[int, tuple[type[np.generic], int]] = {
    0: (np.uint8, 1),
    1: (np.uint16, 1),
    2: (np.uint8, 4),  # colours, and an unused sample
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
        raise InputError(f"{path}: contains no {INDEX_NAME}")
    entries, is_complete = read_index(folder / INDEX_NAME)
    if not entries:
        raise InputError(f"{path}: its {INDEX_NAME} names no image")
    tiles = sorted({(entry.place.get("row", 0), entry.place.get("column", 0)) for entry in entries}, key=str)
    if len(tiles) > 1:
        raise InputError(
            f"{path}: is a mosaic of {len(tiles)} tiles; livetrack reads single fields of view: save one as a stack"
        )
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
            "" if is_complete else f"its {INDEX_NAME} is cut short; the images that it names are read",
        )


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
    return pixels[:, :, 2::-1] if samples == 4 else pixels[:, :, 0]  # colours are stored as B, G, R


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
