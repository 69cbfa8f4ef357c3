"""Reads when the frames of a .cine file, of Phantom's cameras, were taken; the frames are read as those of a video."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["CineTiming", "read_cine"]

_HEADER = struct.Struct("<2s3HiIiI3I2I")
_SETUP_SIZE = 142  # where its own size stands in the setup
_FRAME_RATE = 768
_TIMES = 1002  # kind of block
_MAX_BLOCKS = 64


class CineTiming(NamedTuple):
    """When the frames were taken."""

    times_s: list[float] | None
    """Measured by the camera; None if the file has none."""
    interval_s: float | None
    """That was set."""


def read_cine(path: Path) -> CineTiming | None:
    """Return when the frames of a .cine file were taken; None for any other file, and for a damaged one.

    A header leads to the setup, behind which blocks follow, each with its size and kind. Times are 64-bit numbers:
    2^-32 s in the lower half, of whose bits the last two are flags, and seconds in the upper.
    """
    try:
        with path.open("rb") as file:
            fields = _HEADER.unpack(file.read(_HEADER.size))
            if fields[0] != b"CI":
                return None
            count, setup, offsets = fields[7], fields[9], fields[10]
            file.seek(setup + _SETUP_SIZE)
            (size,) = struct.unpack("<H", file.read(2))
            file.seek(setup + _FRAME_RATE)
            (rate,) = struct.unpack("<I", file.read(4))
            interval_s = 1 / rate if rate and size > _FRAME_RATE else None
            begin = setup + size
            for _ in range(_MAX_BLOCKS):
                if begin + 8 > offsets:
                    break
                file.seek(begin)
                block, kind = struct.unpack("<IH2x", file.read(8))
                if kind == _TIMES and block >= 8 + 8 * count:
                    stamps = np.frombuffer(file.read(8 * count), "<u4").reshape(-1, 2)
                    seconds = (stamps[:, 1] - stamps[:1, 1].astype(np.int64)) + (stamps[:, 0] & ~np.uint32(3)) / 2.0**32
                    return CineTiming(seconds.tolist() if len(seconds) == count else None, interval_s)
                begin += max(8, block)
            return CineTiming(None, interval_s)
    except (OSError, struct.error, ValueError):
        return None
