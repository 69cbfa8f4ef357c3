"""Reads the images of a TIFF file, one at a time; what only a damaged file claims is refused before it costs memory."""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import numpy as np
import tifffile

from livetrack.limits import IMAGE_BYTES
from livetrack.movies.movie import DamagedMovieError, Image, TruncatedMovieError
from livetrack.movies.quiet import quiet_tifffile
from livetrack.movies.tiff_decoding import pixels_of
from livetrack.movies.tiff_directories import Directory, read_directory

__all__ = [
    "MAX_IMAGES",
    "Planes",
    "check_size",
    "is_inverted",
    "lines_as_planes",
    "planes_in_a_row",
    "planes_of_pages",
    "samples_apart",
    "samples_as_planes",
]

Planes: TypeAlias = Callable[[int], Image]
"""Returns the image at an index of the file, with its samples. Raises `DamagedMovieError`."""

MAX_IMAGES = 1 << 24
"""In one file; more are damage, and their numbers alone would fill the memory."""

_MAX_PARTS = 1 << 16  # strips or tiles of one image
_SURELY_HARMLESS_BYTES = 1 << 28  # what a part may unpack to without having been tried
_WHITE_IS_ZERO = 0  # photometric interpretation
_UNPACKERS: dict[int, tuple[Callable[[], Any], int]] = {  # by TIFF's compression; with how far they expand at most
    8: (zlib.decompressobj, 1032),
    32946: (zlib.decompressobj, 1032),
    34925: (lzma.LZMADecompressor, 7100),
}


def check_size(images: int, image_bytes: int) -> None:
    """Refuse what only a damaged file claims, before memory is reserved for it. Raises `DamagedMovieError`."""
    if images > MAX_IMAGES:
        raise DamagedMovieError(f"it claims {images:,} images; at most {MAX_IMAGES:,} are read")
    if image_bytes > IMAGE_BYTES:
        raise DamagedMovieError(f"it claims images of {image_bytes:,} bytes; at most {IMAGE_BYTES:,} are read")
    if not image_bytes:
        raise DamagedMovieError("its images have no pixels")


def planes_of_pages(pages: Any, axes: str, like: Any) -> Planes:
    """Return planes that each have a directory, which must describe an image like that of the page `like`."""
    layout: list[tuple[int, ...]] = []

    @quiet_tifffile()
    def plane(index: int) -> Image:
        page = pages[index]
        if not layout:
            with _opened(like):
                expected = read_directory(like.parent, like.offset)
            layout.append(() if expected is None else expected.layout)
        with _opened(page):
            directory = read_directory(page.parent, page.offset)
            if directory is None:
                raise DamagedMovieError(f"image {index} is missing")
            if directory.layout != layout[0]:
                raise DamagedMovieError(
                    f"image {index} is of another kind, {_kind(directory, layout[0])}, than the others"
                )
            _check_page(page, index)
            return _samples_last(_bright_as_high(pixels_of(page), page), axes)

    return plane


def _kind(directory: Directory, expected: tuple[int, ...]) -> str:
    same_size = directory.layout[:2] == expected[:2]
    return "another type of pixels" if same_size else f"{directory.image_size} px"


@contextmanager
def _opened(page: Any) -> Iterator[None]:
    """Open the file of a page for as long as it is needed, if that is a further file of a recording."""
    handle = page.parent.filehandle
    was_closed = handle.closed
    if was_closed:
        handle.open()
    try:
        yield
    finally:
        if was_closed:
            handle.close()


def planes_in_a_row(tif: tifffile.TiffFile, first: Any) -> Planes:
    """Return planes stored one behind the other, without compression, from that of the page `first` on."""
    return _in_a_row(tif, first, first.shape, first.axes)


