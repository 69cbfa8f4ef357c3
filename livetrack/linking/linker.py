"""Positions of one frame after another, linked into trajectories."""

from __future__ import annotations

from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import ConfigError, InputError, UsageError
from livetrack.linking import kalman, serialization, validation
from livetrack.linking.assignment import Assignment
from livetrack.linking.candidates import Candidates
from livetrack.linking.frame_clock import FrameClock
from livetrack.linking.kalman import Predictions
from livetrack.linking.likelihood import Likelihood
from livetrack.linking.measurements import MeasurementBuffer
from livetrack.linking.motion import MOTIONS, Start, Step
from livetrack.linking.motion_statistics import MotionStatistics
from livetrack.linking.tracks import Tracks, write_results
from livetrack.particles import ROW, Flag, Rows, empty_rows

__all__ = ["Linker"]

# The search radius is inclusive, in spite of rounding: a link and the lack of one cost the same there, and the
# link is preferred. A particle that moved by exactly the radius must be found where 0.1 is not quite 0.1.
_INCLUSIVE = 1 + 1e-9


class Linker:
    """Gives each particle the id of its trajectory, frame by frame.

    In each frame the links are those whose prices, plus a fixed price for each trajectory without a particle, make
    the least possible sum over the whole frame, exactly. New trajectories cost nothing. Between equal sums a link is
    preferred to none, then the order of the particles decides: the result is the same in every run.

    With the defaults each particle is expected where it was, a link costs the squared displacement, and a trajectory
    without a particle the squared search radius (J. C. Crocker, D. G. Grier, J. Colloid Interface Sci. 179, 298-310,
    1996), as in trackpy. With another motion, or with `gate="learnt"`, a Kalman filter of each trajectory tells where
    its particle is expected and how surely, from how the particles of this session were seen to move, the times of
    the frames and the uncertainty that each position states; and with `gate="learnt"` a link costs what
    `livetrack.linking.likelihood` says.

    Parameters
    ----------
    search_radius_px
        The farthest that a particle can be from where it is expected, px; one just so far away is linked.
    memory
        For how many frames in a row a trajectory may be missed and still go on. Frames without any particle count.
    motion
        Where particles are expected. `"brownian"`: where they were. `"velocity"`: where their velocity takes them, as
        far as the particles of this session do keep their velocities. `"trap"`: drawn back to a centre of their own.
    gate
        `"radius"`: within the search radius, the nearer the better. `"learnt"`: within the search radius, the likelier
        the better, and where particles are crowded no farther than the motion seen until now makes likely. None: the
        former for `"brownian"`, the latter for the others.
    confirm_after
        A trajectory is tentative until it has been seen in so many frames.
    trap_centres_px
        (K, 2) centres (x, y) of traps that are known, for `motion="trap"`: a particle that appears within the search
        radius of one belongs to it. The centres of other particles are learnt.

    Attributes
    ----------
    approximate_frames
        Frames so crowded that not all possible links could be weighed in some tens of milliseconds: hundreds of
        particles all within each other's reach. Their links are good, not the best, and their rows have
        `Flag.APPROXIMATE`. What counts is the number of operations, not the clock: the result is the same in every run.

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
        self,
        search_radius_px: float,
        memory: int = 0,
        motion: str = "brownian",
        *,
        gate: str | None = None,
        confirm_after: int = 3,
        trap_centres_px: npt.ArrayLike = (),
    ) -> None:
        if gate is None:
            gate = "radius" if motion == "brownian" else "learnt"
        radius_px = validation.check_length("search_radius_px", search_radius_px)
        centres_px = validation.check_centres(trap_centres_px, motion)
        self.settings: dict[str, Any] = {
            "search_radius_px": radius_px,
            "memory": validation.check_count("memory", memory, 0),
            "motion": validation.check_choice("motion", motion, tuple(MOTIONS)),
            "gate": validation.check_choice("gate", gate, _GATES),
            "confirm_after": validation.check_count("confirm_after", confirm_after, 1),
            "trap_centres_px": centres_px.tolist(),
        }
        self.approximate_frames = 0
        self._radius_px = radius_px * _INCLUSIVE
        self._clock = FrameClock()
        self._motion = MOTIONS[motion]()
        self._moments = MotionStatistics(radius_px)
        self._likelihood = Likelihood(self._radius_px) if self.settings["gate"] == "learnt" else None
        self._filtered = self._likelihood is not None or motion != "brownian"
        self._tracks = Tracks(
            self.settings["memory"], self.settings["confirm_after"], self._filtered, self._motion.hidden_is_velocity,
            centres_px, radius_px,
        )  # fmt: skip
        self._found = MeasurementBuffer()
        self._candidates = Candidates()
        self._assignment = Assignment()
        self._expected = Predictions()
        self._first_born = 0

    def update(self, rows: Rows, t_s: float | None = None) -> None:
        """Link the particles of the next frame and write `id`, `vx`, `vy` and some of the `flags` into `rows`.

        The velocity in px/s is what the filter makes of it with `motion="velocity"`; else it is the displacement
        since the trajectory was last seen over the time since then. It is NaN in a trajectory's first row and where
        one of the two times is unknown or both are the same. `Flag.NEW`, `Flag.TENTATIVE` and `Flag.APPROXIMATE` are
        set or cleared, other flags are left as they are.

        Parameters
        ----------
        rows
            (N,) of dtype `ROW`, changed in place. A frame without particles is a call with no rows. `x_std`, `y_std`,
            `xy_cov` and `score` count where they are known, that is, not NaN.
        t_s
            When the frame was taken, s; no earlier than the frame before. None where that is unknown: such a frame
            counts as one usual interval after the one before.

        Raises
        ------
        UsageError
            Rows of another type or shape, a position that is not finite, or a time that runs backwards.
            Nothing has changed then: the frame counts as not given.
        """
        if not isinstance(rows, np.ndarray) or rows.dtype != ROW or rows.ndim != 1 or not rows.flags.writeable:
            raise UsageError(f"rows must be a writeable (N,) array of dtype livetrack.particles.ROW, not {_kind(rows)}")
        write_results(self._link(self._found.of_rows(rows), self._clock.check(t_s)), rows)

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
        return self._link(self._found.of_points(given), self._clock.check(t_s))["id"].copy()

    def predict(self, t_s: float | None = None) -> Rows:
        """Return where each living trajectory is expected, also those that were not seen in the last frame.

        Parameters
        ----------
        t_s
            When, s; no earlier than the last frame. None for one usual interval after it.

        Returns
        -------
        rows
            (T,) of dtype `ROW`, the oldest first, a view that the next call writes over. `id`, `x`, `y`, their
            uncertainty `x_std`, `y_std` (`xy_cov` is 0: the axes are filtered on their own), `vx`, `vy` where the
            motion has a velocity and frames have times, and the flags `COASTED` and `TENTATIVE`; the rest is NaN, and
            so is the uncertainty with `motion="brownian"` and `gate="radius"`, where nothing is learnt.

        Raises
        ------
        UsageError
            A time before the last frame.
        """
        clock = self._clock
        interval_s = clock.interval_s
        dt_s = interval_s if t_s is None else clock.until(clock.check(t_s))
        if dt_s < 0:
            raise UsageError(f"t_s must be no earlier than the last frame: {t_s} s is before {clock.now_s} s")
        step = self._motion.step(self._moments, dt_s, interval_s) if self._filtered else _UNKNOWN_STEP
        velocity_known = self._motion.hidden_is_velocity and not isnan(clock.now_s)
        return self._expected.at(self._tracks.alive, step, velocity_known, self.settings["confirm_after"])

    @property
    def started(self) -> npt.NDArray[np.int64]:
        """Ids of the trajectories that the last frame began, in the order of its particles."""
        return np.arange(self._first_born, self._tracks.next_id)

    @property
    def ended(self) -> npt.NDArray[np.int64]:
        """Ids of the trajectories that the last frame, or `reset`, ended, the oldest first."""
        return self._tracks.ended.copy()

    @property
    def total_started(self) -> int:
        """How many trajectories all frames until now have begun."""
        return self._tracks.next_id

    @property
    def total_ended(self) -> int:
        """How many of these have ended."""
        return self._tracks.next_id - len(self._tracks.alive)

    def set_search_radius(self, search_radius_px: float) -> None:
        """Take another search radius, px, from the next frame on; the trajectories go on.

        Raises
        ------
        ConfigError
            It is not above 0, or not finite; nothing has changed then.
        """
        radius_px = validation.check_length("search_radius_px", search_radius_px)
        self.settings["search_radius_px"] = radius_px
        self._radius_px = radius_px * _INCLUSIVE
        learnt = self._moments.sums
        self._moments = MotionStatistics(radius_px)
        self._moments.restore(learnt)
        if self._likelihood is not None:
            self._likelihood = Likelihood(self._radius_px)
        self._tracks.reach_px = radius_px

    def reset(self) -> None:
        """End all trajectories and forget the time: the next frame begins anew, with ids that go on counting.

        How the particles move is remembered.
        """
        self._tracks.clear()
        self._clock.forget()
        self._first_born = self._tracks.next_id

    def save(self, path: str | Path) -> None:
        """Write all that the next frame's links depend on, so that `load` goes on from here.

        Raises
        ------
        UsageError
            The file cannot be written.
        """
        figures = {"settings": self.settings, "hurried": self.approximate_frames, "next_id": self._tracks.next_id}
        serialization.write(path, {**figures, "clock": self._clock.state()}, self._tracks.alive, self._moments.sums)

    @classmethod
    def load(cls, path: str | Path) -> Linker:
        """Return the linker that `save` wrote.

        Raises
        ------
        InputError
            The file cannot be read, or is not one of these.
        """
        figures, alive, sums = serialization.read(path)
        try:
            linker = cls(**figures["settings"])
            linker._clock.restore(figures["clock"])
        except (TypeError, ValueError, KeyError, ConfigError):
            raise InputError(f"{path}: not the state of a linker") from None
        linker.approximate_frames = figures["hurried"]
        linker._moments.restore(sums)
        linker._tracks.restore(alive, figures["next_id"])
        linker._first_born = figures["next_id"]
        return linker

    def warmup(self) -> None:
        """Compile all that linking needs, or load it from the cache; the state of this linker is left alone."""
        other = Linker(1.0, memory=1, gate="learnt")
        for count in (2, 2, 0, 2):
            rows = empty_rows(count)
            rows["x"] = rows["y"] = 0.0
            other.update(rows, 0.0)
        other.link_points([(0, 0)])
        other.predict()

    def _link(self, found: npt.NDArray[np.void], time_s: float) -> npt.NDArray[np.void]:
        """Link (N,) particles of dtype `MEASUREMENT`: return (N,) of dtype `LINK_RESULT`, good until the next call."""
        dt_s, interval_s = self._clock.advance(time_s), self._clock.interval_s
        tracks, candidates = self._tracks.alive, self._candidates
        if self._filtered:
            kalman.predict(tracks, self._motion.step(self._moments, dt_s, interval_s))
        whole = candidates.find(tracks, found, self._radius_px)
        unlinked_cost = self._radius_px**2
        if self._likelihood is not None:
            unlinked_cost = self._likelihood.price(tracks, found, candidates)
        link = self._assignment.solve(
            len(tracks), len(found), candidates.first, candidates.column, candidates.cost, unlinked_cost
        )
        start = _UNKNOWN_START
        if self._filtered:
            self._moments.learn(tracks, link, found)
            kalman.correct(tracks, link, found)
            start = self._motion.start(self._moments, interval_s)
        flags = 0 if whole and self._assignment.exact else _APPROXIMATE
        self.approximate_frames += flags == _APPROXIMATE
        self._first_born = self._tracks.next_id
        return self._tracks.update(link, found, time_s, start, flags)


# Without a filter: each is expected where it was, and how surely is not known.
_UNKNOWN_STEP, _UNKNOWN_START = Step(1.0, 0.0, 0.0, place_var=nan), Start()
_GATES = ("radius", "learnt")
_APPROXIMATE = int(Flag.APPROXIMATE)


def _kind(value: object) -> str:
    """Name the type of `value`, and of an array its dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"{'' if value.flags.writeable else 'read-only '}{value.dtype} of shape {value.shape}"
    return type(value).__name__
