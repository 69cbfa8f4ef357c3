"""The colours of tracks, the same in windows, pictures and videos."""

from __future__ import annotations

__all__ = ["NO_ID_COLOUR", "TRACK_COLOURS", "track_colour"]

TRACK_COLOURS = (
    "#ff9f43", "#4dd0e1", "#ff6b81", "#a3e635", "#60a5fa", "#facc15",
    "#f472b6", "#34d399", "#c084fc", "#fb7185", "#7dd3fc", "#d6b48c",
)  # fmt: skip
"""Assigned to track ids in turn; neighbours in the list are the easiest to tell apart."""
NO_ID_COLOUR = "#9aa0a6"


def track_colour(track_id: int) -> str:
    """Return the colour of a track, `#rrggbb`."""
    return TRACK_COLOURS[track_id % len(TRACK_COLOURS)]
