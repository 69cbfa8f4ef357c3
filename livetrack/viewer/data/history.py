"""The positions of the latest frames, kept for the trails and for previews that arrive after their positions."""

from __future__ import annotations

from bisect import bisect_right

from livetrack.annotate.trail_segments import MAX_MISSED, TrailSegments, trail_segments
from livetrack.client import Update

__all__ = ["History"]

SPARE_UPDATES = 1000
"""Frames kept beyond the trails, one second at 1000 frames/s, for previews older than the newest positions."""
MAX_ROWS = 1_000_000
"""56 MB."""


class History:
    """Updates of one session and one geometry, in the order of their frames; trails cover `trail_frames`."""

    def __init__(self, trail_frames: int) -> None:
        self._trail_updates = trail_frames + 1
        self._updates: list[Update] = []
        self._segments: list[TrailSegments] = []
        self._rows = 0

    def add(self, update: Update) -> None:
        """Keep `update`; drop all others if it does not continue them (new session or geometry, earlier frame)."""
        if self._updates and not _continues(self._updates[-1], update):
            self.clear()
        self._updates.append(update)
        self._segments.append(trail_segments(update.particles, self._segments[: -MAX_MISSED - 1 : -1]))
        self._rows += len(update.particles)
        max_updates = self._trail_updates + SPARE_UPDATES
        while len(self._updates) > max_updates or (self._rows > MAX_ROWS and len(self._updates) > 1):
            self._rows -= len(self._updates.pop(0).particles)
            del self._segments[0]

    def at(self, frame: int | None) -> Update | None:
        """Return the update of `frame`, or the nearest one before it; the newest if there is none, or for None."""
        if not self._updates:
            return None
        end = 0 if frame is None else self._end(frame)
        return self._updates[end - 1]

    def segments(self, update: Update) -> list[TrailSegments]:
        """Return the trail segments to draw with `update`, frame by frame, oldest first."""
        end = self._end(update.frame)
        return self._segments[max(0, end - self._trail_updates) + 1 : end]

    def all(self) -> list[Update]:
        """Return all updates, oldest first."""
        return list(self._updates)

    def clear(self) -> None:
        """Drop all updates."""
        self._updates.clear()
        self._segments.clear()
        self._rows = 0

    def _end(self, frame: int) -> int:
        """Return the number of updates up to `frame`."""
        return bisect_right(self._updates, frame, key=lambda update: update.frame)


def _continues(last: Update, update: Update) -> bool:
    same = (last.session, last.geometry) == (update.session, update.geometry)
    return same and update.frame > last.frame
