"""Positions of one frame after another, linked into trajectories."""

from __future__ import annotations

from math import inf, isfinite
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt

from livetrack.errors import ConfigError, UsageError
from livetrack.jit import njit
from livetrack.linking.assignment import Assignment
from livetrack.linking.buffers import grown
from livetrack.linking.candidates import Candidates
from livetrack.linking.tracks import Tracks
from livetrack.particles import ROW, Flag, Rows, empty_rows

__all__ = ["Linker"]

_MOTIONS = ("brownian",)

# Coordinates and radii stay far from where their squares overflow or vanish.
_LARGEST_PX = 1e100
_SMALLEST_PX = 1e-100

# The search radius is inclusive, in spite of rounding: a link and the lack of one cost the same there, and the
# link is preferred. A particle that moved by exactly the radius must be found where 0.1 is not quite 0.1.
_INCLUSIVE = 1 + 1e-9


class Linker:
    """Gives each particle the id of its trajectory, frame by frame.

    In each frame the links are those that make the sum of the squared displacements, plus the squared search
    radius for each trajectory without a particle, the least possible over the whole frame (J. C. Crocker,
    D. G. Grier, J. Colloid Interface Sci. 179, 298-310, 1996), exactly and however dense the frame is. New
    trajectories cost nothing. Between equal sums a link is preferred to none, then the order of the particles
    decides: the result is the same in every run.

    Parameters
    ----------
    search_radius_px
        The farthest that a particle can move between the frames where it is seen, px; a particle just so far
        away is linked.
    memory
        For how many frames in a row a trajectory may be missed and still go on, from where it was last
        seen. Frames without any particle count.
    motion
        How particles move: `"brownian"`, each is expected where it was.
    confirm_after
        A trajectory is tentative until it has been seen in so many frames.

    Raises
    ------
    ConfigError
        A parameter out of its bounds.

    Notes
    -----
    The trajectories of the first frame have the ids 0 to n-1 in the order of its particles; later ones go on
    counting, in each frame in the order of its particles. No id is used twice, also not after `reset`.
    The first call compiles for some seconds where no cached code is found: call `warmup` before it matters.
    """

    def __init__(
        self, search_radius_px: float, memory: int = 0, motion: str = "brownian", *, confirm_after: int = 3
    ) -> None:
        if motion not in _MOTIONS:
            raise ConfigError(f"motion must be {' or '.join(map(repr, _MOTIONS))}, not {motion!r}")
        self._radius_px = _length("search_radius_px", search_radius_px) * _INCLUSIVE
        self._last_t_s = -inf
        self._tracks = Tracks(_whole("memory", memory, 0), _whole("confirm_after", confirm_after, 1))
        self._candidates = Candidates()
        self._assignment = Assignment()
        self._points = np.zeros((1, 2))

    def update(self, rows: Rows, t_s: float | None = None) -> None:
        """Link the particles of the next frame and write `id`, `vx`, `vy` and two of the `flags` into `rows`.

        The velocity is the displacement since the trajectory was last seen over the time since then, px/s; NaN
        in a trajectory's first row and where one of the two times is unknown or both are the same.
        `Flag.NEW` and `Flag.TENTATIVE` are set or cleared, other flags are left as they are.

        Parameters
        ----------
        rows
            (N,) of dtype `ROW`, changed in place. A frame without particles is a call with no rows.
        t_s
            When the frame was taken, s; no earlier than the frame before. None where that is unknown.

        Raises
        ------
        UsageError
            Rows of another type or shape, a position that is not finite, or a time that runs backwards.
            Nothing has changed then: the frame counts as not given.
        """
        if not isinstance(rows, np.ndarray) or rows.dtype != ROW or rows.ndim != 1 or not rows.flags.writeable:
            raise UsageError(f"rows must be a writeable (N,) array of dtype livetrack.particles.ROW, not {_kind(rows)}")
        points = self._room_for(len(rows))
        points[:, 0] = rows["x"]
        points[:, 1] = rows["y"]
        seen = self._link(points, t_s)
        for name in ("id", "vx", "vy"):
            rows[name] = seen[name]
        rows["flags"] &= _OTHER_FLAGS
        rows["flags"] |= seen["flags"]

    def link_points(self, points: npt.ArrayLike, t_s: float | None = None) -> npt.NDArray[np.int64]:
        """Link the points of the next frame and return the id of each, as trackpy users expect.

        Parameters
        ----------
        points
            (N, 2) positions, px, of any real type and in either order of the axes; (0, 2) or an empty list for a
            frame without particles.
        t_s
            When the frame was taken, s; no earlier than the frame before. None where that is unknown.

        Returns
        -------
        ids
            (N,) the trajectory of each point.

        Raises
        ------
        UsageError
            Points of another shape or type, not finite, or a time that runs backwards. Nothing has changed then.
        """
        try:
            given = np.asarray(points, dtype=np.float64)
        except (TypeError, ValueError):
            raise UsageError(f"points must be an (N, 2) array of numbers, not {_kind(points)}") from None
        if given.shape == (0,):
            given = given.reshape(0, 2)
        if given.ndim != 2 or given.shape[1] != 2:
            raise UsageError(f"points must have the shape (N, 2), not {given.shape}")
        own = self._room_for(len(given))
        own[:] = given
        return self._link(own, t_s)["id"].copy()

    def reset(self) -> None:
        """End all trajectories and forget the time: the next frame begins anew, with ids that go on counting."""
        self._tracks.clear()
        self._last_t_s = -inf

    def warmup(self) -> None:
        """Compile all that linking needs, or load it from the cache; the state of this linker is left alone."""
        other = Linker(1.0, memory=1)
        for count in (2, 2, 0, 2):
            rows = empty_rows(count)
            rows["x"] = rows["y"] = 0.0
            other.update(rows, 0.0)

    def _room_for(self, count: int) -> npt.NDArray[np.float64]:
        self._points = grown(self._points, count)
        return self._points[:count]

    def _link(self, points: npt.NDArray[np.float64], t_s: float | None) -> npt.NDArray[np.void]:
        """Link (N, 2) contiguous points: return (N,) of dtype `SEEN`, good until the next call."""
        wrong = _first_unusable(points)
        if wrong < len(points):
            raise UsageError(f"positions must be finite, but particle {wrong} is at {tuple(points[wrong].tolist())}")
        now_s = self._advance(t_s)
        alive = self._tracks.alive
        found = self._candidates
        found.find(alive, points, self._radius_px)
        link = self._assignment.solve(
            len(alive), len(points), found.first, found.column, found.cost, self._radius_px**2
        )
        return self._tracks.follow(link, points, now_s)

    def _advance(self, t_s: float | None) -> float:
        """Return the time of the frame, NaN where it is unknown."""
        if t_s is None:
            return np.nan
        now_s = float(t_s)
        if not isfinite(now_s) or now_s < self._last_t_s:
            raise UsageError(f"t_s must be finite and must not run backwards: {now_s} s after {self._last_t_s} s")
        self._last_t_s = now_s
        return now_s


_OTHER_FLAGS = ~np.uint32(Flag.NEW | Flag.TENTATIVE)


def _length(name: str, value: object) -> float:
    if not isinstance(value, Real) or not _SMALLEST_PX <= float(value) <= _LARGEST_PX:
        raise ConfigError(f"{name} must be a positive number of pixels, not {value!r}")
    return float(value)


def _whole(name: str, value: object, least: int) -> int:
    if not isinstance(value, Integral) or value < least:
        raise ConfigError(f"{name} must be a whole number of frames, {least} or more, not {value!r}")
    return int(value)


def _kind(value: object) -> str:
    """Name the type of `value`, and of an array its dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"{'' if value.flags.writeable else 'read-only '}{value.dtype} of shape {value.shape}"
    return type(value).__name__


@njit
def _first_unusable(points: npt.NDArray[np.float64]) -> int:
    """Return the first point that is NaN, infinite or out of bounds, the number of points where all are good."""
    for j in range(len(points)):
        if not (abs(points[j, 0]) <= _LARGEST_PX and abs(points[j, 1]) <= _LARGEST_PX):
            return j
    return len(points)
