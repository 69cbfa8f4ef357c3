"""Recorder: accepts frames and rows without blocking the tracking loop, and writes them in its own thread."""

from __future__ import annotations

import platform
import queue
import re
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from livetrack import __version__
from livetrack.camera import Frame
from livetrack.errors import UsageError, reason
from livetrack.particles import Rows
from livetrack.record.pages import PageWriter
from livetrack.record.session import make_session_folder, write_session_info
from livetrack.record.streams import RECEIVED, TRACKED, TRAJECTORIES, ReceivedFrames, TableStream, TrackedFrames
from livetrack.wire import RecordingStatus

__all__ = ["Recorder"]

_FLUSH_S = 0.5  # between batches of the tables, which a killed process may lose
_MAX_ROWS_BYTES = 64_000_000  # queued rows: several minutes
_MAX_FRAMES = 100_000  # queued, with or without pixels
_FULL_BYTES = 64_000_000  # free space that is less than a large frame
_NO_PIXELS = np.empty((0, 0), np.uint8)


class Recorder:
    """Records a session into a new folder inside `folder`; see `livetrack.record` for its contents.

    `offer_frame` and `offer_rows` are called by one thread each and return at once; what the disk is too slow for is
    dropped and counted. If writing fails (disk full, folder removed) the recording stops, `problem` gives the reason,
    and further offers count as dropped.

    Parameters
    ----------
    folder
        Folder in which the recording's folder `YYYY-MM-DD_HH-MM-SS` is created; created too if missing.
    frames
        False: write the tables without pixels.
    queue_mb
        Max size of the pixels that wait for the disk, MB.
    file_mb
        Size at which a new TIFF file is started, MB.
    settings
        Stored in `session.json`: anything that msgspec can encode as JSON.

    Raises
    ------
    UsageError
        The folder cannot be created or is not writable.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        frames: bool = True,
        queue_mb: int = 512,
        file_mb: int = 2048,
        settings: Any = None,
    ) -> None:
        started = datetime.now().astimezone()
        self._clock_ns = time.perf_counter_ns()
        self._info = {
            "livetrack": __version__,
            "started": started.isoformat(),
            "started_wall_ns": time.time_ns(),
            "started_monotonic_ns": self._clock_ns,
            "computer": platform.platform(),
            "settings": settings,
        }
        self.folder = make_session_folder(Path(folder), started)
        self.problem = ""
        """Why the recording stopped by itself; else empty."""
        write_session_info(self.folder, self._info)
        self._with_pixels = frames
        self._queue: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._queue_bytes = queue_mb * 1_000_000
        # each counter is changed by one thread only, so that none needs a lock
        self._pixels_in = self._pixels_out = 0  # bytes: camera thread, writer
        self._dropped = self._dropped_rows = 0  # camera thread, loop
        self._written = self._failed = self._bytes = 0  # writer
        self._pages = PageWriter(self.folder, file_mb * 1_000_000)
        self._streams: dict[str, TableStream] = {}
        self._received = ReceivedFrames()
        self._tracked = TrackedFrames()
        self._running = True  # until the writer receives the None that `close` queues
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="livetrack-recorder", daemon=True)
        self._thread.start()

    def offer_frame(self, frame: Frame) -> None:
        """Queue a received frame; its pixels must not change afterwards. Called by the camera thread."""
        queued = self._pixels_in - self._pixels_out
        if self.problem or not self._with_pixels or queued + frame.pixels.nbytes > self._queue_bytes:
            self._dropped += 1 if self._with_pixels else 0
            frame = replace(frame, pixels=_NO_PIXELS)
        if not self.problem and self._queue.qsize() < _MAX_FRAMES:
            self._pixels_in += frame.pixels.nbytes
            self._queue.put(frame)

    def offer_rows(self, frame: Frame, rows: Rows) -> None:
        """Queue the rows of a tracked frame; `rows` is copied. Called by the tracking loop."""
        if self.problem or self._tracked.queued_bytes + rows.nbytes > _MAX_ROWS_BYTES:
            self._dropped_rows += 1
        else:
            self._tracked.add(frame, rows)  # the writer collects them at its next flush

    def status(self) -> RecordingStatus:
        """Return counts, size and problem so far."""
        return RecordingStatus(
            folder=str(self.folder),
            seconds=(time.perf_counter_ns() - self._clock_ns) / 1e9,
            frames=self._written,
            dropped=self._dropped + self._failed,
            bytes=self._bytes,
            rows_dropped=self._dropped_rows,
            problem=self.problem,
        )

    def close(self, progress: Callable[[int], None] | None = None) -> None:
        """Write everything queued and close the files.

        `progress` is called about ten times per second with the bytes of pixels still to be written. If it raises, or
        on Ctrl-C, the rest is discarded, the files are closed, and the exception propagates.
        """
        self._queue.put(None)
        try:
            while self._thread.is_alive():
                self._thread.join(0.1)
                if progress is not None:
                    progress(self._pixels_in - self._pixels_out)
        except BaseException:
            self._abandoned = True
            self._thread.join()
            raise

    # called by the writer's thread

    def _run(self) -> None:
        try:
            self._write_all()
        except Exception as error:  # noqa: BLE001 - whatever fails, tracking continues and `problem` reports it
            self.problem = f"recording stopped after {self._written} frames: {_describe(error, self.folder)}"
            self._discard_all()
        finally:
            self._close_files()

    def _write_all(self) -> None:
        due = time.monotonic() + _FLUSH_S
        while self._running and not self._abandoned:
            with suppress(queue.Empty):
                item = self._queue.get(timeout=_FLUSH_S)
                if item is None:
                    self._running = False
                else:
                    self._write(item)
            if time.monotonic() >= due or not self._running:
                self._flush()
                due = time.monotonic() + _FLUSH_S
        if self._running:
            self._flush()
            self.problem = "recording ended early: the frames still queued for the disk were discarded"
            self._discard_all()

    def _write(self, frame: Frame) -> None:
        if not self._streams:
            self._open_streams(frame.geometry.pixel_size_um)
        page = None
        if frame.pixels is not _NO_PIXELS:
            try:
                page = self._pages.append(frame)
            except BaseException:
                self._failed += 1
                raise
            self._written += 1
            self._bytes += frame.pixels.nbytes
            self._pixels_out += frame.pixels.nbytes
        self._received.add(frame, page)

    def _open_streams(self, pixel_size_um: float | None) -> None:
        """Open the tables at the first frame, which has the pixel size."""
        metadata = {
            "livetrack": __version__,
            "session": msgspec.json.encode(self._info, enc_hook=str).decode(),
            "pixel_size_um": "" if pixel_size_um is None else repr(pixel_size_um),
        }
        for name, schema in (("frames", RECEIVED), ("tracked", TRACKED), ("trajectories", TRAJECTORIES)):
            self._streams[name] = TableStream(self.folder / f"{name}.arrow", schema, metadata)

    def _flush(self) -> None:
        if not self._streams:  # no frame yet
            return
        before = sum(stream.tell() for stream in self._streams.values())
        self._received.flush(self._streams["frames"])
        self._tracked.flush(self._streams["tracked"], self._streams["trajectories"])
        self._bytes += sum(stream.tell() for stream in self._streams.values()) - before

    def _discard_all(self) -> None:
        """Discard everything queued until `close`."""
        while self._running:
            item = self._queue.get()
            if item is None:
                self._running = False
            elif item.pixels is not _NO_PIXELS:
                self._failed += 1

    def _close_files(self) -> None:
        files: list[PageWriter | TableStream] = [self._pages, *self._streams.values()]
        for file in files:
            try:
                file.close()
            except OSError as error:
                self.problem = self.problem or f"recording could not be completed: {_describe(error, self.folder)}"
        self._info |= {
            "ended": datetime.now().astimezone().isoformat(),
            "frames_written": self._written,
            "frames_dropped": self._dropped + self._failed,
            "tracked_frames_dropped": self._dropped_rows,
            "problem": self.problem,
        }
        with suppress(UsageError):  # a full disk; the counts are in `status`
            write_session_info(self.folder, self._info)


def _describe(error: Exception, folder: Path) -> str:
    """Return the cause of a write error and the free disk space: most are full disks, under various names."""
    cause = reason(error) if isinstance(error, OSError) else str(error)
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return f"{cause} ({folder} is not accessible)"
    if free < _FULL_BYTES and re.fullmatch(r"\d+ requested and \d+ written", cause):  # NumPy's message
        cause = "the disk is full"
    return f"{cause} ({free / 1e9:.1f} GB free on the disk of {folder})"
