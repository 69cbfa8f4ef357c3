"""Reads animated WebP images with Pillow."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import accumulate
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from livetrack.movies.arrangement import Axis, Index
from livetrack.movies.container import Container
from livetrack.movies.movie import DamagedMovieError, Image, TruncatedMovieError
from livetrack.movies.selection import Selection

__all__ = ["opened"]

_MAX_BYTES = 1 << 31
_MAX_SIDE = 16383  # of an image in this format; what they are drawn on may claim more
_MAX_PX = 1 << 26


@contextmanager
def opened(path: Path, selection: Selection) -> Iterator[Container]:
    """Open an image of one or more frames; of one that is cut short, the frames before that."""
    data, durations_s, is_cut = _whole_frames(path)
    times = [0.0, *accumulate(durations_s)]
    with Pillow.open(data, formats=["WEBP"]) as animation:
        frames = int(getattr(animation, "n_frames", 1))
        if max(animation.size) > _MAX_SIDE or animation.width * animation.height > _MAX_PX:
            size = f"{animation.width}x{animation.height}"
            raise DamagedMovieError(f"it claims images of {size} px; at most {_MAX_PX:,} px are read")

        def image(index: Index) -> Image:
            if index[0] >= frames:
                raise TruncatedMovieError("the file is cut short")
            animation.seek(index[0])
            return np.asarray(animation.convert("RGB"))

        def times_s(indices: Sequence[Index]) -> list[float | None]:
            return [times[index[0]] if index[0] < len(times) else None for index in indices]

        yield Container((Axis("T", frames + is_cut),), image, times_s)


def _whole_frames(path: Path) -> tuple[BytesIO, list[float], bool]:
    """Return a file of its whole frames, how long each is shown, s, and whether others are cut short.

    A WebP file is a row of chunks, each with a name of four bytes and its size; those of frames are called ANMF. The
    size of all is at the begin; libraries refuse a file that is shorter.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise DamagedMovieError(f"it is larger than {_MAX_BYTES:,} bytes; convert it to a video")
    content = bytearray(path.read_bytes())
    durations_s, begin = [], 12
    while begin + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, begin)
        end = begin + 8 + size + size % 2
        if end > len(content):
            break
        if name == b"ANMF" and size >= 16:
            durations_s.append(int.from_bytes(content[begin + 20 : begin + 23], "little") / 1000)
        begin = end
    is_cut = begin < len(content) and bool(durations_s)
    if is_cut:
        del content[begin:]
        struct.pack_into("<I", content, 4, len(content) - 8)
    return BytesIO(content), durations_s, is_cut
