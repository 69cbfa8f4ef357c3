"""Reads the directories of a TIFF file themselves: what each says of its image, and which bytes belong to none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import tifffile

__all__ = ["Directory", "all_directories", "read_directory", "unused_bytes"]

Entries: TypeAlias = npt.NDArray[np.void]

_WIDTH, _HEIGHT, _BITS, _SAMPLES, _FORMAT = 256, 257, 258, 277, 339
_DATA_SIZES = (279, 325)  # of strips, of tiles
_ELSEWHERE = (330, 34665, 34853)  # lead to further directories: images of less resolution, properties of the camera
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MAX_DIRECTORIES = 1 << 24


class Directory(NamedTuple):
    """What one directory says."""

    layout: tuple[int, ...]
    """Width, height, samples, bits and sample format: the same for images of the same kind."""
    bytes: int
    """Of itself, its values, and its image."""
    image_bytes: int
    following: int
    """Offset of the next directory; 0 after the last."""
    leads_elsewhere: bool

    @property
    def size(self) -> str:
        """Width x height, px."""
        return f"{self.layout[0]}x{self.layout[1]}"


def read_directory(tif: tifffile.TiffFile, offset: int) -> Directory | None:
    """Return the directory at `offset`; None if it is not in the file as a whole."""
    layout, handle = tif.tiff, tif.filehandle
    big = layout.offsetsize == 8
    order = tif.byteorder
    kind = np.dtype([("tag", f"{order}u2"), ("kind", f"{order}u2"), ("count", f"{order}u{8 if big else 4}"),
                     ("value", f"V{8 if big else 4}")])  # fmt: skip
    handle.seek(offset)
    count = int.from_bytes(handle.read(layout.tagnosize), "little" if order == "<" else "big")
    size = count * layout.tagsize
    if not count or size > handle.size:
        return None
    data = handle.read(size + layout.offsetsize)
    if len(data) < size + layout.offsetsize:
        return None
    entries = np.frombuffer(data, kind, count)
    sizes = [_value_bytes(int(entry["kind"]), int(entry["count"])) for entry in entries]
    values = sum(each for each in sizes if layout.offsetsize < each < handle.size)
    image = sum(_image_bytes(tif, entry) for entry in entries if entry["tag"] in _DATA_SIZES)
    found = dict(zip(entries["tag"].tolist(), entries, strict=True))
    numbers = tuple(_number(found.get(tag), order) for tag in (_WIDTH, _HEIGHT, _SAMPLES, _BITS, _FORMAT))
    following = int.from_bytes(data[size:], "little" if order == "<" else "big")
    itself = layout.tagnosize + size + layout.offsetsize
    return Directory(numbers, itself + values + image, image, following, any(tag in found for tag in _ELSEWHERE))


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
    """Return how many bytes of the file belong to no directory and no image, and how many an image has on average.

    None are unused if that cannot be known, because directories lead to others outside of their chain.
    """
    used, images, count = 8, 0, 0
    for directory in all_directories(tif):
        if directory.leads_elsewhere:
            return 0, 1
        used += directory.bytes
        images += directory.image_bytes
        count += 1
    return max(0, tif.filehandle.size - used), max(1, images // max(1, count))


def _value_bytes(kind: int, count: int) -> int:
    return _VALUE_BYTES.get(kind, 0) * count


def _image_bytes(tif: tifffile.TiffFile, entry: Any) -> int:
    """Return the sum of the values of an entry: the bytes of all parts of an image."""
    layout, handle = tif.tiff, tif.filehandle
    size, count = _VALUE_BYTES.get(int(entry["kind"]), 0), int(entry["count"])
    if size not in (2, 4, 8) or size * count > handle.size:
        return 0
    data = entry["value"].tobytes()
    if size * count > layout.offsetsize:
        handle.seek(int(np.frombuffer(data, f"{tif.byteorder}u{layout.offsetsize}")[0]) % (handle.size + 1))
        data = handle.read(size * count)
    numbers = np.frombuffer(data[: len(data) // size * size], f"{tif.byteorder}u{size}")[:count]
    return int(numbers.astype(np.uint64).clip(max=np.uint64(handle.size)).sum())


def _number(entry: Any, order: str) -> int:
    """Return the value of an entry that has one, else how many it has; 1 without an entry."""
    if entry is None:
        return 1
    size, count = _VALUE_BYTES.get(int(entry["kind"]), 0), int(entry["count"])
    if count != 1 or size not in (1, 2, 4, 8):
        return count
    return int(np.frombuffer(entry["value"].tobytes()[:size].ljust(size, b"\0"), f"{order}u{size}")[0])
