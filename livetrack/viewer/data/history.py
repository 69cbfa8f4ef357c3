"""The newest frames' positions, kept for the tails and for a picture that comes a little later; no Qt."""

from __future__ import annotations

from bisect import bisect_right

from livetrack.client import Update
from livetrack.viewer.data.trail_segments import Links, links_of

__all__ = ["History"]

SPARE_UPDATES = 1000
"""Kept beyond the tails: one second of a camera at 1000 frames/s, for pictures that are older than the positions."""
MOST_ROWS = 1_000_000
"""Kept at most: 56 MB."""
MISSED = 20
"""Frames that a particle may have been missing for its tail to go on."""


class History:
    """Updates of one session and one geometry, in the order of their frames."""

    def __init__(self, tail_frames: int) -> None:
        self._tail = tail_frames + 1
        self._updates: list[Update] = []
        self._links: list[Links] = []
        self._rows = 0

    def add(self, update: Update) -> None:
        """Keep `update`; forget all others when it does not continue them (a new session, another ROI)."""
        if self._updates and not _continues(self._updates[-1], update):
            self.clear()
        self._updates.append(update)
        self._links.append(links_of(update.particles, self._links[: -MISSED - 1 : -1]))
        self._rows += len(update.particles)
        while len(self._updates) > self._tail + SPARE_UPDATES or (self._rows > MOST_ROWS and len(self._updates) > 1):
            self._rows -= len(self._updates.pop(0).particles)
            del self._links[0]

    def at(self, frame: int | None) -> Update | None:
        """Return the positions of `frame`, or the nearest before it; the newest when there is none, or for None."""
        if not self._updates:
            return None
        after = 0 if frame is None else bisect_right(self._updates, frame, key=lambda update: update.frame)
        return self._updates[after - 1]

    def tail(self, update: Update) -> list[Links]:
        """Return the pieces that the tails of `update` are made of, frame by frame, oldest first."""
        end = bisect_right(self._updates, update.frame, key=lambda update: update.frame)
        return self._links[max(0, end - self._tail) + 1 : end]

    def all(self) -> list[Update]:
        """Return all that are kept, oldest first."""
        return list(self._updates)

    def clear(self) -> None:
        """Forget everything."""
        self._updates.clear()
        self._links.clear()
        self._rows = 0


def _continues(last: Update, update: Update) -> bool:
    same = (last.session, last.geometry) == (update.session, update.geometry)
    return same and update.frame > last.frame
