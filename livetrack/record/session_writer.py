"""Writes the files of a recording, and counts what is written and what is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from livetrack import __version__
from livetrack.camera import Frame, Geometry
from livetrack.errors import LivetrackError, reason
from livetrack.record.append_file import AppendFile, is_there
from livetrack.record.disk_space import DiskSpace
from livetrack.record.pages import PageWriter, page_files
from livetrack.record.streams import RECEIVED, TRACKED, TRAJECTORIES, ReceivedFrames, TableStream, TrackedFrames

__all__ = ["NO_PIXELS", "FolderGoneError", "SessionWriter"]

NO_PIXELS = np.empty((0, 0), np.uint8)
"""The pixels of a frame whose pixels are not to be written."""

_MAX_LISTED = 100_000  # rows of frames.arrow that may wait for the disk


class FolderGoneError(LivetrackError):
    """The files of a recording were deleted or moved while it was being written."""


class SessionWriter:
    """Writes frames and tables into `folder`; used by the recorder's thread.

    Where pixels cannot be written, or would use the space that is reserved for the tables, no more pixels are. A batch
    of a table that cannot be written is tried again at the next `flush`.
    """

    def __init__(self, folder: Path, info: dict[str, Any], *, file_bytes: int, reserve_bytes: int) -> None:
        self._folder = folder
        self._info = info
        self._pages = PageWriter(folder, file_bytes)
        self._streams: dict[str, TableStream] = {}
        self._received = ReceivedFrames()
        self.tracked = TrackedFrames()
        """Rows of tracked frames that wait for the next `flush`; any thread may add some."""
        self.disk = DiskSpace(folder, reserve_bytes)
        self.written = self.failed = self.bytes = 0
        """Frames whose pixels were written, and those whose pixels were not."""
        self.rows_written = self.rows_failed = 0
        """Tracked frames whose rows were written, and those whose rows were not."""
        self.unlisted = 0
        """Received frames that are missing in `frames.arrow`."""
        self.pixels_problem = ""
        """Why no more pixels are written; else empty."""
        self.tables_problem = ""
        """Why rows wait for the disk; else empty."""
        self._geometry: Geometry | None = None  # of the first frame

    def write(self, frame: Frame) -> None:
        """Write the pixels of a frame, if it has any, and queue its row of `frames.arrow`."""
        if self._geometry is None:
            self._geometry = frame.geometry
        page = None if frame.pixels is NO_PIXELS else self._write_pixels(frame)
        if len(self._received) < _MAX_LISTED:
            self._received.add(frame, page)
        else:
            self.unlisted += 1

    def flush(self) -> None:
        """Put everything on the disk, the pixels before the rows that refer to them.

        Raises
        ------
        FolderGoneError
            The files are no longer where they were created.
        """
        self._check_files()
        if self._pages.file is not None:
            try:
                self._pages.file.sync()
            except OSError as error:
                self.stop_pixels(self._describe(error))
        if self._geometry is not None:
            self.tables_problem = ""
            self._try_tables(self._write_tables)
        self.disk.update(self.bytes)

    def stop_pixels(self, why: str) -> None:
        """Write no more pixels."""
        if not self.pixels_problem:
            self.pixels_problem = why

    def discard(self, frame: Frame) -> None:
        """Count a frame that will not be written."""
        self.failed += frame.pixels is not NO_PIXELS
        self.unlisted += 1

    def close(self) -> None:
        """Close the files, and count the rows that still wait as not written."""
        self.rows_failed += len(self.tracked)
        self.unlisted += len(self._received)
        try:
            self._pages.close()
        except OSError as error:
            self.stop_pixels(self._describe(error))
        for stream in self._streams.values():
            self._try_tables(stream.close)

    def _write_pixels(self, frame: Frame) -> tuple[str, int] | None:
        size = frame.pixels.nbytes
        if not self.pixels_problem and not self.disk.take(size):
            self.stop_pixels(f"the disk of {self._folder} is almost full, and the rest is kept for the tables")
        if not self.pixels_problem:
            try:
                page = self._pages.append(frame)
            except Exception as error:  # noqa: BLE001 - whatever fails, the tables go on
                self.stop_pixels(self._describe(error))
            else:
                self.written += 1
                self.bytes += size
                return page
        self.failed += 1
        return None

    def _open_streams(self, pixel_size_um: float | None) -> None:
        metadata = {
            "livetrack": __version__,
            "session": msgspec.json.encode(self._info, enc_hook=str).decode(),
            "pixel_size_um": "" if pixel_size_um is None else repr(pixel_size_um),
        }
        for name, schema in (("frames", RECEIVED), ("tracked", TRACKED), ("trajectories", TRAJECTORIES)):
            if name not in self._streams:
                self._streams[name] = TableStream(self._folder / f"{name}.arrow", schema, metadata)
            self._streams[name].start()

    def _write_tables(self) -> None:
        assert self._geometry is not None
        self._open_streams(self._geometry.pixel_size_um)
        before = sum(stream.file.size for stream in self._streams.values())
        try:
            self._received.flush(self._streams["frames"])
        finally:  # the tracks do not depend on it
            while written := self.tracked.flush(self._streams["tracked"], self._streams["trajectories"]):
                self.rows_written += written
            self.bytes += sum(stream.file.size for stream in self._streams.values()) - before
        for stream in self._streams.values():
            stream.file.sync()

    def _try_tables(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self.tables_problem = self._describe(error)

    def _files(self) -> list[AppendFile]:
        pages = [] if self._pages.file is None else [self._pages.file]
        return pages + [stream.file for stream in self._streams.values()]

    def _check_files(self) -> None:
        """Raise `FolderGoneError` if a file was deleted or moved, and count what it contained as not written."""
        if is_there(self._folder / "session.json") and all(file.is_in_place() for file in self._files()):
            return
        pages = self._pages.file
        if pages is not None and pages.is_deleted():
            gone = self._pages.count if page_files(self._folder) else self.written
            self.written -= gone
            self.failed += gone
        if any(self._streams[name].file.is_deleted() for name in ("tracked", "trajectories") if name in self._streams):
            self.rows_failed += self.rows_written
            self.rows_written = 0
        raise FolderGoneError(f"{self._folder} was deleted or moved, or files in it")

    def _describe(self, error: Exception) -> str:
        """Return the cause of a write error and the free disk space: most are full disks, under various names."""
        cause = reason(error) if isinstance(error, OSError) else str(error)
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:
            return f"{cause} ({self._folder} is not accessible)"
        return f"{cause} ({free / 1e9:.1f} GB free on the disk of {self._folder})"
