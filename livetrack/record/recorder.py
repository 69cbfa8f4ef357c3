"""The recorder: takes frames and rows without making the live loop wait, and writes them in a thread of its own."""

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

_FLUSH_S = 0.5  # the tables' batches: what a killed process may lose
_ROWS_BYTES = 64_000_000  # of rows that may wait: minutes of them
_FRAMES = 100_000  # that may wait, pixels dropped or not
_FULL_BYTES = 64_000_000  # with less than a large frame's pixels left
_NO_PIXELS = np.empty((0, 0), np.uint8)


class Recorder:
    """Writes a session into a new folder of its own below `folder`; see `livetrack.record` for what is in it.

    `offer_frame` and `offer_rows` are called by one thread each, and return at once: what the disk cannot take is
    dropped and counted. When writing fails (a full disk, a folder taken away) the recording stops, `problem` says
    why, and the offers are counted as dropped from then on.

    Parameters
    ----------
    folder
        Where the recording's folder `YYYY-MM-DD_HH-MM-SS` is made; made too when it is not there.
    frames
        False: the pixels are not written; all the tables are.
    queue_mb
        Pixels that may wait for the disk, MB.
    file_mb
        A TIFF file that has grown to this size, MB, is followed by a new one.
    settings
        Kept in `session.json`: anything that msgspec can encode as JSON.

    Raises
    ------
    UsageError
        The folder cannot be made or written to.
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
        """Why the recording stopped by itself; empty while all is well."""
        write_session_info(self.folder, self._info)
        self._with_pixels = frames
        self._queue: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._queue_bytes = queue_mb * 1_000_000
        # each counter has one thread that changes it, so that none needs a lock
        self._pixels_in = self._pixels_out = 0  # bytes: camera thread, writer
        self._dropped = self._dropped_rows = 0  # camera thread, loop
        self._written = self._failed = self._bytes = 0  # writer
        self._pages = PageWriter(self.folder, file_mb * 1_000_000)
        self._streams: dict[str, TableStream] = {}
        self._received = ReceivedFrames()
        self._tracked = TrackedFrames()
        self._running = True  # until the writer meets the None that `close` puts in the queue
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="livetrack-recorder", daemon=True)
        self._thread.start()

    def offer_frame(self, frame: Frame) -> None:
        """Take a delivered frame; its pixels must not be changed afterwards. Called by the camera thread."""
        waiting = self._pixels_in - self._pixels_out
        if self.problem or not self._with_pixels or waiting + frame.pixels.nbytes > self._queue_bytes:
            self._dropped += 1 if self._with_pixels else 0
            frame = replace(frame, pixels=_NO_PIXELS)
        if not self.problem and self._queue.qsize() < _FRAMES:
            self._pixels_in += frame.pixels.nbytes
            self._queue.put(frame)

    def offer_rows(self, frame: Frame, rows: Rows) -> None:
        """Take the particles of a tracked frame; `rows` is copied. Called by the live loop."""
        if self.problem or self._tracked.waiting_bytes + rows.nbytes > _ROWS_BYTES:
            self._dropped_rows += 1
        else:
            self._tracked.add(frame, rows)  # the writer is not woken for them

    def status(self) -> RecordingStatus:
        """Return what has been done so far."""
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
        """Write all that waits, and close the files.

        `progress` is called about ten times a second with the bytes of pixels still to be written. When it raises,
        or Ctrl-C does, the rest is given up, the files are closed, and the exception goes on.
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

    # the writer's thread, from here on

    def _run(self) -> None:
        try:
            self._write_all()
        except Exception as error:  # noqa: BLE001 - whatever it is, the live loop goes on and a person is told
            self.problem = f"recording stopped after {self._written} frames: {_why(error, self.folder)}"
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
                    self._take(item)
            if time.monotonic() >= due or not self._running:
                self._flush()
                due = time.monotonic() + _FLUSH_S
        if self._running:
            self._flush()
            self.problem = "recording cut short: the frames that waited for the disk were given up"
            self._discard_all()

    def _take(self, frame: Frame) -> None:
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
        """Begin the tables with the first frame, which knows the pixel size."""
        metadata = {
            "livetrack": __version__,
            "session": msgspec.json.encode(self._info, enc_hook=str).decode(),
            "pixel_size_um": "" if pixel_size_um is None else repr(pixel_size_um),
        }
        for name, schema in (("frames", RECEIVED), ("tracked", TRACKED), ("trajectories", TRAJECTORIES)):
            self._streams[name] = TableStream(self.folder / f"{name}.arrow", schema, metadata)

    def _flush(self) -> None:
        if not self._streams:  # no frame has come yet
            return
        before = sum(stream.tell() for stream in self._streams.values())
        self._received.flush(self._streams["frames"])
        self._tracked.flush(self._streams["tracked"], self._streams["trajectories"])
        self._bytes += sum(stream.tell() for stream in self._streams.values()) - before

    def _discard_all(self) -> None:
        """Let go of what waits, until `close`."""
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
                self.problem = self.problem or f"recording could not be finished: {_why(error, self.folder)}"
        self._info |= {
            "ended": datetime.now().astimezone().isoformat(),
            "frames_written": self._written,
            "frames_dropped": self._dropped + self._failed,
            "tracked_frames_dropped": self._dropped_rows,
            "problem": self.problem,
        }
        with suppress(UsageError):  # a full disk: the counts are in `status`, the tables show what is there
            write_session_info(self.folder, self._info)


def _why(error: Exception, folder: Path) -> str:
    """Say why writing failed and how much room there is: most fails for want of it, by many names."""
    what = reason(error) if isinstance(error, OSError) else str(error)
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return f"{what} ({folder} cannot be reached)"
    if free < _FULL_BYTES and re.fullmatch(r"\d+ requested and \d+ written", what):  # NumPy's word for it
        what = "the disk is full"
    return f"{what} ({free / 1e9:.1f} GB free on the disk of {folder})"
