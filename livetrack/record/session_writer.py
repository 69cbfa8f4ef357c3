"""Writes the files of a recording: pixels in one thread, tables in another."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from livetrack import __version__
from livetrack.camera import Frame, Geometry
from livetrack.errors import LivetrackError, reason
from livetrack.record.append_file import AppendFile, is_there
from livetrack.record.disk_space import DiskSpace
from livetrack.record.disk_sync import DiskSync
from livetrack.record.frame_queue import FrameQueue
from livetrack.record.pages import PageWriter
from livetrack.record.streams import RECEIVED, TRACKED, TRAJECTORIES, TableStream
from livetrack.record.tracked_frames import TrackedFrames

__all__ = ["FolderGoneError", "SessionWriter"]

_SYNC_S = 0.4  # from the start of a sync to that of the next: everything is on the disk within a second


class FolderGoneError(LivetrackError):
    """The files of a recording were deleted or moved while it was being written."""


class SessionWriter:
    """Writes what waits in `frames` and `tracked` into `folder`.

    Where pixels cannot be written, or would use the space that is reserved for the tables, no more pixels are. A batch
    of a table that cannot be written is tried again at the next `write_tables`.
    """

    def __init__(
        self,
        folder: Path,
        info: dict[str, Any],
        frames: FrameQueue,
        tracked: TrackedFrames,
        *,
        file_bytes: int,
        reserve_bytes: int,
    ) -> None:
        self._folder = folder
        self._info = info
        self._frames, self._tracked = frames, tracked
        self.sync = DiskSync(self._open_files, self._on_sync_error, period_s=_SYNC_S)
        self._pages = PageWriter(folder, file_bytes, self.sync.complete)
        self._streams: dict[str, TableStream] = {}
        self.disk = DiskSpace(folder, reserve_bytes)
        self._pixel_bytes = 0
        self.tables_problem = ""
        """Why rows wait for the disk; else empty."""
        self.sync_problem = ""
        """What the disk reported when it was to store what is written; else empty."""
        self.gone = ""
        """Which files of pixels are gone; else empty."""
        self._geometry: Geometry | None = None  # of the first frame
        self._tables_since: float | None = None
        self.sync.start()

    @property
    def bytes(self) -> int:
        """Bytes written."""
        return self._pixel_bytes + sum(stream.file.size for stream in list(self._streams.values()))

    @property
    def silent_s(self) -> float:
        """For how long the disk has not returned from a call."""
        since = self._tables_since
        return max(self._frames.in_hand_s, self.sync.busy_s, 0.0 if since is None else time.monotonic() - since)

    def note_geometry(self, geometry: Geometry) -> None:
        """Use the geometry of the first frame for the heads of the tables."""
        if self._geometry is None:
            self._geometry = geometry

    # called by the thread of the pixels

    def write_pixels(self) -> None:
        """Write the pixels of each frame until the queue ends, then complete the last file."""
        while (frame := self._frames.take()) is not None:
            page = None
            try:
                page = self._write(frame)
            except Exception as error:  # noqa: BLE001 - whatever fails, the tables go on
                self._frames.stop_pixels(self._describe(error))
            finally:
                self._frames.put_down(page)
        self._pages.close()

    def _write(self, frame: Frame) -> tuple[str, int] | None:
        if self._frames.problem:
            return None
        if not self.disk.take(frame.pixels.nbytes):
            self._frames.stop_pixels(self.disk.full)
            return None
        page = self._pages.append(frame)
        self._pixel_bytes += frame.pixels.nbytes
        return page

    # called by the thread of the tables

    def write_tables(self) -> None:
        """Pass all rows to the operating system, those of a frame after its pixels.

        Raises
        ------
        FolderGoneError
            The files are no longer where they were created.
        """
        self._tables_since = time.monotonic()
        try:
            self._check_files()
            self._frames.drop_surplus()
            if self._geometry is not None:
                self.tables_problem = ""
                self._try_tables(self._write_batches)
            self.disk.update(self.bytes)
        finally:
            self._tables_since = None

    def finish(self) -> None:
        """End the tables, and wait until everything is on the disk."""
        for stream in self._streams.values():
            self._try_tables(stream.end)
            self.sync.complete(stream.file)
        self.sync.finish()

    def _write_batches(self) -> None:
        assert self._geometry is not None
        pixel_size_um = self._geometry.pixel_size_um
        metadata = {
            "livetrack": __version__,
            "session": msgspec.json.encode(self._info, enc_hook=str).decode(),
            "pixel_size_um": "" if pixel_size_um is None else repr(pixel_size_um),
        }
        for name, schema in (("frames", RECEIVED), ("tracked", TRACKED), ("trajectories", TRAJECTORIES)):
            if name not in self._streams:
                self._streams[name] = TableStream(self._folder / f"{name}.arrow", schema, metadata)
            self._streams[name].start()
        try:
            self._frames.listed.flush(self._streams["frames"])
        finally:  # the tracks do not depend on it
            while self._tracked.flush(self._streams["tracked"], self._streams["trajectories"]):
                pass

    def _try_tables(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self.tables_problem = self._describe(error)

    def _check_files(self) -> None:
        """Count frames and rows in deleted files as dropped; raise `FolderGoneError` if no more can be written."""
        files = self._frames.files
        try:
            missing = files - set(os.listdir(self._folder))
        except FileNotFoundError:
            missing = files
        except OSError:  # a share that does not respond
            missing = set()
        current = self._open_files()
        if is_there(self._folder / "session.json") and all(file.is_in_place() for file in current):
            if missing:
                self.gone = f"{', '.join(sorted(missing))} in {self._folder} was deleted or moved"
                self._frames.lose(missing)
            return
        self._frames.end()
        self._tracked.end()
        if any(file.is_deleted() for file in current):
            self._frames.lose(missing)
        if any(self._streams[name].file.is_deleted() for name in ("tracked", "trajectories") if name in self._streams):
            self._tracked.lose()
        raise FolderGoneError(f"{self._folder} was deleted or moved, or files in it")

    def _open_files(self) -> list[AppendFile]:
        """Return the files that grow, those of pixels first: a sync of the tables follows that of the pixels."""
        pages = self._pages.file
        return ([] if pages is None else [pages]) + [stream.file for stream in list(self._streams.values())]

    def _on_sync_error(self, file: AppendFile, error: OSError) -> None:
        self.sync_problem = f"{file.path.name} may be incomplete: {self._describe(error)}"
        if file.path.suffix == ".tif":
            self._frames.stop_pixels(self._describe(error))

    def _describe(self, error: Exception) -> str:
        """Return the cause of a write error and the free disk space: most are full disks, under various names."""
        cause = reason(error) if isinstance(error, OSError) else str(error)
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:
            return f"{cause} ({self._folder} is not accessible)"
        return f"{cause} ({free / 1e9:.1f} GB free on the disk of {self._folder})"
