"""Recorder: accepts frames and rows without blocking the tracking loop, and writes them in its own thread."""

from __future__ import annotations

import logging
import platform
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from livetrack import __version__
from livetrack.camera import Frame
from livetrack.config import Config
from livetrack.errors import UsageError
from livetrack.particles import Rows
from livetrack.record.lock import RecordingLock
from livetrack.record.session import make_session_folder, write_session_info
from livetrack.record.session_writer import NO_PIXELS, FolderGoneError, SessionWriter
from livetrack.wire import RecordingStatus

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)

_FLUSH_S = 0.4  # from the start of a flush to that of the next: everything is on the disk within a second
_MAX_ROWS_BYTES = 64_000_000  # queued rows: several minutes
_MAX_FRAMES = 100_000  # queued, with or without pixels
_LOW_S = 300.0  # time until the disk is full, below which the user is warned


class Recorder:
    """Records a session into a new folder inside `folder`; see `livetrack.record` for its contents.

    `offer_frame` and `offer_rows` are called by one thread each and return at once. Nothing is lost without being
    counted: at any moment, frames offered = written + dropped + waiting, and likewise for the rows of tracked frames;
    nothing waits after `close`. If pixels cannot be written, the tables go on. If the folder is deleted or moved, the
    recording stops, and further offers count as dropped.

    Parameters
    ----------
    folder
        Folder in which the recording's folder `YYYY-MM-DD_HH-MM-SS` is created; created too if missing.
    frames
        False: write the tables without pixels.
    queue_mb
        Max size of the pixels that wait for the disk, MB.
    overflow
        What happens to a frame for which the queue has no space: "drop" leaves its pixels out, "stop" those of all
        later frames too.
    reserve_mb
        Free disk space that is kept for the tables, MB; at most a tenth of the disk.
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
        overflow: Literal["drop", "stop"] = "drop",
        reserve_mb: int = 500,
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
            "with_pixels": frames,
            "settings": settings,
        }
        self.folder = make_session_folder(Path(folder), started)
        self.problem = ""
        """Why the recording stopped by itself; else empty."""
        write_session_info(self.folder, self._info, spare_bytes=4096)
        self._lock = RecordingLock(self.folder)
        self._with_pixels = frames
        self._overflow = overflow
        self._queue: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._queue_bytes = queue_mb * 1_000_000
        self._writer = SessionWriter(
            self.folder, self._info, file_bytes=file_mb * 1_000_000, reserve_bytes=reserve_mb * 1_000_000
        )
        # each counter is changed by one thread only; the gates let the end wait for an offer in progress, no more
        self._frames_gate, self._rows_gate = threading.Lock(), threading.Lock()
        self._accepts, self._closed = True, False
        self._pixels_in = self._pixels_out = 0  # bytes: camera thread, writer
        self._offered = self._dropped = self._unlisted = 0  # camera thread
        self._rows_offered = self._rows_dropped = 0  # loop
        self._reported: set[str] = set()
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="livetrack-recorder", daemon=True)
        self._thread.start()

    @classmethod
    def from_config(cls, config: Config, folder: str = "", frames: bool | None = None) -> Recorder:
        """Record as the settings say, or into another `folder`, or with or without `frames`."""
        record = config.record
        return cls(
            folder or record.folder,
            frames=record.frames if frames is None else frames,
            queue_mb=record.queue_mb,
            overflow=record.overflow,
            reserve_mb=record.reserve_mb,
            settings=config,
        )

    def offer_frame(self, frame: Frame) -> None:
        """Queue a received frame; its pixels must not change afterwards. Called by the camera thread."""
        with self._frames_gate:
            if self._closed:
                return
            if not self._with_pixels:
                frame = replace(frame, pixels=NO_PIXELS)
            else:
                self._offered += 1
                if not self._has_space(frame.pixels.nbytes):
                    self._dropped += 1
                    frame = replace(frame, pixels=NO_PIXELS)
            if self._accepts and self._queue.qsize() < _MAX_FRAMES:
                self._pixels_in += frame.pixels.nbytes
                self._queue.put(frame)
            else:
                self._unlisted += 1
                self._dropped += frame.pixels is not NO_PIXELS

    def offer_rows(self, frame: Frame, rows: Rows) -> None:
        """Queue the rows of a tracked frame; `rows` is copied. Called by the tracking loop."""
        with self._rows_gate:
            if self._closed:
                return
            self._rows_offered += 1
            tracked = self._writer.tracked
            if self._accepts and tracked.queued_bytes + rows.nbytes <= _MAX_ROWS_BYTES:
                tracked.add(frame, rows)  # the writer collects them at its next flush
            else:
                self._rows_dropped += 1

    def status(self) -> RecordingStatus:
        """Return counts, size and problem so far."""
        writer = self._writer
        return RecordingStatus(
            folder=str(self.folder),
            seconds=(time.perf_counter_ns() - self._clock_ns) / 1e9,
            frames=writer.written,
            dropped=self._dropped + writer.failed,
            offered=self._offered,
            bytes=writer.bytes,
            rows_written=writer.rows_written,
            rows_dropped=self._rows_dropped + writer.rows_failed,
            rows_offered=self._rows_offered,
            problem=self.problem,
            loss=self.loss,
            seconds_left=None if self._closed else writer.disk.seconds_left,
        )

    @property
    def loss(self) -> str:
        """What is missing in the recording so far, and why, in one line; empty if nothing is."""
        writer = self._writer
        parts = []
        if dropped := self._dropped + writer.failed:
            why = writer.pixels_problem or self.problem or "the disk is too slow"
            parts.append(f"{dropped} of {self._offered} frames are not recorded: {why}")
        elif writer.pixels_problem:
            parts.append(f"no more frames are recorded: {writer.pixels_problem}")
        if rows := self._rows_dropped + writer.rows_failed:
            why = writer.tables_problem or "the disk is too slow"
            parts.append(f"the tracks of {rows} of {self._rows_offered} frames are not recorded: {self.problem or why}")
        elif writer.tables_problem:
            parts.append(f"the tables cannot be written: {writer.tables_problem}")
        if unlisted := self._unlisted + writer.unlisted:
            parts.append(f"{unlisted} frames are missing in frames.arrow")
        return "; ".join(parts)

    @property
    def message(self) -> str:
        """What the user should know about the recording now; empty if all is well."""
        left_s = self._writer.disk.seconds_left
        low = f"the disk of {self.folder} is full in {left_s / 60:.1f} min" if left_s and left_s < _LOW_S else ""
        return self.problem or self.loss or low

    def close(self, progress: Callable[[int], None] | None = None) -> None:
        """Write everything queued and close the files.

        `progress` is called about ten times per second with the bytes of pixels still to be written. If it raises, or
        on Ctrl-C, the rest is discarded, the files are closed, and the exception propagates.
        """
        with self._frames_gate, self._rows_gate:
            if self._closed:
                return
            self._closed = True
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
        finally:
            self._write_end()

    def _has_space(self, size: int) -> bool:
        """Whether the pixels of one more frame may be queued."""
        if self._writer.pixels_problem:
            return False
        has_space = self._pixels_in - self._pixels_out + size <= self._queue_bytes
        if not has_space and self._overflow == "stop":
            self._writer.stop_pixels('the disk is too slow, and record.overflow is "stop"')
        return has_space

    def _write_end(self) -> None:
        """Complete `session.json`."""
        status = self.status()
        self._info |= {
            "ended": datetime.now().astimezone().isoformat(),
            "frames_offered": status.offered,
            "frames_written": status.frames,
            "frames_dropped": status.dropped,
            "frames_unlisted": self._unlisted + self._writer.unlisted,
            "tracked_frames_offered": status.rows_offered,
            "tracked_frames_written": status.rows_written,
            "tracked_frames_dropped": status.rows_dropped,
            "problem": "; ".join(filter(None, (status.problem, status.loss))),
        }
        try:
            write_session_info(self.folder, self._info)
        except UsageError:  # the folder is gone, or its disk is full
            self._lock.sign(status)
            self._lock.release(keep=True)
        else:
            self._lock.release()

    # called by the writer's thread

    def _run(self) -> None:
        try:
            self._write_all()
        except FolderGoneError as error:
            self.problem = f"recording stopped: {error}"
        except Exception as error:  # noqa: BLE001 - whatever fails, tracking continues and `problem` reports it
            self.problem = f"recording stopped after {self._writer.written} frames: {error}"
            _log.debug("recording", exc_info=True)
        with self._frames_gate, self._rows_gate:
            self._accepts = False
        with suppress(queue.Empty):
            while True:
                frame = self._queue.get_nowait()
                if frame is not None:
                    self._writer.discard(frame)
        self._writer.close()
        self._report()

    def _write_all(self) -> None:
        running = True
        due = time.monotonic() + _FLUSH_S
        while running and not self._abandoned:
            with suppress(queue.Empty):
                frame = self._queue.get(timeout=max(0.0, due - time.monotonic()))
                if frame is None:
                    running = False
                else:
                    self._writer.write(frame)
                    self._pixels_out += frame.pixels.nbytes
            if time.monotonic() >= due or not running:
                due = time.monotonic() + _FLUSH_S
                self._writer.flush()
                self._lock.sign(self.status())
                self._report()
        if running:
            self._writer.flush()
            self.problem = "recording ended early: the frames still queued for the disk were discarded"

    def _report(self) -> None:
        """Log the first loss and the first sign of a full disk, not each."""
        kinds = {
            "stopped": self.problem,
            "pixels": self._writer.pixels_problem,
            "tables": self._writer.tables_problem,
            "loss": self.loss,
            "low": self.message,
        }
        kind = next((kind for kind, text in kinds.items() if text), "")
        if kind and kind not in self._reported:
            self._reported.add(kind)
            _log.warning("%s", self.message)
