"""Checks the chunks of a Zarr array before they are unpacked, where the packages do not."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from livetrack.movies.movie import DamagedMovieError

__all__ = ["check_chunk_size", "check_chunks"]

_MAX_CHUNK_BYTES = 1 << 32
_BLOSC_HEADER = struct.Struct("<4B3I")  # versions, flags and type size; then unpacked, block and packed size


def check_chunk_size(array: Any) -> None:
    """Refuse chunks that only damaged metadata claim, before memory is reserved. Raises `DamagedMovieError`."""
    size = math.prod(int(side) for side in array.chunks) * array.dtype.itemsize
    if size > _MAX_CHUNK_BYTES:
        raise DamagedMovieError(f"it claims chunks of {size:,} bytes; at most {_MAX_CHUNK_BYTES:,} are read")


def check_chunks(array: Any, where: Sequence[int | slice]) -> None:
    """Refuse the chunks of a part of an array that are cut short: Blosc reads on in the memory behind them, unnoticed.

    Raises
    ------
    DamagedMovieError
        A chunk is cut short.
    """
    folder = getattr(array.store, "root", None)
    if (
        folder is None
        or array.shards is not None
        or not any("Blosc" in type(each).__name__ for each in array.compressors)
    ):
        return
    ranges = [
        range(part.indices(size)[0] // chunk, -(-part.indices(size)[1] // chunk))
        if isinstance(part, slice)
        else range(part // chunk, part // chunk + 1)
        for part, size, chunk in zip(where, array.shape, array.chunks, strict=True)
    ]
    for place in product(*ranges):
        file = Path(folder) / array.path / array.metadata.encode_chunk_key(place)
        try:
            with file.open("rb") as chunk_file:
                head = chunk_file.read(_BLOSC_HEADER.size)
            size = file.stat().st_size
        except FileNotFoundError:
            continue
        if len(head) < _BLOSC_HEADER.size or size < _BLOSC_HEADER.unpack(head)[-1]:
            raise DamagedMovieError(f"the chunk {file.name} is cut short")
