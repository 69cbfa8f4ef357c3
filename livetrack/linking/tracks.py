"""The active tracks and how a frame changes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.linking.buffers import ensure_capacity
from livetrack.linking.motion import Start
from livetrack.linking.records import TRACK
from livetrack.particles import NO_ID, Flag, Rows

__all__ = ["Tracks"]


class Tracks:
    """The active tracks, oldest first. A track that has been missed for too long ends and is removed.

    Parameters
    ----------
    memory
        Number of successive frames that a track may be missed.
    confirm_after
        A track is tentative until it has been seen in this many frames.
    filtered
        Whether a Kalman filter predicts the positions; if not, each particle is expected where it was seen last.
    hidden_is_velocity
        Whether the filter's hidden state is a velocity, which is then the velocity reported.
    centres_px
        (K, 2) known trap centres: a new track within `reach_px` of one belongs to the nearest.
    reach_px
        May be changed by `set_reach`.
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
        self._rules = np.array([(memory, confirm_after, filtered, hidden_is_velocity, reach_px)], _RULES)
        self._centres_px = centres_px
        self._count = self._ended_count = 0
        self._tracks = np.zeros(1, TRACK)
        self._ended = np.zeros(1, np.int64)

    def set_reach(self, reach_px: float) -> None:
        """Change the distance within which a new track belongs to a known trap."""
        self._rules["reach"] = reach_px

    @property
    def alive(self) -> npt.NDArray[np.void]:
        """(T,) of dtype `TRACK`, the active tracks: a view that the next frame overwrites."""
        return self._tracks[: self._count]

    @property
    def ended(self) -> npt.NDArray[np.int64]:
        """Ids of the tracks that ended with the last frame: a view that the next frame overwrites."""
        return self._ended[: self._ended_count]

    def clear(self) -> None:
        """End all tracks. Their ids are not used again."""
        self._ended[: self._count] = self.alive["id"]
        self._count, self._ended_count = 0, self._count

    def scale_velocities(self, factor: float) -> None:
        """Multiply the velocities that the filter holds, and their uncertainties: the unit of time has changed."""
        if self._rules["hidden_is_velocity"][0]:
            for axis in "xy":
                self.alive[f"{axis}_hidden"] *= factor
                self.alive[f"{axis}_cov"] *= factor
                self.alive[f"{axis}_hidden_var"] *= factor**2

    def restore(self, alive: npt.NDArray[np.void], next_id: int) -> None:
        """Replace all tracks by `alive`, (T,) of dtype `TRACK`."""
        self._grow(len(alive))
        self._tracks[: len(alive)] = alive
        self._count, self._ended_count, self.next_id = len(alive), 0, next_id

    def update(
        self,
        link: npt.NDArray[np.int32],
        measured: npt.NDArray[np.void],
        t_s: float,
        start: Start,
        flags: int,
        rows: Rows,
    ) -> None:
        """Continue the linked tracks, end those missed for more than `memory` frames, start new ones.

        Parameters
        ----------
        link
            (T,) index of each active track's particle, -1 for none.
        measured
            (N,) of dtype `MEASUREMENT`. Particles without a track start one, in their order.
        t_s
            Time of the frame, NaN if unknown.
        start
            Initial state of new tracks.
        flags
            Set for each particle.
        rows
            (N,) rows of the particles, contiguous, whose ids, velocities and flags are written.
        """
        if self._count + len(measured) > len(self._tracks):
            self._grow(self._count + len(measured))
        before = self._count
        continued, self._count, self.next_id = _update(
            self._tracks, before, link, measured, t_s, self._rules, flags, self._centres_px, self.next_id, rows,
            self._ended, *start,
        )  # fmt: skip
        self._ended_count = before - continued

    def _grow(self, count: int) -> None:
        self._tracks = ensure_capacity(self._tracks, count)
        self._ended = ensure_capacity(self._ended, count)


# A record, because a NamedTuple would cost each call 0.5 µs more.
_RULES = np.dtype(
    [("memory", "<i8"), ("confirm_after", "<i8"), ("filtered", "?"), ("hidden_is_velocity", "?"), ("reach", "<f8")],
    align=True,
)
_NEW = np.uint32(Flag.NEW)
_TENTATIVE = np.uint32(Flag.TENTATIVE)
_OTHER_FLAGS = ~np.uint32(Flag.NEW | Flag.TENTATIVE | Flag.APPROXIMATE)


