"""Frames as pages of BigTIFF files, each labelled with its number, times and geometry."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import tifffile

from livetrack.camera import Frame, Geometry
from livetrack.record.append_file import AppendFile
from livetrack.record.tiff_page import FILE_HEADER, FIRST_LINK, encode_header, encode_link

__all__ = ["PageWriter", "page_files", "read_pages"]

_PATTERN = "frames_*.tif"


class PageWriter:
    """Appends frames to `frames_0000.tif`, `frames_0001.tif`, ... in `folder`.

    A new file starts when the geometry or the pixel type changes, or when a file has grown to `file_bytes`. Each frame
    is passed to the operating system before `append` returns, and becomes a page of the file only once it is complete.
    Raises OSError, for example if the disk is full; the pages before stay readable.
    """

    def __init__(self, folder: Path, file_bytes: int) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self.file: AppendFile | None = None
        """The current file."""
        self._layout: tuple[Any, ...] = ()
        self._files = 0
        self.count = 0
        """Frames in the current file."""
        self._link = 0  # where the offset of the next page belongs

    def append(self, frame: Frame) -> tuple[str, int]:
        """Write `frame`; return the name of the file and the page in it."""
        layout = frame.geometry_number, frame.pixels.shape, frame.pixels.dtype
        if self.file is None or layout != self._layout or self.file.size >= self._file_bytes:
            self._next_file(layout)
        file = self.file
        assert file is not None
        before = file.size
        pixels = np.ascontiguousarray(frame.pixels, frame.pixels.dtype.newbyteorder("<"))
        label = msgspec.json.encode(_PageLabel.of(frame))
        header, page, link = encode_header(pixels, label, _per_cm(frame.geometry), before)
        try:
            file.append(header, pixels.data)
            file.patch(self._link, encode_link(page))
        except OSError:
            file.shorten(before)
            with suppress(OSError):
                file.patch(self._link, encode_link(0))
            raise
        self._link = link
        self.count += 1
        return file.path.name, self.count - 1

    def close(self) -> None:
        """Put the current file on the disk and close it."""
        if self.file is not None:
            file, self.file = self.file, None
            try:
                file.sync()
            finally:
                file.close()

    def _next_file(self, layout: tuple[Any, ...]) -> None:
        self.close()
        file = AppendFile(self._folder / f"frames_{self._files:04d}.tif")
        try:
            file.append(FILE_HEADER)
        except OSError:
            file.close()
            raise
        self.file, self._layout, self._link = file, layout, FIRST_LINK
        self._files += 1
        self.count = 0


def page_files(folder: Path) -> list[Path]:
    """Return the TIFF files of a recording in order."""
    return sorted(folder.glob(_PATTERN), key=lambda path: (len(path.name), path.name))


def read_pages(path: Path) -> Iterator[Frame]:
    """Yield the frames of one file; of a truncated file, those that are complete."""
    size = path.stat().st_size
    with _silent_tifffile(), suppress(tifffile.TiffFileError, struct.error), tifffile.TiffFile(path) as file:
        for page in file.pages:
            if not page.dataoffsets or page.dataoffsets[-1] + page.databytecounts[-1] > size:
                return
            assert isinstance(page, tifffile.TiffPage)
            yield msgspec.json.decode(page.description, type=_PageLabel).frame(page.asarray())


class _PageLabel(msgspec.Struct, frozen=True, kw_only=True):
    """Label of a page: a `Frame` without its pixels."""

    frame_index: int
    camera_number: int | None
    t_s: float
    t_received_ns: int
    t_exposed_ns: int | None
    geometry_number: int
    geometry: Geometry

    @classmethod
    def of(cls, frame: Frame) -> _PageLabel:
        return cls(
            frame_index=frame.index,
            camera_number=frame.number,
            t_s=frame.t_s,
            t_received_ns=frame.t_received_ns,
            t_exposed_ns=frame.t_exposed_ns,
            geometry_number=frame.geometry_number,
            geometry=frame.geometry,
        )

    def frame(self, pixels: Any) -> Frame:
        return Frame(
            pixels=pixels,
            index=self.frame_index,
            number=self.camera_number,
            t_s=self.t_s,
            t_received_ns=self.t_received_ns,
            t_exposed_ns=self.t_exposed_ns,
            geometry_number=self.geometry_number,
            geometry=self.geometry,
        )


def _per_cm(geometry: Geometry) -> float | None:
    """Return the resolution, pixels per cm, from which other programs read the pixel size."""
    return None if geometry.pixel_size_um is None else 1e4 / geometry.pixel_size_um


@contextmanager
def _silent_tifffile() -> Iterator[None]:
    """Suppress tifffile's log lines about a truncated last page, which is expected here."""
    log = logging.getLogger("tifffile")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
