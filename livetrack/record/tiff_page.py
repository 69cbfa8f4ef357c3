"""The bytes of a BigTIFF file of uncompressed pages, each a record of its own."""

from __future__ import annotations

import struct
from typing import Any

import numpy.typing as npt

__all__ = ["FILE_HEADER", "FIRST_LINK", "encode_header", "encode_link"]

FILE_HEADER = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0)
"""Header of a file without pages: little-endian, BigTIFF, offsets of 8 bytes."""
FIRST_LINK = 8
"""Offset of the link to the first page."""

_ASCII, _SHORT, _LONG, _RATIONAL, _LONG8 = 2, 3, 4, 5, 16
_FORMATS = {"u": 1, "i": 2, "f": 3}
_CENTIMETRE = 3
_MAX_LONG = 2**32 - 1


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


def _rational(value: float | None) -> int:
    """Return a positive number as TIFF's fraction of two 32-bit integers; 0 for None and what has no fraction."""
    if value is None:
        return 0
    denominator = max(1, min(10_000, int(_MAX_LONG / value)))
    numerator = round(value * denominator)
    return numerator | denominator << 32 if 0 < numerator <= _MAX_LONG else 0
