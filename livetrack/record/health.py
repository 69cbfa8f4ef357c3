"""What is wrong with a recording, in lines for the user and the log."""

from __future__ import annotations

import logging
from pathlib import Path

from livetrack.record.event_log import EventLog
from livetrack.record.frame_queue import FrameQueue
from livetrack.record.session_writer import SessionWriter
from livetrack.record.tracked_frames import TrackedFrames

__all__ = ["RecordingHealth"]

_log = logging.getLogger("livetrack.record")

_LOW_S = 300.0  # time until the disk is full, below which the user is warned
_SILENT_S = 5.0  # time in one call to the disk, after which the user is warned


class RecordingHealth:
    """Looks at the parts of a recorder; any thread may ask."""

    def __init__(
        self, folder: Path, frames: FrameQueue, tracked: TrackedFrames, writer: SessionWriter, events: EventLog
    ) -> None:
        self._folder, self._frames, self._tracked = folder, frames, tracked
        self._writer, self._events = writer, events
        self.problem = ""
        """Why the recording stopped by itself; else empty."""
        self._reported: set[str] = set()

    @property
    def loss(self) -> str:
        """What is missing in the recording so far, and why, in one line; empty if nothing is."""
        writer, frames, tracked = self._writer, self._frames.counts, self._tracked.counts
        why_pixels, why_tables = self._frames.problem, writer.tables_problem
        parts = []
        if frames.dropped:
            why = writer.gone or why_pixels or self.problem or "the disk is too slow"
            parts.append(f"{frames.dropped} of {frames.offered} frames are not recorded: {why}")
        elif why_pixels:
            parts.append(f"no more frames are recorded: {why_pixels}")
        if tracked.dropped:
            why = self.problem or why_tables or "the disk is too slow"
            parts.append(f"the tracks of {tracked.dropped} of {tracked.offered} frames are not recorded: {why}")
        elif why_tables:
            parts.append(f"the tables cannot be written: {why_tables}")
        if writer.sync_problem:
            parts.append(writer.sync_problem)
        if self._frames.unlisted:
            parts.append(f"{self._frames.unlisted} frames are missing in frames.arrow")
        return "; ".join([*parts, *self._events.losses()])

    @property
    def message(self) -> str:
        """What the user should know about the recording now; empty if all is well."""
        return self.problem or self.loss or self._silence or self._low

    def stop(self, problem: str) -> None:
        """Note why the recording stopped; the first cause counts."""
        self.problem = self.problem or problem

    def report(self) -> None:
        """Log the first loss and the first sign of a full disk, not each."""
        kinds = {
            "stopped": self.problem,
            "pixels": self._frames.problem,
            "tables": self._writer.tables_problem,
            "loss": self.loss,
            "silent": self._silence,
            "low": self._low,
        }
        kind = next((kind for kind, text in kinds.items() if text), "")
        if kind and kind not in self._reported:
            self._reported.add(kind)
            _log.warning("%s", self.message)

    @property
    def _silence(self) -> str:
        silent_s = self._writer.silent_s
        return f"the disk of {self._folder} has not responded for {silent_s:.0f} s" if silent_s > _SILENT_S else ""

    @property
    def _low(self) -> str:
        left_s = self._writer.disk.seconds_left
        return f"the disk of {self._folder} is full in {left_s / 60:.1f} min" if left_s and left_s < _LOW_S else ""