def samples_as_planes(tif: tifffile.TiffFile, page: Any) -> Planes:
    """Return the samples of a page, which has them one behind the other, as planes."""
    if page.is_contiguous:
        return _in_a_row(tif, page, page.shape[1:], "YX")

    @quiet_tifffile()
    def plane(index: int) -> Image:
        _check_page(page, 0)
        samples: Image = _bright_as_high(pixels_of(page), page)[index]
        return samples

    return plane


def samples_apart(planes: Planes, samples: int) -> Planes:
    """Return each sample of (H, W, samples) planes as a plane of its own."""

    def plane(index: int) -> Image:
        return np.ascontiguousarray(planes(index // samples)[:, :, index % samples])

    return plane


def lines_as_planes(lines: Planes, count: int) -> Planes:
    """Return planes of `count` images each that are only one pixel wide or high."""

    def plane(index: int) -> Image:
        return np.stack([lines(index * count + line).ravel() for line in range(count)])

    return plane


def _in_a_row(tif: tifffile.TiffFile, first: Any, shape: tuple[int, ...], axes: str) -> Planes:
    dtype = first.dtype.newbyteorder(tif.byteorder)
    size = math.prod(shape) * dtype.itemsize

    def plane(index: int) -> Image:
        tif.filehandle.seek(first.dataoffsets[0] + index * size)
        data = tif.filehandle.read(size)
        if len(data) < size:
            raise TruncatedMovieError("the file is truncated")
        pixels = np.frombuffer(data, dtype).reshape(shape).astype(first.dtype)
        return _samples_last(_bright_as_high(pixels, first), axes)

    return plane


def is_inverted(page: Any) -> bool:
    """Whether the brightest pixels of a page are 0, as scanners have it.

    Of bilevel images no program is sure: tifffile writes masks like this without inverting them.
    """
    return bool(page.keyframe.photometric == _WHITE_IS_ZERO and page.keyframe.dtype.kind == "u")


def _bright_as_high(image: Image, page: Any) -> Image:
    """Return the pixels of a page as they are displayed: high where it is bright."""
    if not is_inverted(page):
        return image
    white = np.array((1 << page.keyframe.bitspersample) - 1, image.dtype)
    return np.asarray(white - image)


def _check_page(page: Any, index: int) -> None:
    """Refuse a page whose pixels are not all in the file, or would take too much memory or time to read."""
    check_size(1, page.nbytes)
    sizes, offsets, parts = page.databytecounts, page.dataoffsets, math.prod(page.keyframe.chunked)
    if parts > _MAX_PARTS:
        raise DamagedMovieError(f"image {index} claims to be in {parts:,} parts; at most {_MAX_PARTS:,} are read")
    if len(offsets) < parts or len(sizes) < parts or not all(sizes) or not all(offsets):
        raise DamagedMovieError(f"parts of image {index} are missing")
    if sum(sizes) > page.parent.filehandle.size:
        raise DamagedMovieError(f"image {index} is larger than the file")
    if page.keyframe.compression in _UNPACKERS:
        unpacker, most = _UNPACKERS[page.keyframe.compression]
        part_bytes = max(math.prod(page.keyframe.chunks) * page.keyframe.dtype.itemsize, 1 << 16)
        for offset, size in zip(offsets, sizes, strict=False):
            if size * most > _SURELY_HARMLESS_BYTES:
                page.parent.filehandle.seek(offset)
                _try_unpacking(unpacker(), page.parent.filehandle.read(size), 2 * part_bytes, index)


def _try_unpacking(unpacker: Any, data: bytes, most: int, index: int) -> None:
    with suppress(zlib.error, lzma.LZMAError):  # reported when the image is read
        if len(unpacker.decompress(data, most + 1)) > most:
            raise DamagedMovieError(f"image {index} unpacks to more than {most:,} bytes, which it does not have")


def _samples_last(image: Image, axes: str) -> Image:
    if axes not in ("YX", "YXS", "SYX"):
        raise DamagedMovieError(f"its pages have axes {axes} and are not two-dimensional images")
    return np.moveaxis(image, 0, -1) if axes == "SYX" else image
