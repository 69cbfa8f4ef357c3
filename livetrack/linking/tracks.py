"""The trajectories that are alive, and what a frame changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking.buffers import ensure_capacity
from livetrack.linking.motion import Start
from livetrack.particles import NO_ID, Flag, Rows

__all__ = ["LINK_RESULT", "TRACK", "Tracks", "write_results"]


TRACK = np.dtype(
    [
        ("id", "<i8"),
        # where it is expected now, and with which covariance: along x, then along y
        ("x", "<f8"),  # px
        ("x_hidden", "<f8"),  # what drives it: a velocity, px/s, or the centre of a trap, px
        ("x_var", "<f8"),  # of the place, px²
        ("x_cov", "<f8"),  # of place and hidden state
        ("x_hidden_var", "<f8"),
        ("y", "<f8"),
        ("y_hidden", "<f8"),
        ("y_var", "<f8"),
        ("y_cov", "<f8"),
        ("y_hidden_var", "<f8"),
        # the last sighting
        ("x_seen", "<f8"),  # px
        ("y_seen", "<f8"),
        ("x_noise", "<f8"),  # variance of that measurement, px²
        ("y_noise", "<f8"),
        ("t_s", "<f8"),  # NaN where that frame had no time
        # the last displacements, each from one frame to the next
        ("dx_1", "<f8"),  # px
        ("dy_1", "<f8"),
        ("dx_2", "<f8"),  # the one before
        ("dy_2", "<f8"),
        ("steps", "<i4"),  # how many of the two are known
        ("seen", "<i4"),  # frames in which it was seen, up to the age of confirmation
        ("missed", "<i4"),  # frames since it was last seen
    ],
    align=True,
)
"""One trajectory that can still be continued."""

LINK_RESULT = np.dtype([("id", "<i8"), ("vx", "<f4"), ("vy", "<f4"), ("flags", "<u4")], align=True)
"""What linking says of one particle of the frame; the names and units are those of `ROW`."""


class Tracks:
    """The living trajectories, the oldest first; one that has been missed too often leaves no trace.

    Parameters
    ----------
    memory
        For how many frames in a row a trajectory may be missed.
    confirm_after
        In how many frames it must have been seen to be tentative no longer.
    filtered
        Whether a Kalman filter says where each is expected; else each is expected where it was seen last.
    hidden_is_velocity
        Whether what drives a particle is a velocity, which is then what `LINK_RESULT` says.
    centres_px
        (K, 2) centres of traps that are known: a particle that appears within `reach_px` belongs to the nearest.
    reach_px
        It may be changed between two frames.
    """

    def __init__(
        self,
        memory: int,
        confirm_after: int,
        filtered: bool,
        hidden_is_velocity: bool,
        centres_px: npt.NDArray[np.float64],
        reach_px: float,
    ) -> None:
        self.next_id = 0
        self._memory = memory
        self._confirm_after = confirm_after
        self._filtered = filtered
        self._hidden_is_velocity = hidden_is_velocity
        self._centres_px = centres_px
        self.reach_px = reach_px
        self._count = self._ended_count = 0
        self._tracks = np.zeros(1, TRACK)
        self._seen = np.zeros(1, LINK_RESULT)
        self._ended = np.zeros(1, np.int64)

    @property
    def alive(self) -> npt.NDArray[np.void]:
        """(T,) of dtype `TRACK`: a view that the next frame writes over."""
        return self._tracks[: self._count]

    @property
    def ended(self) -> npt.NDArray[np.int64]:
        """Ids of those that ended with the last frame: a view that the next frame writes over."""
        return self._ended[: self._ended_count]

    def clear(self) -> None:
        """Let all trajectories end; their ids are not used again."""
        self._ended[: self._count] = self.alive["id"]
        self._count, self._ended_count = 0, self._count

    def restore(self, alive: npt.NDArray[np.void], next_id: int) -> None:
        """Put `alive`, (T,) of dtype `TRACK`, in the place of what there is."""
        self._make_room(len(alive))
        self._tracks[: len(alive)] = alive
        self._count, self._ended_count, self.next_id = len(alive), 0, next_id

    def update(
        self, link: npt.NDArray[np.int32], found: npt.NDArray[np.void], t_s: float, start: Start, flags: int
    ) -> npt.NDArray[np.void]:
        """Continue the living trajectories, end those missed for more than `memory` frames, begin new ones.

        Parameters
        ----------
        link
            (T,) the particle of each living trajectory, -1 where it has none.
        found
            (N,) of dtype `MEASUREMENT`. Those that no trajectory has begin one, in their order.
        t_s
            Time of the frame, NaN where unknown.
        start
            What is expected of a new one.
        flags
            Set for each particle.

        Returns
        -------
        seen
            (N,) of dtype `LINK_RESULT`: a view that the next frame writes over.
        """
        if self._count + len(found) > len(self._tracks):
            self._make_room(self._count + len(found))
        seen, was = self._seen[: len(found)], self._count
        lived_on, self._count, self.next_id = _follow(
            self._tracks, was, link, found, t_s, self._memory, self._confirm_after, self._filtered,
            self._hidden_is_velocity, flags, start, self._centres_px, self.reach_px, self.next_id, seen, self._ended,
        )  # fmt: skip
        self._ended_count = was - lived_on
        return seen

    def _make_room(self, count: int) -> None:
        self._tracks = ensure_capacity(self._tracks, count)
        self._seen = ensure_capacity(self._seen, count)
        self._ended = ensure_capacity(self._ended, count)


_NEW = int(Flag.NEW)
_TENTATIVE = int(Flag.TENTATIVE)


@njit
def _follow(
    tracks: npt.NDArray[np.void],
    count: int,
    link: npt.NDArray[np.int32],
    found: npt.NDArray[np.void],
    t_s: float,
    memory: int,
    confirm_after: int,
    filtered: bool,
    hidden_is_velocity: bool,
    flags: int,
    start: Start,
    centres: npt.NDArray[np.float64],
    reach: float,
    next_id: int,
    seen: npt.NDArray[np.void],
    ended: npt.NDArray[np.int64],
) -> tuple[int, int, int]:
    """Write `tracks`, `seen` and `ended`; return how many live on, how many live with the new, and the next free id."""
    lived_on = _continue(
        tracks, count, link, found, t_s, memory, confirm_after, filtered, hidden_is_velocity, flags, seen, ended
    )  # fmt: skip
    alive, next_id = _begin(tracks, lived_on, found, t_s, confirm_after, start, centres, reach, flags, next_id, seen)
    return lived_on, alive, next_id


@njit
def _continue(
    tracks: npt.NDArray[np.void],
    count: int,
    link: npt.NDArray[np.int32],
    found: npt.NDArray[np.void],
    t_s: float,
    memory: int,
    confirm_after: int,
    filtered: bool,
    hidden_is_velocity: bool,
    flags: int,
    seen: npt.NDArray[np.void],
    ended: npt.NDArray[np.int64],
) -> int:
    """Write `seen` for the particles that are linked, and `ended`; return how many tracks live on."""
    for j in range(len(seen)):
        seen[j]["id"] = NO_ID
    alive = 0
    for i in range(count):
        track, j = tracks[i], link[i]
        if j >= 0:
            out = seen[j]
            elapsed = t_s - track["t_s"]
            out["id"] = track["id"]
            if not elapsed > 0:
                out["vx"] = out["vy"] = np.nan
            elif hidden_is_velocity:
                out["vx"], out["vy"] = track["x_hidden"], track["y_hidden"]
            else:
                out["vx"] = (found[j]["x"] - track["x_seen"]) / elapsed
                out["vy"] = (found[j]["y"] - track["y_seen"]) / elapsed
            track["seen"] = min(track["seen"] + 1, confirm_after)
            out["flags"] = flags | (_TENTATIVE if track["seen"] < confirm_after else 0)
            _note_sighting(track, found[j], t_s)
            if not filtered:
                track["x"], track["y"] = found[j]["x"], found[j]["y"]
        else:
            track["missed"] += 1
        if track["missed"] > memory:
            ended[i - alive] = track["id"]
        else:
            if alive < i:
                tracks[alive] = track
            alive += 1
    return alive


@njit
def _begin(
    tracks: npt.NDArray[np.void],
    alive: int,
    found: npt.NDArray[np.void],
    t_s: float,
    confirm_after: int,
    start: Start,
    centres: npt.NDArray[np.float64],
    reach: float,
    flags: int,
    next_id: int,
    seen: npt.NDArray[np.void],
) -> tuple[int, int]:
    """Begin a track for each particle without one; return how many tracks there are then, and the next free id."""
    for j in range(len(found)):
        if seen[j]["id"] == NO_ID:
            out, track = seen[j], tracks[alive]
            out["id"] = track["id"] = next_id
            out["vx"] = out["vy"] = np.nan
            out["flags"] = flags | _NEW | (_TENTATIVE if confirm_after > 1 else 0)
            track["seen"], track["steps"] = 1, 0
            _note_sighting(track, found[j], t_s)
            x, y = found[j]["x"], found[j]["y"]
            track["x"], track["x_var"] = x, track["x_noise"]
            track["y"], track["y_var"] = y, track["y_noise"]
            centre = _nearest(centres, x, y, reach)
            if centre >= 0:
                track["x_hidden"], track["x_cov"], track["x_hidden_var"] = centres[centre, 0], 0.0, 0.0
                track["y_hidden"], track["y_cov"], track["y_hidden_var"] = centres[centre, 1], 0.0, 0.0
            else:
                track["x_hidden"] = start.x + start.at_place * x
                track["y_hidden"] = start.y + start.at_place * y
                track["x_cov"] = start.at_place * track["x_noise"]
                track["y_cov"] = start.at_place * track["y_noise"]
                track["x_hidden_var"] = start.var + track["x_cov"]
                track["y_hidden_var"] = start.var + track["y_cov"]
            alive += 1
            next_id += 1
    return alive, next_id


@njit
def _note_sighting(track: np.void, particle: np.void, t_s: float) -> None:
    track["x_seen"], track["x_noise"] = particle["x"], particle["x_var"]
    track["y_seen"], track["y_noise"] = particle["y"], particle["y_var"]
    track["t_s"] = t_s
    track["missed"] = 0


@njit
def _nearest(centres: npt.NDArray[np.float64], x: float, y: float, reach: float) -> int:
    """Return the centre nearest to a place, -1 where none is within reach."""
    best, nearest = -1, reach * reach
    for k in range(len(centres)):
        distance = (centres[k, 0] - x) ** 2 + (centres[k, 1] - y) ** 2
        if distance <= nearest:
            best, nearest = k, distance
    return best


def write_results(seen: npt.NDArray[np.void], rows: Rows) -> None:
    """Write `seen`, (N,) of dtype `LINK_RESULT`, into the `rows` of these particles, (N,); other flags stay."""
    _write_results(seen, rows)


_OTHER_FLAGS = ~np.uint32(Flag.NEW | Flag.TENTATIVE | Flag.APPROXIMATE)


@njit
def _write_results(seen: Any, rows: Any) -> None:
    for j in range(len(rows)):
        rows[j]["id"], rows[j]["vx"], rows[j]["vy"] = seen[j]["id"], seen[j]["vx"], seen[j]["vy"]
        rows[j]["flags"] = (rows[j]["flags"] & _OTHER_FLAGS) | seen[j]["flags"]
