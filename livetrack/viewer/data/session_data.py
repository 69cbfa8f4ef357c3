"""The newest data of the engine's session: status, preview, and the positions of the latest frames."""

from __future__ import annotations

from livetrack.client import Update
from livetrack.viewer.data.history import History
from livetrack.viewer.data.streams import StreamBatch
from livetrack.wire import Preview, Status

__all__ = ["SessionData"]

ERROR_SHOWN_S = 5.0


class SessionData:
    """Data of one session at a time; a message of another session replaces them all."""

    def __init__(self, trail_frames: int) -> None:
        self.history = History(trail_frames)
        self.session: int | None = None
        self.preview: Preview | None = None
        self.status: Status | None = None
        self.error = ""
        """Why a message of the last seconds could not be read."""
        self._error_s = 0.0
        self._received_s: float | None = None

    def add(self, batch: StreamBatch, now_s: float) -> bool:
        """Add what was received; return whether it belongs to a new session, which clears all earlier data."""
        before = self.session
        if batch.status:
            self.status = batch.status
            self._switch_to(batch.status.session)
        for update in batch.updates:
            self._switch_to(update.session)
            self.history.add(update)
        if batch.preview and batch.preview.session == self.session:
            self.preview = batch.preview
        if batch.status or batch.updates or batch.preview:
            self._received_s = now_s
        if batch.error:
            self.error, self._error_s = batch.error, now_s
        elif now_s - self._error_s > ERROR_SHOWN_S:
            self.error = ""
        return self.session != before

    def silent_s(self, now_s: float) -> float | None:
        """Return the time since the last message; None before the first one."""
        return None if self._received_s is None else now_s - self._received_s

    def newest(self) -> tuple[Preview | None, Update | None]:
        """Return the newest preview and the positions of its frame; without a preview, the newest positions."""
        return self.preview, self.history.at(self.preview.frame if self.preview else None)

    def _switch_to(self, session: int) -> None:
        if session != self.session:
            self.session = session
            self.preview = None
            self.history.clear()
            if self.status and self.status.session != session:
                self.status = None