@njit
def _update(
    tracks: npt.NDArray[np.void],
    count: int,
    link: npt.NDArray[np.int32],
    measured: npt.NDArray[np.void],
    t_s: float,
    rules: npt.NDArray[np.void],
    flags: int,
    centres: npt.NDArray[np.float64],
    next_id: int,
    rows: Rows,
    ended: npt.NDArray[np.int64],
    *start: float,
) -> tuple[int, int, int]:
    """Fill `tracks`, `rows` and `ended`; return the numbers of continued and of all tracks, and the next free id."""
    continued = _continue(tracks, count, link, measured, t_s, rules[0], flags, rows, ended)
    alive, next_id = _start(tracks, continued, measured, t_s, rules[0], Start(*start), centres, next_id, rows)
    return continued, alive, next_id


@njit
def _continue(
    tracks: npt.NDArray[np.void],
    count: int,
    link: npt.NDArray[np.int32],
    measured: npt.NDArray[np.void],
    t_s: float,
    rules: np.void,
    flags: int,
    rows: Rows,
    ended: npt.NDArray[np.int64],
) -> int:
    """Fill `rows` for linked particles, and `ended`; return the number of continued tracks."""
    for j in range(len(rows)):
        rows[j]["id"] = NO_ID
        rows[j]["flags"] = (rows[j]["flags"] & _OTHER_FLAGS) | flags
    alive = 0
    for i in range(count):
        track, j = tracks[i], link[i]
        if j >= 0:
            row = rows[j]
            elapsed = t_s - track["t_s"]
            row["id"] = track["id"]
            if not elapsed > 0:
                row["vx"] = row["vy"] = np.nan
            elif rules["hidden_is_velocity"]:
                row["vx"], row["vy"] = track["x_hidden"], track["y_hidden"]
            else:
                row["vx"] = (measured[j]["x"] - track["x_seen"]) / elapsed
                row["vy"] = (measured[j]["y"] - track["y_seen"]) / elapsed
            track["seen"] = min(track["seen"] + 1, rules["confirm_after"])
            if track["seen"] < rules["confirm_after"]:
                row["flags"] |= _TENTATIVE
            _record_measurement(track, measured[j], t_s)
            if not rules["filtered"]:
                track["x"], track["y"] = measured[j]["x"], measured[j]["y"]
        else:
            track["missed"] += 1
        if track["missed"] > rules["memory"]:
            ended[i - alive] = track["id"]
        else:
            if alive < i:
                tracks[alive] = track
            alive += 1
    return alive


@njit
def _start(
    tracks: npt.NDArray[np.void],
    alive: int,
    measured: npt.NDArray[np.void],
    t_s: float,
    rules: np.void,
    start: Start,
    centres: npt.NDArray[np.float64],
    next_id: int,
    rows: Rows,
) -> tuple[int, int]:
    """Start a track for each particle without one; return the number of tracks, and the next free id."""
    for j in range(len(measured)):
        if rows[j]["id"] == NO_ID:
            row, track = rows[j], tracks[alive]
            row["id"] = track["id"] = next_id
            row["vx"] = row["vy"] = np.nan
            row["flags"] |= _NEW | (_TENTATIVE if rules["confirm_after"] > 1 else 0)
            track["seen"], track["steps"] = 1, 0
            _record_measurement(track, measured[j], t_s)
            x, y = measured[j]["x"], measured[j]["y"]
            track["x"], track["x_var"] = x, track["x_noise"]
            track["y"], track["y_var"] = y, track["y_noise"]
            centre = _nearest(centres, x, y, rules["reach"])
            if centre >= 0:
                track["x_hidden"], track["x_cov"], track["x_hidden_var"] = centres[centre, 0], 0.0, 0.0
                track["y_hidden"], track["y_cov"], track["y_hidden_var"] = centres[centre, 1], 0.0, 0.0
            else:
                track["x_hidden"] = start.x + start.position_factor * x
                track["y_hidden"] = start.y + start.position_factor * y
                track["x_cov"] = start.position_factor * track["x_noise"]
                track["y_cov"] = start.position_factor * track["y_noise"]
                track["x_hidden_var"] = start.var + track["x_cov"]
                track["y_hidden_var"] = start.var + track["y_cov"]
            alive += 1
            next_id += 1
    return alive, next_id


@njit
def _record_measurement(track: np.void, particle: np.void, t_s: float) -> None:
    track["x_seen"], track["x_noise"] = particle["x"], particle["x_var"]
    track["y_seen"], track["y_noise"] = particle["y"], particle["y_var"]
    track["t_s"] = t_s
    track["missed"] = 0


@njit
def _nearest(centres: npt.NDArray[np.float64], x: float, y: float, reach: float) -> int:
    """Return the index of the nearest centre, -1 if none is within reach."""
    best, nearest = -1, reach * reach
    for k in range(len(centres)):
        distance = (centres[k, 0] - x) ** 2 + (centres[k, 1] - y) ** 2
        if distance <= nearest:
            best, nearest = k, distance
    return best
