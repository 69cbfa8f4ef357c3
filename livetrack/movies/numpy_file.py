"""Reads arrays that NumPy has saved: .npy and .npz files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple
from zipfile import ZipFile

import numpy as np

from livetrack.errors import InputError
from livetrack.movies.arrangement import Index
from livetrack.movies.container import Container, check_image_size
from livetrack.movies.movie import DamagedMovieError, Image, TruncatedMovieError
from livetrack.movies.positions import must_choose, numbered
from livetrack.movies.selection import Selection
from livetrack.movies.unnamed_axes import guess_dimensions

__all__ = ["opened"]

_MAX_BYTES = 1 << 33  # of an array in an .npz file, which is unpacked as a whole


class _Header(NamedTuple):
    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]


@contextmanager
def opened(path: Path, selection: Selection) -> Iterator[Container]:
    """Open an array; those of an .npz file are its positions, if several of them can be images."""
    has_names = bool(selection.axes)
    if path.suffix.lower() == ".npz":
        yield replace(_container_of(_of_npz(path, selection.position), has_names), is_of_position=True)
        return
    with path.open("rb") as file:
        header = _header(file)
        if header.is_fortran:
            yield _container_of(np.load(path, mmap_mode="r"), has_names)
        else:
            yield _container_of_file(file, header, has_names)


def _container_of(array: Any, has_names: bool) -> Container:
    """Return the images of an array in memory."""
    dimensions = guess_dimensions(array.shape)
    images = array.reshape(dimensions.shape)
    if dimensions.channels_last:
        images = np.moveaxis(images, -1, len(dimensions.axes) - 1)
    check_image_size(images.shape[len(dimensions.axes) :], array.dtype.itemsize)
    return Container(
        dimensions.axes, lambda index: np.array(images[index]), notes=() if has_names else dimensions.notes
    )


def _container_of_file(file: IO[bytes], header: _Header, has_names: bool) -> Container:
    """Return the images of an array in a file, which may have been cut short."""
    dimensions = guess_dimensions(header.shape)
    together = len(dimensions.axes) - dimensions.channels_last  # channels that lie behind the columns are read at once
    shape = dimensions.shape[together:]
    check_image_size(shape, header.dtype.itemsize)
    begin, size = file.tell(), math.prod(shape) * header.dtype.itemsize

    def image(index: Index) -> Image:
        place = int(np.ravel_multi_index(index[:together], dimensions.shape[:together])) if together else 0
        file.seek(begin + place * size)
        data = file.read(size)
        if len(data) < size:
            raise TruncatedMovieError("the file is cut short")
        pixels = np.frombuffer(data, header.dtype).reshape(shape)
        return np.array(pixels[..., index[-1]] if dimensions.channels_last else pixels)

    return Container(dimensions.axes, image, notes=() if has_names else dimensions.notes)


def _header(file: IO[bytes]) -> _Header:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise DamagedMovieError("it has names of fields and is not an array of numbers")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    header = _Header(*read(file))
    if header.dtype.hasobject:
        raise DamagedMovieError("its values are Python objects, not numbers")
    return header


def _of_npz(path: Path, position: int | None) -> Any:
    with ZipFile(path) as archive:
        headers: dict[str, _Header] = {}
        for name in archive.namelist():
            if name.endswith(".npy"):
                with archive.open(name) as member:
                    headers[name.removesuffix(".npy")] = _header(member)
    images = [name for name, header in headers.items() if sum(size > 1 for size in header.shape) > 1]
    if not images:
        raise InputError(f"{path}: none of its {len(headers)} arrays holds images")
    if must_choose(len(images), position):
        raise InputError(
            f"{path}: contains {len(images)} arrays of images; choose one with --position: {numbered(images)}"
        )
    name = images[position or 0]
    size = math.prod(headers[name].shape) * headers[name].dtype.itemsize
    if size > _MAX_BYTES:
        raise InputError(f"{path}: its array {name} has {size:,} bytes; save it as .npy, which is read frame by frame")
    with np.load(path, allow_pickle=False) as arrays:
        return arrays[name]
