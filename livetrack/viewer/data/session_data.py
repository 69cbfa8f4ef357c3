"""What has come from the engine so far; no Qt."""

from __future__ import annotations

from livetrack.client import Update
from livetrack.viewer.data.history import History
from livetrack.viewer.data.streams import News
from livetrack.wire import Preview, Status

__all__ = ["Received"]

ERROR_SHOWN_S = 5.0


class Received:
    """The newest of everything, of one session of an engine; positions for tails of `tail_frames`."""

    def __init__(self, tail_frames: int) -> None:
        self.history = History(tail_frames)
        self.session: int | None = None
        self.preview: Preview | None = None
        self.status: Status | None = None
        self.error = ""
        """What was wrong with a message of the last seconds."""
        self._error_s = 0.0
        self._heard_s: float | None = None

    def take(self, news: News, now_s: float) -> bool:
        """Take what has come; return whether it is another engine's, and all that was known before is forgotten."""
        before = self.session
        if news.status:
            self.status = news.status
            self._join(news.status.session)
        for update in news.updates:
            self._join(update.session)
            self.history.add(update)
        if news.preview and news.preview.session == self.session:
            self.preview = news.preview
        if news.status or news.updates or news.preview:
            self._heard_s = now_s
        if news.error:
            self.error, self._error_s = news.error, now_s
        elif now_s - self._error_s > ERROR_SHOWN_S:
            self.error = ""
        return self.session != before

    def silent_s(self, now_s: float) -> float | None:
        """Return for how long nothing has come; None: nothing has come yet."""
        return None if self._heard_s is None else now_s - self._heard_s

    def newest(self) -> tuple[Preview | None, Update | None]:
        """Return the newest picture and its own frame's positions; without a picture, the newest positions."""
        return self.preview, self.history.at(self.preview.frame if self.preview else None)

    def _join(self, session: int) -> None:
        if session != self.session:
            self.session = session
            self.preview = None
            self.history.clear()
            if self.status and self.status.session != session:
                self.status = None
