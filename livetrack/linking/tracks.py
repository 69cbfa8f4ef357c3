"""The trajectories that are alive: what the linker knows of each, and what a frame changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking.buffers import grown
from livetrack.particles import NO_ID, Flag

__all__ = ["SEEN", "TRACK", "Tracks"]

TRACK = np.dtype(
    [
        ("id", "<i8"),
        ("x", "<f8"),  # px, where it was last seen
        ("y", "<f8"),  # px
        ("t_s", "<f8"),  # when it was last seen, NaN where that frame had no time
        ("seen", "<i4"),  # frames in which it was seen, up to the age of confirmation
        ("missed", "<i4"),  # frames since it was last seen
    ],
    align=True,
)
"""One trajectory that can still be continued."""

SEEN = np.dtype([("id", "<i8"), ("vx", "<f4"), ("vy", "<f4"), ("flags", "<u4")], align=True)
"""What linking says of one particle of the frame; the names and units are those of `ROW`."""


class Tracks:
    """The living trajectories, the oldest first; one that has been missed too often leaves no trace."""

    def __init__(self, memory: int, confirm_after: int) -> None:
        self.next_id = 0
        self._memory = memory
        self._confirm_after = confirm_after
        self._count = 0
        self._tracks = np.zeros(1, TRACK)
        self._seen = np.zeros(1, SEEN)

    @property
    def alive(self) -> npt.NDArray[np.void]:
        """(T,) of dtype `TRACK`: a view that the next frame writes over."""
        return self._tracks[: self._count]

    def clear(self) -> None:
        """Let all trajectories end; their ids are not used again."""
        self._count = 0

    def follow(self, link: npt.NDArray[np.int32], points: npt.NDArray[np.float64], t_s: float) -> npt.NDArray[np.void]:
        """Continue the living trajectories, end those missed for more than `memory` frames, begin new ones.

        Parameters
        ----------
        link
            (T,) the particle of each living trajectory, -1 where it has none.
        points
            (N, 2) positions (x, y), px. Those that no trajectory has begin one, in their order.
        t_s
            Time of the frame, NaN where unknown.

        Returns
        -------
        seen
            (N,) of dtype `SEEN`: a view that the next frame writes over.
        """
        self._tracks = grown(self._tracks, self._count + len(points))
        self._seen = grown(self._seen, len(points))
        self._count, self.next_id = _follow(
            self._tracks, self._count, link, points, t_s, self._memory, self._confirm_after, self.next_id, self._seen
        )
        return self._seen[: len(points)]


_NEW = int(Flag.NEW)
_TENTATIVE = int(Flag.TENTATIVE)


@njit
def _follow(
    tracks: npt.NDArray[np.void],
    count: int,
    link: npt.NDArray[np.int32],
    points: npt.NDArray[np.float64],
    t_s: float,
    memory: int,
    confirm_after: int,
    next_id: int,
    seen: npt.NDArray[np.void],
) -> tuple[int, int]:
    """Write `tracks` and `seen`; return how many tracks live now, and the next free id."""
    for j in range(len(points)):
        seen[j]["id"] = NO_ID
    alive = 0
    for i in range(count):
        j = link[i]
        if j >= 0:
            seen[j]["id"] = tracks[i]["id"]
            elapsed = t_s - tracks[i]["t_s"]
            seen[j]["vx"] = (points[j, 0] - tracks[i]["x"]) / elapsed if elapsed > 0 else np.nan
            seen[j]["vy"] = (points[j, 1] - tracks[i]["y"]) / elapsed if elapsed > 0 else np.nan
            age = min(tracks[i]["seen"] + 1, confirm_after)
            seen[j]["flags"] = _TENTATIVE if age < confirm_after else 0
            _write(tracks[alive], tracks[i]["id"], points[j], t_s, age)
            alive += 1
        elif tracks[i]["missed"] < memory:
            tracks[alive] = tracks[i]
            tracks[alive]["missed"] += 1
            alive += 1
    for j in range(len(points)):
        if seen[j]["id"] == NO_ID:
            seen[j]["id"] = next_id
            seen[j]["vx"] = np.nan
            seen[j]["vy"] = np.nan
            seen[j]["flags"] = _NEW | (_TENTATIVE if confirm_after > 1 else 0)
            _write(tracks[alive], next_id, points[j], t_s, 1)
            alive += 1
            next_id += 1
    return alive, next_id


@njit
def _write(track: np.void, identity: int, point: npt.NDArray[np.float64], t_s: float, seen: int) -> None:
    track["id"] = identity
    track["x"] = point[0]
    track["y"] = point[1]
    track["t_s"] = t_s
    track["seen"] = seen
    track["missed"] = 0
