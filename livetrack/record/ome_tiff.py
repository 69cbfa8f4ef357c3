"""Writes the frames of a recording as OME-TIFF, with pixel size and the time of each frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile

from livetrack.camera import Frame, Geometry
from livetrack.errors import InputError, UsageError, reason
from livetrack.record.session import Session
from livetrack.whole_file import replacing

__all__ = ["write_ome_tiff"]

_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def write_ome_tiff(
    session: Session, path: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Write all frames of a recording that have pixels into one OME-TIFF file; return how many images it contains.

    Each run of frames of one geometry is an image of the file: its pages are the frames, with `DeltaT` in s since the
    first frame of the recording; `TimeIncrement` is the median of the intervals. The recording is read twice, frame by
    frame; the file gets its name once it is complete.

    Parameters
    ----------
    progress
        Called with the number of frames written, and of all.

    Raises
    ------
    InputError
        There are no frames with pixels, or OME-TIFF has no such pixel type.
    UsageError
        The file cannot be written.
    """
    series = list(_series(session.frames()))
    if not series:
        raise InputError(f"{session.folder}: contains no frames with pixels")
    for each in series:
        if each.dtype not in _TYPES:
            raise InputError(
                f"{session.folder}: OME-TIFF has no pixels of type {each.dtype}; use the recording's own TIFF"
            )
    total = sum(len(each.t_s) for each in series)
    frames = _counted(session.frames(), total, progress)
    try:
        with replacing(path) as unfinished, tifffile.TiffWriter(unfinished, bigtiff=True, ome=True) as file:
            for each in series:
                size_um = each.geometry.pixel_size_um
                file.write(
                    (frame.pixels for frame in islice(frames, len(each.t_s))),
                    shape=(len(each.t_s), *each.shape),
                    dtype=each.dtype,
                    photometric="minisblack",
                    resolution=(1e4 / size_um, 1e4 / size_um) if size_um else None,
                    resolutionunit="CENTIMETER" if size_um else None,
                    metadata=_metadata(each, series[0].t_s[0], session),
                )
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {reason(error)}") from None
    return len(series)


class _Series(NamedTuple):
    """Consecutive frames of the same geometry and pixel type."""

    number: int
    geometry: Geometry
    shape: tuple[int, int]
    dtype: str
    first: int
    last: int
    """Numbers of the first and the last frame."""
    t_s: list[float]


def _series(frames: Iterator[Frame]) -> Iterator[_Series]:
    for (number, shape, dtype), run in groupby(frames, _layout):
        indices, t_s = [], []
        for frame in run:
            indices.append(frame.index)
            t_s.append(frame.t_s)
        yield _Series(number, frame.geometry, shape, dtype, indices[0], indices[-1], t_s)


def _layout(frame: Frame) -> tuple[int, tuple[int, int], str]:
    return frame.geometry_number, frame.pixels.shape, frame.pixels.dtype.name


def _counted(frames: Iterator[Frame], total: int, progress: Callable[[int, int], None]) -> Iterator[Frame]:
    for done, frame in enumerate(frames, 1):
        progress(done, total)
        yield frame


def _metadata(series: _Series, start_s: float, session: Session) -> dict[str, Any]:
    geometry, count = series.geometry, len(series.t_s)
    metadata: dict[str, Any] = {
        "axes": "TYX",
        "Name": f"{session.folder.name}, geometry {series.number}",
        "Description": f"frames {series.first} to {series.last}, recorded by livetrack {session.info.get('livetrack')}",
        "Plane": {"DeltaT": [t_s - start_s for t_s in series.t_s], "DeltaTUnit": ["s"] * count},
    }
    if count > 1:
        metadata |= {"TimeIncrement": float(np.median(np.diff(series.t_s))), "TimeIncrementUnit": "s"}
    if "started" in session.info:
        metadata["AcquisitionDate"] = session.info["started"]
    if geometry.pixel_size_um:
        for axis in "XY":
            metadata |= {f"PhysicalSize{axis}": geometry.pixel_size_um, f"PhysicalSize{axis}Unit": "µm"}
    return metadata
