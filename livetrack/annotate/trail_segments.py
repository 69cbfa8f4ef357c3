"""Trail segments: the straight lines from each particle's previous position to its present one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.annotate.colours import TRACK_COLOURS
from livetrack.particles import Flag, Rows

__all__ = ["MAX_MISSED", "MAX_SEGMENTS", "OPACITIES", "TrailSegments", "drawable", "segments_by_pen", "trail_segments"]

MAX_COORDINATE_PX = 1e6
OPACITIES = 1.0, 0.75, 0.5, 0.3
"""Of the quarters of a trail, the newest first."""
MAX_SEGMENTS = 50_000
"""Beyond this number, the oldest segments are not drawn."""
MAX_MISSED = 20
"""Frames for which a particle may be missed before its trail is interrupted."""


class TrailSegments(NamedTuple):
    """The segments that end in one frame, computed once when the frame arrives rather than at every refresh."""

    measured: npt.NDArray[np.int64]
    """(N,) ids of the particles measured in the frame, sorted."""
    positions: npt.NDArray[np.float64]
    """(N, 2) x, y of these, px."""
    ids: npt.NDArray[np.int64]
    """(M,) track id of each segment."""
    segments: npt.NDArray[np.float64]
    """(M, 2, 2) both ends of each as x, y, the older one first, px."""


def trail_segments(rows: Rows, earlier: Iterable[TrailSegments]) -> TrailSegments:
    """Return the segments that end in the particles of `rows`; `earlier` frames come newest first.

    Rows without an id, and positions that were not measured, are left out. A particle that was missed for some
    frames is connected to its last measured position.
    """
    measured = drawable(rows) & (rows["id"] >= 0) & (rows["flags"] & Flag.COASTED == 0)
    order = np.argsort(rows["id"][measured], kind="stable")
    ids: npt.NDArray[np.int64] = rows["id"][measured][order]
    positions = np.stack([rows[axis][measured][order] for axis in ("x", "y")], axis=1).astype(np.float64)
    found_ids: list[npt.NDArray[np.int64]] = [ids[:0]]
    found = [np.empty((0, 2, 2))]
    # indices of the particles without a segment so far; a new track has no previous position
    remaining = np.flatnonzero(rows["flags"][measured][order] & Flag.NEW == 0)
    for frame in earlier:
        if not len(remaining):
            break
        if not len(frame.measured):
            continue
        candidates = np.minimum(np.searchsorted(frame.measured, ids[remaining]), len(frame.measured) - 1)
        same = frame.measured[candidates] == ids[remaining]
        connected = remaining[same]
        found_ids.append(ids[connected])
        found.append(np.stack((frame.positions[candidates[same]], positions[connected]), axis=1))
        remaining = remaining[~same]
    return TrailSegments(ids, positions, np.concatenate(found_ids), np.concatenate(found))


def segments_by_pen(frames: list[TrailSegments]) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """Yield the segments of `frames`, oldest first, grouped by pen: by colour and by quarter of the trail.

    Each item is the pen's number, colour * len(OPACITIES) + quarter, and (2 n, 2) x, y in px: the two ends of n
    segments in turn. Of more than `MAX_SEGMENTS` only the newest are used.
    """
    counts = np.cumsum([len(frame.ids) for frame in frames[::-1]], dtype=int)
    used = frames[max(0, len(frames) - int(np.searchsorted(counts, MAX_SEGMENTS, side="right"))) :]
    if not used:
        return
    age = np.repeat(np.arange(len(used))[::-1], [len(frame.ids) for frame in used])
    ids = np.concatenate([frame.ids for frame in used])
    segments = np.concatenate([frame.segments for frame in used])
    pen = ids % len(TRACK_COLOURS) * len(OPACITIES) + age * len(OPACITIES) // len(used)
    order = np.argsort(pen, kind="stable")
    ends = np.cumsum(np.bincount(pen, minlength=len(TRACK_COLOURS) * len(OPACITIES)))
    for number, group in enumerate(np.split(segments[order], ends[:-1])):
        if len(group):
            yield number, group.reshape(-1, 2)


def drawable(rows: Rows) -> npt.NDArray[np.bool_]:
    """Return a mask, (N,), of the rows whose position is finite and small enough to draw."""
    near: npt.NDArray[np.bool_] = (np.abs(rows["x"]) < MAX_COORDINATE_PX) & (np.abs(rows["y"]) < MAX_COORDINATE_PX)
    return near
