"""Reads the blocks of a .czi file: where the images are, their pixels, the metadata, and the times.

A file is a row of segments, each with an identifier of 16 bytes and two sizes. The first leads to the directory of the
blocks of pixels, to the metadata, and to the directory of attachments (ZEISS CZI file format, version 1.2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.movies.movie import DamagedMovieError

__all__ = ["Block", "attached_times_s", "read_blocks", "read_metadata", "read_pixels"]

_HEADER = 32  # bytes before the contents of a segment
_MAX_BLOCKS = 1 << 22
_MAX_METADATA_BYTES = 1 << 28
_MAX_TIMES = 1 << 24
_MAX_ATTACHMENTS = 1 << 16
_PIXELS = {0: ("<u1", 1), 1: ("<u2", 1), 2: ("<f4", 1), 3: ("<u1", 3), 4: ("<u2", 3), 8: ("<f4", 3), 12: ("<u4", 1)}
"""Type and samples of the pixels, by the number in the file."""


class Block(NamedTuple):
    """A rectangle of pixels in one plane."""

    position: int
    """Of its segment in the file."""
    file_part: int
    """Number of the file that it is in, if there are several."""
    pixel_type: int
    compression: int
    begin: dict[str, int]
    """First place along each axis: X, Y, and those of the plane."""
    width: int
    height: int
    is_reduced: bool
    """Whether it is of a smaller copy of the image."""

    @property
    def samples(self) -> int:
        """Samples of a pixel. Raises `DamagedMovieError` for a type that is not read."""
        return self._kind()[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a sample. Raises `DamagedMovieError` for a type that is not read."""
        return np.dtype(self._kind()[0])

    def _kind(self) -> tuple[str, int]:
        if self.pixel_type not in _PIXELS:
            raise DamagedMovieError(f"its pixels are of type {self.pixel_type}, which is not read")
        return _PIXELS[self.pixel_type]


def read_blocks(file: BinaryIO) -> tuple[list[Block], bool]:
    """Return all blocks, and whether the file has the list of them that it should end with.

    Raises
    ------
    DamagedMovieError
        It is no CZI file, or the list is damaged.
    """
    position = _offsets(file)[0]
    try:
        contents = _contents(file, position, b"ZISRAWDIRECTORY")
    except DamagedMovieError:  # cut short, or never finished
        return list(_found_blocks(file)), False
    return _listed_blocks(contents), True


def _found_blocks(file: BinaryIO) -> Iterator[Block]:
    """Yield the blocks whose pixels are in the file as a whole, from one segment to the next."""
    end, position = file.seek(0, 2), 0
    for _ in range(_MAX_BLOCKS):
        file.seek(position)
        head = file.read(_HEADER)
        following = position + _HEADER + (struct.unpack_from("<q", head, 16)[0] if len(head) == _HEADER else end)
        if not position < following <= end:
            return
        if head[:16].rstrip(b"\0") == b"ZISRAWSUBBLOCK":
            contents = file.read(16 + 32 + 20 * 32)
            (dimensions,) = struct.unpack_from("<i", contents, 16 + 28) if len(contents) >= 48 else (0,)
            if contents[16:18] == b"DV" and 2 <= dimensions <= 32:
                yield _block(contents[16 : 16 + 32 + 20 * dimensions])._replace(position=position)
        position = following


def _listed_blocks(contents: _Contents) -> list[Block]:
    head = contents.read(128)
    count = struct.unpack_from("<i", head)[0] if len(head) == 128 else -1
    if not 0 <= count <= _MAX_BLOCKS:
        raise DamagedMovieError("the list of its images is damaged")
    data = contents.read(contents.size - 128)
    blocks, begin = [], 0
    for _ in range(count):
        if begin + 32 > len(data) or data[begin : begin + 2] != b"DV":
            raise DamagedMovieError("the list of its images is damaged")
        (dimensions,) = struct.unpack_from("<i", data, begin + 28)
        end = begin + 32 + 20 * dimensions
        if not 2 <= dimensions <= 32 or end > len(data):
            raise DamagedMovieError("the list of its images is damaged")
        blocks.append(_block(data[begin:end]))
        begin = end
    return blocks


def _block(entry: bytes) -> Block:
    pixel_type, position, part, compression = struct.unpack_from("<iqii", entry, 2)
    begin, sizes, stored = {}, {}, {}
    for name, first, size, _, kept in struct.iter_unpack("<4siifi", entry[32:]):
        axis = name.rstrip(b"\0").decode("ascii", "replace")
        if not axis.isalnum():
            raise DamagedMovieError("the list of its images is damaged")
        begin[axis], sizes[axis], stored[axis] = first, size, kept
    width, height = sizes.get("X", 0), sizes.get("Y", 0)
    is_reduced = (stored.get("X"), stored.get("Y")) != (width, height)
    return Block(position, part, pixel_type, compression, begin, width, height, is_reduced)


