"""Reads Nikon's .nd2 files with the package nd2."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from livetrack.errors import InputError
from livetrack.movies.arrangement import Axis, Index
from livetrack.movies.container import Container, check_image_size
from livetrack.movies.formats import package
from livetrack.movies.movie import DamagedMovieError, Image
from livetrack.movies.selection import Selection

__all__ = ["opened"]

_OF_AN_IMAGE = "CYXS"
_END = b"ND2 CHUNK MAP SIGNATURE"


@contextmanager
def opened(path: Path, selection: Selection) -> Iterator[Container]:
    """Open a file of any number of times, positions, planes and channels."""
    nd2: Any = package("nd2", path)
    if not _has_end(path):
        raise InputError(f"{path}: is cut short: the list of its images, at its end, is missing; copy it again")
    with nd2.ND2File(path) as file:
        sizes = dict(file.sizes)
        loops = tuple(Axis(name, size) for name, size in sizes.items() if name not in _OF_AN_IMAGE)
        channels = sizes.get("C", 1)
        check_image_size((channels, sizes["Y"], sizes["X"], sizes.get("S", 1)), file.dtype.itemsize)
        lacks = _lacking(file, path)
        shape = tuple(size for _, size in loops)

        def frame(index: Index) -> int:
            return int(np.ravel_multi_index(index[:-1], shape)) if shape else 0

        def image(index: Index) -> Image:
            number = frame(index)
            if lacks(number):
                raise DamagedMovieError("the file has no image of it")
            pixels = np.asarray(file.read_frame(number))
            if channels == 1:
                return np.array(pixels)  # a copy: the file is closed before its use
            if not pixels[index[-1]].any() and pixels.any():
                raise DamagedMovieError("this channel was not recorded there")  # but at other times, or in other planes
            return np.array(pixels[index[-1]])

        def times_s(indices: Sequence[Index]) -> list[float | None] | None:
            events = [] if file.is_legacy else file.events()  # with those of the microscope, which have no index
            times = {
                each["Index"]: float(each["Time [s]"]) for each in events if "Index" in each and "Time [s]" in each
            }
            return [times.get(frame(index)) for index in indices] if times else None

        yield Container((*loops, Axis("C", channels)), image, times_s, _interval_s(file), _pixel_size_um(file))


def _has_end(path: Path) -> bool:
    """Whether a file of the present kind, which began before 2010, ends as it should."""
    with path.open("rb") as file:
        is_present = file.read(4) == b"\xda\xce\xbe\x0a"
        file.seek(-min(40, path.stat().st_size), 2)
        return not is_present or file.read(len(_END)) == _END


def _lacking(file: Any, path: Path) -> Any:
    """Return a function that says whether a frame is not in the file: the package reads zeros there, without a word."""
    offsets = getattr(getattr(file, "_rdr", None), "_frame_offsets", None)
    if not isinstance(offsets, dict):
        return lambda _: False
    size = path.stat().st_size
    return lambda number: not 0 < offsets.get(number, 0) < size


def _interval_s(file: Any) -> float | None:
    """Return the interval that was asked for; the file states it even where it has no times."""
    for loop in file.experiment:
        if loop.type == "TimeLoop":
            mean = loop.parameters.periodDiff.avg if loop.parameters.periodDiff else 0.0
            return float(mean or loop.parameters.periodMs or 0.0) / 1000 or None
    return None


def _pixel_size_um(file: Any) -> float | None:
    """Return the size that was calibrated; the package gives 1 µm where none was."""
    try:
        volumes = [channel.volume for channel in file.metadata.channels]
    except Exception:  # noqa: BLE001 - the metadata of a channel may be of any kind, and are not needed for its images
        return None
    sizes = [volume.axesCalibration[0] for volume in volumes if volume.axesCalibrated[0]]
    return float(sizes[0]) if sizes and 0 < sizes[0] < math.inf else None
