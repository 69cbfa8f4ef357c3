"""Recorder: accepts frames and rows without blocking the tracking loop, and writes them in threads of its own.

What reaches the operating system survives a kill of the process; what is synced survives a power cut. Three threads see
to it, none of which waits for another:

- pixels: each frame as soon as it can be written: first the page, then the link that makes it part of the file;
- tables: every 0.2 s all rows; that of a frame follows its page and link, or the decision to drop its pixels;
- sync: every 0.4 s the file of pixels, then the tables.

So after a kill the tables refer to whole pages only. A frame waits for at most `queue_s`, and its row for 0.2 s more.
After a power cut a row may have been stored before its page, by the operating system's own choice; the checksums of
pages and batches show that, and readers leave out what is not whole.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from livetrack import __version__
from livetrack.camera import Frame
from livetrack.config import Config
from livetrack.errors import UsageError
from livetrack.particles import Rows
from livetrack.record.environment import environment
from livetrack.record.event_log import EventLog
from livetrack.record.frame_queue import NO_PIXELS, FrameQueue
from livetrack.record.health import RecordingHealth
from livetrack.record.lock import RecordingLock
from livetrack.record.session import make_session_folder, write_session_info
from livetrack.record.session_writer import FolderGoneError, SessionWriter
from livetrack.record.tables import write_final_tables
from livetrack.record.tracked_frames import TrackedFrames
from livetrack.wire import RecordingStatus

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)

_FLUSH_S = 0.2  # from the start of a flush of the tables to that of the next
_MAX_ROWS_BYTES = 64_000_000  # queued rows: several minutes
_GIVE_UP_S = 30.0  # without any progress, after which `close` gives up
_INTERRUPTED_S = 5.0  # the same after an interruption


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
    queue_mb, queue_s
        Max size of the pixels that wait for the disk, MB, and the longest time that a frame may wait, s.
    overflow
        What happens beyond that: "drop" leaves out the pixels of the frame that has waited longest, "stop" those of all
        later frames too.
    reserve_mb
        Free disk space that is kept for the tables, MB; at most a tenth of the disk.
    file_mb
        Size at which a new TIFF file is started, MB.
    tables
        Further tables of the tracks, written at the end: keys of `livetrack.record.tables.TABLE_FILES`.
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
        queue_s: float = 0.5,
        overflow: Literal["drop", "stop"] = "drop",
        reserve_mb: int = 500,
        file_mb: int = 2048,
        tables: Sequence[str] = (),
        settings: Any = None,
    ) -> None:
        started = datetime.now().astimezone()
        self._clock_ns = time.perf_counter_ns()
        self._info = {
            "livetrack": __version__,
            **environment(),
            "started": started.isoformat(),
            "started_wall_ns": time.time_ns(),
            "started_monotonic_ns": self._clock_ns,
            "with_pixels": frames,
            "settings": settings,
        }
        self.folder = make_session_folder(Path(folder), started)
        write_session_info(self.folder, self._info, spare_bytes=4096)
        self._lock = RecordingLock(self.folder)
        self._with_pixels = frames
        self._formats = tables
        self.on_tables: Callable[[str, int], None] = lambda name, rows: None
        """Receives the name of each table that is written at the end, and its rows so far."""
        self._frames = FrameQueue(queue_mb * 1_000_000, queue_s, overflow)
        self._tracked = TrackedFrames(_MAX_ROWS_BYTES)
        self._writer = SessionWriter(
            self.folder,
            self._info,
            self._frames,
            self._tracked,
            file_bytes=file_mb * 1_000_000,
            reserve_bytes=reserve_mb * 1_000_000,
        )
        self.events = EventLog(self.folder, self._writer.sync)
        """What happens besides: whoever runs the session notes it there."""
        self._health = RecordingHealth(self.folder, self._frames, self._tracked, self._writer, self.events)
        self._closing = threading.Event()
        self._pixels = threading.Thread(target=self._writer.write_pixels, name="livetrack-recorder-pixels", daemon=True)
        self._tables = threading.Thread(target=self._run, name="livetrack-recorder-tables", daemon=True)
        self._pixels.start()
        self._tables.start()

    @classmethod
    def from_config(cls, config: Config, folder: str = "", frames: bool | None = None) -> Recorder:
        """Record as the settings say, or into another `folder`, or with or without `frames`."""
        record = config.record
        return cls(
            folder or record.folder,
            frames=record.frames if frames is None else frames,
            queue_mb=record.queue_mb,
            queue_s=record.queue_s,
            overflow=record.overflow,
            reserve_mb=record.reserve_mb,
            tables=record.tables,
            settings=config,
        )

    def offer_frame(self, frame: Frame) -> None:
        """Queue a received frame; its pixels must not change afterwards. Called by the camera thread."""
        self._writer.note_geometry(frame.geometry)
        self.events.note_geometry(frame)
        self._frames.offer(frame if self._with_pixels else replace(frame, pixels=NO_PIXELS))

    def offer_rows(self, frame: Frame, rows: Rows) -> None:
        """Queue the rows of a tracked frame; `rows` is copied. Called by the tracking loop."""
        self._tracked.offer(frame, rows)

    def status(self) -> RecordingStatus:
        """Return counts, size and problem so far."""
        frames, tracked = self._frames.counts, self._tracked.counts
        return RecordingStatus(
            folder=str(self.folder),
            seconds=(time.perf_counter_ns() - self._clock_ns) / 1e9,
            frames=frames.written,
            dropped=frames.dropped,
            offered=frames.offered,
            bytes=self._writer.bytes,
            rows_written=tracked.written,
            rows_dropped=tracked.dropped,
            rows_offered=tracked.offered,
            problem=self.problem,
            loss=self.loss,
            seconds_left=None if self._closing.is_set() else self._writer.disk.seconds_left,
        )

    @property
    def problem(self) -> str:
        """Why the recording stopped by itself; else empty."""
        return self._health.problem

    @property
    def loss(self) -> str:
        """What is missing in the recording so far, and why, in one line; empty if nothing is."""
        return self._health.loss

    @property
    def message(self) -> str:
        """What the user should know about the recording now; empty if all is well."""
        return self._health.message

    def close(self, progress: Callable[[int], None] | None = None, *, quick: bool = False) -> None:
        """Write everything queued and close the files; give up if nothing at all reaches the disk for 30 s.

        `progress` is called about ten times per second with the bytes of pixels still to be written. If it raises, or
        on Ctrl-C, the rest is discarded, the files are closed, and the exception propagates.

        The tables for other programs come last. The recording is complete without them: if they fail, or on Ctrl-C, the
        log says so. With `quick`, they are made of small recordings only.
        """
        if self._closing.is_set():
            return
        self._frames.close()
        self._tracked.close()
        self._closing.set()
        try:
            self._wait(_GIVE_UP_S, progress)
        except BaseException:
            why = "recording ended early: the frames still queued for the disk were discarded"
            self._health.stop(why)
            self._frames.stop_pixels(why)
            self._wait(_INTERRUPTED_S)
            raise
        finally:
            end = threading.Thread(target=self._write_end, name="livetrack-recorder-end", daemon=True)
            end.start()
            end.join(_INTERRUPTED_S)  # a disk that does not respond does not hold up the end
        if not self.problem:
            write_final_tables(self.folder, self._formats, quick=quick, progress=self.on_tables)

    def _wait(self, limit_s: float, progress: Callable[[int], None] | None = None) -> None:
        """Wait until the threads have ended, for at most `limit_s` without any progress."""
        done, since = -1, 0.0
        while self._tables.is_alive():
            self._tables.join(0.1)
            if progress is not None:
                progress(self._frames.waiting_bytes)
            before, done = done, self._writer.bytes + self._writer.sync.count
            if done != before:
                since = time.monotonic()
            elif time.monotonic() - since > limit_s:
                waited = self._frames.counts.waiting or self._tracked.counts.waiting
                self._frames.end()
                self._tracked.end()
                end = "what waited for it is not recorded" if waited else "the last files may be incomplete"
                silent = f"the disk of {self.folder} has not responded for {limit_s:.0f} s"
                self._health.stop(f"recording ended early: {silent}; {end}")
                return

    def _write_end(self) -> None:
        """Complete `session.json`."""
        self.events.end()
        status = self.status()
        self._info |= {
            "ended": datetime.now().astimezone().isoformat(),
            "frames_offered": status.offered,
            "frames_written": status.frames,
            "frames_dropped": status.dropped,
            "frames_unlisted": self._frames.unlisted,
            "tracked_frames_offered": status.rows_offered,
            "tracked_frames_written": status.rows_written,
            "tracked_frames_dropped": status.rows_dropped,
            "events_written": self.events.written,
            "events_lost": self.events.lost,
            "problem": "; ".join(filter(None, (status.problem, status.loss))),
        }
        try:
            write_session_info(self.folder, self._info)
        except UsageError:  # the folder is gone, or its disk is full
            self._lock.sign(status)
            self._lock.release(keep=True)
        else:
            self._lock.release()

    # called by the thread of the tables

    def _run(self) -> None:
        try:
            due = time.monotonic() + _FLUSH_S
            while not self._closing.wait(max(0.0, due - time.monotonic())):
                due = time.monotonic() + _FLUSH_S
                self._flush()
            while self._pixels.is_alive():
                self._pixels.join(_FLUSH_S)
                self._flush()
            self._flush()
        except FolderGoneError as error:
            self._health.stop(f"recording stopped: {error}")
        except Exception as error:  # noqa: BLE001 - whatever fails, tracking continues and `problem` reports it
            self._health.stop(f"recording stopped after {self._frames.counts.written} frames: {error}")
            _log.debug("recording", exc_info=True)
        self._frames.end()
        self._tracked.end()
        self._pixels.join()
        self.events.close()
        self._writer.finish()
        self._health.report()

    def _flush(self) -> None:
        self._lock.sign(self.status())  # first: the disk may not respond
        self._writer.write_tables()
        self._health.report()
