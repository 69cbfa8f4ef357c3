"""Decodes compressed TIFF images that tifffile leaves to imagecodecs, with Pillow: LZW, JPEG, Zstandard.

Pillow reads few of the pixel types of scientific images. So it is given each strip or tile as an image of bytes, which
is what these methods compress, and the bytes are put together here. JPEG alone compresses pixels.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL.TiffImagePlugin import TiffImageFile

from livetrack.limits import IMAGE_BYTES
from livetrack.movies.movie import DamagedMovieError, Image

__all__ = ["pixels_of"]

_LZW, _JPEG, _DEFLATE, _ZSTD = (5,), (7,), (8, 32946), (50000, 34926)
_READ_BY_TIFFFILE = (1, 8, 32773, 32946, 34925)  # by itself: uncompressed, deflate, packbits, LZMA
_DIFFERENCES, _FLOATS = 2, 3  # predictors
_GREY, _RGB, _YCBCR = 1, 2, 6  # photometric interpretations
_SHORT, _LONG, _BYTES = 3, 4, 7  # kinds of values in a directory


def pixels_of(page: Any) -> Image:
    """Return the pixels of a page, of its shape. Raises `DamagedMovieError` and whatever tifffile and Pillow raise."""
    keyframe = page.keyframe
    compression = int(keyframe.compression)
    if _has_imagecodecs():
        return np.asarray(page.asarray())
    if keyframe.bitspersample not in (1, 8 * keyframe.dtype.itemsize):
        raise DamagedMovieError(
            f"its images have {keyframe.bitspersample} bits per pixel: python -m pip install imagecodecs"
        )
    if compression in _READ_BY_TIFFFILE and int(keyframe.predictor) != _FLOATS:
        return np.asarray(page.asarray())
    if compression not in (*_LZW, *_JPEG, *_DEFLATE, *_ZSTD) or int(keyframe.predictor) > _FLOATS:
        raise DamagedMovieError(f"its images are compressed ({_name(compression)}): python -m pip install imagecodecs")
    if keyframe.bitspersample != 8 * keyframe.dtype.itemsize or keyframe.fillorder != 1:
        raise DamagedMovieError(
            f"its images have {keyframe.bitspersample} bits per pixel, compressed: python -m pip install imagecodecs"
        )
    return _decoded(page, keyframe, compression)


@cache
def _has_imagecodecs() -> bool:
    return find_spec("imagecodecs") is not None


def _decoded(page: Any, keyframe: Any, compression: int) -> Image:
    """Return the image, put together from its strips or tiles."""
    separate, _, length, width, samples = keyframe.shaped
    rows = keyframe.tilelength if keyframe.is_tiled else min(keyframe.rowsperstrip, length)
    columns = keyframe.tilewidth if keyframe.is_tiled else width
    if rows * columns * samples * keyframe.dtype.itemsize > IMAGE_BYTES:
        raise DamagedMovieError(f"it claims parts of {rows}x{columns} px, which are too large")
    across, down = math.ceil(width / columns), math.ceil(length / rows)
    image = np.zeros((separate, length, width, samples), keyframe.dtype)
    handle = page.parent.filehandle
    for number, (offset, size) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        plane, place = divmod(number, across * down)
        top, left = (place // across) * rows, (place % across) * columns
        if plane >= separate:
            break
        height = rows if keyframe.is_tiled else min(rows, length - top)
        handle.seek(offset)
        data = handle.read(size)
        shape = (height, columns, samples)
        part = _jpeg(data, shape, keyframe) if compression in _JPEG else _unpacked(data, shape, keyframe, compression)
        image[plane, top : top + height, left : left + columns] = part[: length - top, : width - left]
    return image.reshape(keyframe.shape)


def _unpacked(data: bytes, shape: tuple[int, int, int], keyframe: Any, compression: int) -> Image:
    """Return one strip or tile that was compressed as bytes."""
    dtype = keyframe.dtype.newbyteorder(keyframe.parent.byteorder)
    size = math.prod(shape) * dtype.itemsize
    if compression in _DEFLATE:
        unpacked = zlib.decompressobj().decompress(data, size)
    else:
        tags = {256: size, 257: 1, 258: 8, 259: compression, 262: _GREY, 277: 1, 278: 1}
        unpacked = _read_by_pillow(data, tags).tobytes()
    if len(unpacked) < size:
        raise DamagedMovieError("a part of an image is damaged")
    if int(keyframe.predictor) == _FLOATS:
        return _floats(np.frombuffer(unpacked, np.uint8), shape, dtype)
    pixels = np.frombuffer(unpacked, dtype).reshape(shape).astype(keyframe.dtype)
    if int(keyframe.predictor) == _DIFFERENCES:
        whole = pixels.view(f"u{dtype.itemsize}")
        np.cumsum(whole, axis=1, dtype=whole.dtype, out=whole)
    return pixels


def _floats(data: npt.NDArray[np.uint8], shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Image:
    """Undo TIFF's predictor 3: differences of bytes, sorted by their place in the number, the highest first."""
    height, width, samples = shape
    rows = data.reshape(height, dtype.itemsize * width, samples)
    rows = np.cumsum(rows, axis=1, dtype=np.uint8).reshape(height, dtype.itemsize, width * samples)
    numbers = np.ascontiguousarray(np.moveaxis(rows, 1, 2)).view(dtype.newbyteorder(">"))
    return numbers.reshape(shape).astype(dtype.newbyteorder("="))


