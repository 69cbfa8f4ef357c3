"""The bytes of a BigTIFF file of uncompressed pages, each a record of its own."""

from __future__ import annotations

import os
import struct
from io import BufferedReader
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["FILE_HEADER", "FIRST_LINK", "Page", "encode_header", "encode_link", "find_page", "read_link", "read_page"]

FILE_HEADER = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0)
"""Header of a file without pages: little-endian, BigTIFF, offsets of 8 bytes."""
FIRST_LINK = 8
"""Offset of the link to the first page."""

_ASCII, _SHORT, _LONG, _RATIONAL, _LONG8 = 2, 3, 4, 5, 16
_FORMATS = {"u": 1, "i": 2, "f": 3}
_PIXELS = {
    f"{kind}{8 * size}": np.dtype(f"<{kind}{size}")
    for kind, sizes in {"u": (1, 2, 4, 8), "i": (1, 2, 4, 8), "f": (2, 4, 8)}.items()
    for size in sizes
}
_MASKS = {_SHORT: 0xFFFF, _LONG: 0xFFFF_FFFF, _LONG8: 0xFFFF_FFFF_FFFF_FFFF}
_CENTIMETRE = 3
_MAX_LONG = 2**32 - 1
_MAX_TAGS = 100
_MAX_TEXT = 100_000
_CHUNK = 1 << 20

_Entries = dict[int, tuple[int, int, int]]  # type, count and value or offset of each tag


class Page(NamedTuple):
    """A page as read from a file."""

    text: bytes
    """Its description."""
    pixels: npt.NDArray[Any]
    """(H, W)"""
    link: int
    """Where its link is: the offset of the next page, or 0."""
    end: int
    """Where its pixels end."""


def encode_header(
    pixels: npt.NDArray[Any], description: bytes, per_cm: float | None, offset: int
) -> tuple[bytes, int, int]:
    """Return the bytes of a page before its pixels, and the offsets in the file of the page and of its link.

    Parameters
    ----------
    pixels
        (H, W), little-endian integers or floats, which follow the header.
    description
        Text of the page, UTF-8.
    per_cm
        Resolution, pixels per cm; None if unknown.
    offset
        Where in the file the header will be.
    """
    if pixels.dtype.kind not in _FORMATS:
        raise ValueError(f"pixels of type {pixels.dtype} cannot be recorded")
    padding = -offset % 8
    page = offset + padding
    height, width = pixels.shape
    resolution = _rational(per_cm)
    count = 14 if resolution else 11
    link = page + 8 + 20 * count
    text = description + b"\0"
    text_at = link + 8
    pixels_at = text_at + len(text) + -len(text) % 8
    tags = [
        (256, _LONG, 1, width),
        (257, _LONG, 1, height),
        (258, _SHORT, 1, 8 * pixels.itemsize),
        (259, _SHORT, 1, 1),  # no compression
        (262, _SHORT, 1, 1),  # 0 is black
        (270, _ASCII, len(text), text_at if len(text) > 8 else int.from_bytes(text, "little")),
        (273, _LONG8, 1, pixels_at),
        (277, _SHORT, 1, 1),
        (278, _LONG, 1, height),
        (279, _LONG8, 1, pixels.nbytes),
        *(
            [(282, _RATIONAL, 1, resolution), (283, _RATIONAL, 1, resolution), (296, _SHORT, 1, _CENTIMETRE)]
            if resolution
            else []
        ),
        (339, _SHORT, 1, _FORMATS[pixels.dtype.kind]),
    ]
    assert len(tags) == count
    entries = b"".join(struct.pack("<HHQQ", *tag) for tag in tags)
    header = bytes(padding) + struct.pack("<Q", count) + entries + bytes(8) + text
    return header.ljust(pixels_at - offset, b"\0"), page, link


def encode_link(page: int) -> bytes:
    """Return a link to the page at this offset."""
    return struct.pack("<Q", page)


def read_link(file: BufferedReader, offset: int) -> int:
    """Return the link at this offset: that of the next page, or 0. Raises ValueError at the end of the file."""
    return int(struct.unpack("<Q", _read(file, offset, 8))[0])


def read_page(file: BufferedReader, offset: int) -> Page:
    """Read the page at `offset`: uncompressed, in one strip. Raises ValueError if there is no whole one."""
    count = read_link(file, offset)
    if not 0 < count <= _MAX_TAGS:
        raise ValueError(f"a page of {count} tags")
    entries: _Entries = {}
    for tag, kind, number, value in struct.iter_unpack("<HHQQ", _read(file, offset + 8, 20 * count)):
        entries[tag] = kind, number, value
    width, height, bits = (_number(entries, tag) for tag in (256, 257, 258))
    form, start, size = _number(entries, 339, 1), _number(entries, 273), _number(entries, 279)
    kind = next((kind for kind, number in _FORMATS.items() if number == form), "")
    if _number(entries, 259, 1) != 1 or f"{kind}{bits}" not in _PIXELS or width * height * bits != size * 8 or not size:
        raise ValueError("pixels of an unknown type")
    length = entries[270][1] if 270 in entries else 0
    if length > _MAX_TEXT:
        raise ValueError(f"a description of {length} bytes")
    text = _read(file, entries[270][2], length) if length > 8 else b""
    _check(file, start, size)
    pixels = np.empty((height, width), _PIXELS[f"{kind}{bits}"])
    if file.readinto(pixels.data.cast("B")) < size:
        raise ValueError("the file ends within a page")
    return Page(text.rstrip(b"\0"), pixels, offset + 8 + 20 * count, start + size)


def find_page(file: BufferedReader, offset: int) -> int:
    """Return where the first bytes from `offset` on are that begin a page as `encode_header` does; -1 if nowhere."""
    starts = [struct.pack("<QHH", count, 256, _LONG) for count in (11, 14)]
    overlap = b""
    file.seek(offset)
    while chunk := file.read(_CHUNK):
        found = [at for start in starts if (at := (overlap + chunk).find(start)) >= 0]
        if found:
            return offset - len(overlap) + min(found)
        overlap = (overlap + chunk)[-len(starts[0]) + 1 :]
        offset = file.tell()
    return -1


def _read(file: BufferedReader, offset: int, size: int) -> bytes:
    _check(file, offset, size)
    return file.read(size)


def _check(file: BufferedReader, offset: int, size: int) -> None:
    """Go to `offset` if the file has `size` bytes there."""
    if offset + size > os.fstat(file.fileno()).st_size:
        raise ValueError("the file ends within a page")
    file.seek(offset)


def _number(entries: _Entries, tag: int, default: int | None = None) -> int:
    if tag not in entries:
        if default is None:
            raise ValueError(f"a page without tag {tag}")
        return default
    kind, count, value = entries[tag]
    if count != 1 or kind not in _MASKS:
        raise ValueError(f"a page with tag {tag} of an unknown type")
    return value & _MASKS[kind]


def _rational(value: float | None) -> int:
    """Return a positive number as TIFF's fraction of two 32-bit integers; 0 for None and what has no fraction."""
    if value is None:
        return 0
    denominator = max(1, min(10_000, int(_MAX_LONG / value)))
    numerator = round(value * denominator)
    return numerator | denominator << 32 if 0 < numerator <= _MAX_LONG else 0