def read_pixels(file: BinaryIO, block: Block, imagecodecs: Any) -> npt.NDArray[Any]:
    """Return the (height, width, samples) pixels of a block whose size was checked; raise anything if it is damaged."""
    if block.file_part:
        raise DamagedMovieError(f"it is in part {block.file_part} of the recording, another file")
    shape = (block.height, block.width, block.samples)
    size = block.height * block.width * block.samples * block.dtype.itemsize
    contents = _contents(file, block.position, b"ZISRAWSUBBLOCK")
    head = contents.read(16 + 32)
    if len(head) < 48:
        raise DamagedMovieError("the file is cut short")
    metadata, _, stored = struct.unpack_from("<iiq", head)
    (dimensions,) = struct.unpack_from("<i", head, 16 + 28)
    contents.skip_to(max(256, 16 + 32 + 20 * dimensions) + metadata)
    data = contents.read(min(stored, 2 * size + (1 << 20)))
    if block.compression == 0:
        if len(data) < size:
            raise DamagedMovieError("the file is cut short")
        return np.frombuffer(data[:size], block.dtype).reshape(shape)
    return _decoded(data, block, size, imagecodecs).reshape(shape)


def _decoded(data: bytes, block: Block, size: int, imagecodecs: Any) -> npt.NDArray[Any]:
    if block.compression in (5, 6):  # Zstandard, alone or with a header of its own
        is_split, begin = False, 0
        if block.compression == 6 and data:
            begin = data[0]
            is_split = begin >= 3 and data[1] == 1 and bool(data[2] & 1)
        plain = imagecodecs.zstd_decode(data[begin:], out=size)
        if len(plain) != size:
            raise DamagedMovieError("its pixels are damaged")
        if is_split:  # first the lower bytes of all pixels, then the upper
            plain = np.frombuffer(plain, np.uint8).reshape(2, -1).T.tobytes()
        return np.frombuffer(plain, block.dtype)
    decode = {1: imagecodecs.jpeg_decode, 2: imagecodecs.lzw_decode, 4: imagecodecs.jpegxr_decode}.get(
        block.compression
    )
    if decode is None:
        raise DamagedMovieError(f"its pixels are compressed in a way that is not read ({block.compression})")
    pixels = decode(data)
    if block.compression == 2:
        pixels = np.frombuffer(pixels, block.dtype)
    elif block.samples == 3:
        pixels = pixels[..., ::-1]  # as the other kinds: blue first
    return np.asarray(pixels, block.dtype)


def read_metadata(file: BinaryIO) -> bytes:
    """Return the metadata, XML; empty if there are none."""
    try:
        contents = _contents(file, _offsets(file)[1], b"ZISRAWMETADATA")
        (size,) = struct.unpack_from("<i", contents.read(256))
    except (DamagedMovieError, struct.error):
        return b""
    return contents.read(size) if 0 < size <= _MAX_METADATA_BYTES else b""


def attached_times_s(file: BinaryIO) -> list[float]:
    """Return the measured times of the frames, s, which the file has as an attachment; empty if it has none."""
    try:
        for name, position in _attachments(file):
            if name == b"TimeStamps":
                contents = _contents(file, position, b"ZISRAWATTACH")
                contents.skip_to(256)
                _, count = struct.unpack("<ii", contents.read(8))
                values = np.frombuffer(contents.read(8 * count), "<f8") if 0 < count <= _MAX_TIMES else np.zeros(0)
                return values.tolist() if len(values) == count else []
    except (DamagedMovieError, struct.error, ValueError):
        pass
    return []


def _attachments(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield name and position of each attachment."""
    contents = _contents(file, _offsets(file)[2], b"ZISRAWATTDIR")
    (count,) = struct.unpack("<i", contents.read(4))
    contents.skip_to(256)
    for _ in range(min(count, _MAX_ATTACHMENTS)):
        entry = contents.read(128)
        yield entry[48:128].rstrip(b"\0"), struct.unpack_from("<q", entry, 12)[0]


def _offsets(file: BinaryIO) -> tuple[int, int, int]:
    """Return the positions of the directory of blocks, of the metadata, and of the directory of attachments."""
    head = _contents(file, 0, b"ZISRAWFILE").read(80)
    if len(head) < 80:
        raise DamagedMovieError("it is cut short")
    blocks, metadata = struct.unpack_from("<qq", head, 52)
    (attachments,) = struct.unpack_from("<q", head, 72)
    return blocks, metadata, attachments


class _Contents:
    """Contents of a segment, read in order."""

    def __init__(self, file: BinaryIO, begin: int, size: int) -> None:
        self._file, self._begin, self.size = file, begin, size
        file.seek(begin)

    def skip_to(self, place: int) -> None:
        self._file.seek(self._begin + max(0, place))

    def read(self, size: int) -> bytes:
        return self._file.read(max(0, size))


def _contents(file: BinaryIO, position: int, identifier: bytes) -> _Contents:
    """Return the contents of a segment. Raises `DamagedMovieError` if there is none of this kind."""
    end = file.seek(0, 2)
    if 0 <= position < end:
        file.seek(position)
        head = file.read(_HEADER)
        if len(head) == _HEADER and head[:16].rstrip(b"\0") == identifier:
            return _Contents(file, position + _HEADER, end - position - _HEADER)
    raise DamagedMovieError("it is cut short or damaged" if position else "it is no CZI file")