def _jpeg(data: bytes, shape: tuple[int, int, int], keyframe: Any) -> Image:
    """Return one strip or tile that was compressed as JPEG; of colours as red, green and blue."""
    height, width, samples = shape
    if samples not in (1, 3):
        raise DamagedMovieError(f"its images are JPEG of {samples} samples: python -m pip install imagecodecs")
    photometric = int(keyframe.photometric) if samples == 3 else _GREY
    tags: dict[int, int | tuple[int, ...] | bytes] = {
        256: width,
        257: height,
        258: 8,
        259: 7,
        262: photometric,
        277: samples,
        278: height,
    }
    if samples == 3:
        tags[258] = (8, 8, 8)
    if photometric == _YCBCR:
        tags[530] = tuple(keyframe.subsampling or (2, 2))
    if keyframe.jpegtables:
        tags[347] = bytes(keyframe.jpegtables)
    return _read_by_pillow(data, tags).reshape(shape)


def _read_by_pillow(data: bytes, tags: Mapping[int, int | tuple[int, ...] | bytes]) -> Image:
    """Return the pixels of a TIFF with these tags and one strip of compressed data."""
    entries, values = [], b""
    tags = dict(sorted({**tags, 273: 0, 279: len(data)}.items()))
    begin = 8 + 2 + 12 * len(tags) + 4
    for tag, value in tags.items():
        if isinstance(value, bytes):
            kind, count, packed = _BYTES, len(value), value
        elif isinstance(value, tuple):
            kind, count, packed = _SHORT, len(value), struct.pack(f"<{len(value)}H", *value)
        else:
            kind, count, packed = _LONG, 1, struct.pack("<I", value)
        if len(packed) > 4:
            offset = begin + len(values)
            values += packed + bytes(len(packed) % 2)
            packed = struct.pack("<I", offset)
        entries.append([tag, kind, count, packed.ljust(4, b"\0")])
    for entry in entries:
        if entry[0] == 273:
            entry[3] = struct.pack("<I", begin + len(values))
    directory = b"".join(struct.pack("<HHI4s", *entry) for entry in entries)
    file = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + directory + bytes(4) + values + data
    with TiffImageFile(io.BytesIO(file)) as image:  # Image.open would limit the number of pixels, here bytes
        return np.asarray(image)


def _name(compression: int) -> str:
    try:
        return tifffile.COMPRESSION(compression).name
    except ValueError:
        return f"method {compression}"
