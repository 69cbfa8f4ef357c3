"""Reads the directories of a TIFF file themselves: what each says of its image, and which bytes belong to none."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import tifffile

__all__ = ["Directory", "all_directories", "read_directory", "unused_bytes"]

Numbers: TypeAlias = npt.NDArray[np.uint64]

_LAYOUT = (256, 257, 277, 258, 339)  # width, height, samples, bits, sample format
_DATA = ((273, 279), (324, 325))  # offsets and sizes of strips, of tiles
_ELSEWHERE = (330, 34665, 34853)  # lead to further directories: images of less resolution, properties of the camera
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MAX_DIRECTORIES = 1 << 24


class Directory(NamedTuple):
    """One directory."""

    offset: int
    size: int
    """Of itself, bytes."""
    entries: dict[int, tuple[int, int, bytes]]
    """Kind, number of values, and value or offset of each tag."""
    following: int
    """Offset of the next directory; 0 after the last."""
    layout: tuple[int, ...]
    """Width, height, samples, bits and sample format: the same for images of the same kind."""

    @property
    def image_size(self) -> str:
        """Width x height, px."""
        return f"{self.layout[0]}x{self.layout[1]}"


def read_directory(tif: tifffile.TiffFile, offset: int) -> Directory | None:
    """Return the directory at `offset`; None if it is not in the file as a whole."""
    form, handle = tif.tiff, tif.filehandle
    handle.seek(offset)
    count = _unpack(handle.read(form.tagnosize), tif.byteorder)
    size = count * form.tagsize
    if not count or size > handle.size:
        return None
    data = handle.read(size + form.offsetsize)
    if len(data) < size + form.offsetsize:
        return None
    entry = tif.byteorder + ("HHQ8s" if form.offsetsize == 8 else "HHI4s")
    entries = {tag: (kind, number, value) for tag, kind, number, value in struct.iter_unpack(entry, data[:size])}
    layout = tuple(_number(entries.get(tag), tif.byteorder) for tag in _LAYOUT)
    following = _unpack(data[size:], tif.byteorder)
    return Directory(offset, form.tagnosize + len(data), entries, following, layout)


def all_directories(tif: tifffile.TiffFile) -> Iterator[Directory]:
    """Yield the directories in order, each once; end where the chain ends or leads to one that is not in the file."""
    offset, seen = tif.pages[0].offset, set[int]()
    while offset and offset not in seen and len(seen) < _MAX_DIRECTORIES:
        seen.add(offset)
        directory = read_directory(tif, offset)
        if directory is None:
            return
        yield directory
        offset = directory.following


def unused_bytes(tif: tifffile.TiffFile) -> tuple[int, int]:
    """Return how many bytes belong to no directory and no image, and how many an image has on average.

    Only gaps in which an image has room are counted. There are none if that cannot be known, because directories lead
    to others outside of their chain.
    """
    begins, ends = [np.zeros(1, np.uint64)], [np.full(1, 8, np.uint64)]
    images = count = 0
    for directory in all_directories(tif):
        if any(tag in directory.entries for tag in _ELSEWHERE):
            return 0, 1
        starts, sizes = _data(tif, directory)
        images, count = images + int(sizes.sum()), count + 1
        others = np.array([(directory.offset, directory.size), *_values(tif, directory)], np.uint64)
        begins += [starts, others[:, 0]]
        ends += [starts + sizes, others.sum(axis=1, dtype=np.uint64)]
    image_bytes = max(1, images // max(1, count))
    begin, end = np.concatenate(begins), np.concatenate(ends)
    order = np.argsort(begin)
    until = np.maximum.accumulate(end[order])
    after = np.append(begin[order][1:], np.uint64(tif.filehandle.size))
    gaps = np.where(after > until, after - until, 0)
    return int(gaps[gaps >= image_bytes].sum()), image_bytes


def _values(tif: tifffile.TiffFile, directory: Directory) -> Iterator[tuple[int, int]]:
    """Yield offset and size of the values that are not in the directory itself."""
    for kind, count, value in directory.entries.values():
        size = _VALUE_BYTES.get(kind, 0) * count
        if tif.tiff.offsetsize < size < tif.filehandle.size:
            yield _unpack(value, tif.byteorder), size


def _data(tif: tifffile.TiffFile, directory: Directory) -> tuple[Numbers, Numbers]:
    """Return the offsets and the sizes of all parts of an image."""
    for offsets, sizes in _DATA:
        if offsets in directory.entries and sizes in directory.entries:
            found = [_numbers(tif, directory.entries[tag]) for tag in (offsets, sizes)]
            parts = min(map(len, found))
            return found[0][:parts], found[1][:parts]
    return np.zeros(0, np.uint64), np.zeros(0, np.uint64)


def _numbers(tif: tifffile.TiffFile, entry: tuple[int, int, bytes]) -> Numbers:
    """Return the values of an entry, none beyond the size of the file; nothing if they are not in the file."""
    kind, count, value = entry
    size, handle = _VALUE_BYTES.get(kind, 0), tif.filehandle
    if size not in (2, 4, 8) or size * count > handle.size:
        return np.zeros(0, np.uint64)
    if size * count > tif.tiff.offsetsize:
        handle.seek(min(_unpack(value, tif.byteorder), handle.size))
        value = handle.read(size * count)
    numbers = np.frombuffer(value[: len(value) // size * size], f"{tif.byteorder}u{size}")[:count]
    return numbers.astype(np.uint64).clip(max=np.uint64(handle.size))


def _number(entry: tuple[int, int, bytes] | None, order: str) -> int:
    """Return the value of an entry that has one, else how many it has; 1 without an entry."""
    if entry is None:
        return 1
    kind, count, value = entry
    size = _VALUE_BYTES.get(kind, 0)
    return count if count != 1 or size not in (1, 2, 4, 8) else _unpack(value[:size], order)


def _unpack(value: bytes, order: str) -> int:
    return int.from_bytes(value, "little" if order == "<" else "big")
