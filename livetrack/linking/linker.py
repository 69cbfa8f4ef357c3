"""Links the particles of one frame after another into tracks."""

from __future__ import annotations

from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import ConfigError, InputError, UsageError
from livetrack.linking import kalman, serialization, validation
from livetrack.linking.frame_clock import FrameClock
from livetrack.linking.matching import match
from livetrack.linking.measurements import MeasurementBuffer
from livetrack.linking.motion import MOTIONS, Start, Step
from livetrack.linking.motion_statistics import MotionStatistics
from livetrack.linking.tracks import Tracks
from livetrack.particles import ROW, Flag, Rows, empty_rows

__all__ = ["Linker"]

# The search radius is inclusive despite rounding. At exactly the radius, a link and no link cost the same, and the
# link is preferred. A particle that moved by exactly the radius must be found although 0.1 is not exactly 0.1.
_INCLUSIVE = 1 + 1e-9


class Linker:
    """Assigns each particle the id of its track, frame by frame.

    In each frame the links minimise the sum of their costs plus a fixed cost for each track without a particle,
    globally and exactly. New tracks cost nothing. Among equal sums, a link is preferred to none, then the order of the
    particles decides, so that the result is the same in every run.

    With the defaults each particle is expected where it was, a link costs the squared displacement, and a track
    without a particle the squared search radius, as in trackpy (J. C. Crocker, D. G. Grier, J. Colloid Interface Sci.
    179, 298-310, 1996). With another motion, or with `gate="learnt"`, a Kalman filter of each track predicts the
    position of its particle and the uncertainty, from the motion measured in this session, the times of the frames and
    the uncertainties of the positions. With `gate="learnt"` the cost of a link is that of
    `livetrack.linking.likelihood`.

    Parameters
    ----------
    search_radius_px
        Maximum distance, inclusive, between the expected and the found position, px.
    memory
        Number of successive frames that a track may be missed and still continue. Frames without any particle count.
    motion
        Where particles are expected. `"brownian"`: where they were. `"velocity"`: where their velocity takes them, as
        far as the particles of this session keep their velocities. `"trap"`: drawn back to a centre of their own.
    gate
        `"radius"`: the nearest particle within the search radius. `"learnt"`: the most likely one within the search
        radius, and in crowded frames only within the distance that the measured motion makes likely. None: `"radius"`
        for `"brownian"`, else `"learnt"`.
    confirm_after
        A track is tentative until it has been seen in this many frames.
    trap_centres_px
        (K, 2) known trap centres (x, y), for `motion="trap"`: a particle that appears within the search radius of one
        belongs to it. The centres of other particles are estimated.
    drift_px
        Known mean displacement of the particles per frame, along x and y: new tracks start with it. With
        `motion="velocity"` it holds until the drift has been measured, with `"brownian"` throughout; `"trap"` has none.

    Attributes
    ----------
    approximate_frames
        Number of frames so crowded that not all possible links could be examined, with hundreds of particles within
        one search radius. Their links are good but not optimal, and their rows have `Flag.APPROXIMATE`. The limit is
        on the number of operations, not on time, so that the result is the same in every run.

    Raises
    ------
    ConfigError
        A parameter is out of bounds.

    Notes
    -----
    Tracks of the first frame have the ids 0 to n-1 in the order of its particles; later ones continue the count, in
    each frame in the order of its particles. No id is used twice, not even after `reset`.
    Without cached code, the first call compiles for some seconds; call `warmup` before that matters.
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
        drift_px: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        if gate is None:
            gate = "radius" if motion == "brownian" else "learnt"
        radius_px = validation.check_length("search_radius_px", search_radius_px)
        centres_px = validation.check_centres(trap_centres_px, motion)
        self._drift_px = validation.check_drift(drift_px, motion)
        self.settings: dict[str, Any] = {
            "search_radius_px": radius_px,
            "memory": validation.check_count("memory", memory, 0),
            "motion": validation.check_choice("motion", motion, tuple(MOTIONS)),
            "gate": validation.check_choice("gate", gate, _GATES),
            "confirm_after": validation.check_count("confirm_after", confirm_after, 1),
            "trap_centres_px": centres_px.tolist(),
            "drift_px": list(self._drift_px),
        }
        self.approximate_frames = 0
        self._radius_px = radius_px * _INCLUSIVE
        self._clock = FrameClock()
        self._motion = MOTIONS[motion]()
        self._statistics = MotionStatistics(radius_px, self._drift_px)
        self._learnt = self.settings["gate"] == "learnt"
        self._filtered = self._learnt or motion != "brownian" or any(self._drift_px)
        self._tracks = Tracks(
            self.settings["memory"], self.settings["confirm_after"], self._filtered, self._motion.hidden_is_velocity,
            centres_px, radius_px,
        )  # fmt: skip
        self._measurements = MeasurementBuffer()
        self._predictions = kalman.Predictions()
        self._first_started = 0

    def update(self, rows: Rows, t_s: float | None = None) -> None:
        """Link the particles of the next frame: write `id`, `vx`, `vy` and some of the `flags` into `rows`.

        With `motion="velocity"` the velocity, px/s, is the filter's estimate; else it is the displacement since the
        track was last seen divided by the time since then. It is NaN in the first row of a track, and if one of the
        two times is unknown or both are the same. `Flag.NEW`, `Flag.TENTATIVE` and `Flag.APPROXIMATE` are set or
        cleared; other flags are kept.

        Parameters
        ----------
        rows
            (N,) of dtype `ROW`, changed in place; no rows for a frame without particles. `x_std`, `y_std`, `xy_cov`
            and `score` are used unless they are NaN.
        t_s
            Time of the frame, s, no earlier than that of the frame before. None if unknown: the frame then counts as
            one usual interval after the frame before.

        Raises
        ------
        UsageError
            Rows of another type or shape, a position that is not finite, or a time that runs backwards. The linker is
            then unchanged, as if it had not been called.
        """
        if not isinstance(rows, np.ndarray) or rows.dtype != ROW or rows.ndim != 1 or not rows.flags.writeable:
            given = _describe(rows)
            raise UsageError(f"rows must be a writeable (N,) array of dtype livetrack.particles.ROW, not {given}")
        contiguous = rows if rows.flags.carray else rows.copy()
        self._link(self._measurements.from_rows(contiguous), self._clock.check(t_s), contiguous)
        if contiguous is not rows:
            rows[:] = contiguous

    def link_points(self, points: npt.ArrayLike, t_s: float | None = None) -> npt.NDArray[np.int64]:
        """Link the points of the next frame and return the id of each.

        Parameters
        ----------
        points
            (N, 2) positions, px, of any real type and in either order of the axes; (0, 2) or an empty list for a
            frame without particles.
        t_s
            Time of the frame, s, no earlier than that of the frame before; None if unknown.

        Returns
        -------
        ids
            (N,) the track of each point.

        Raises
        ------
        UsageError
            Points of another shape or type, not finite, or a time that runs backwards. The linker is then unchanged.
        """
        try:
            given = np.asarray(points, dtype=np.float64)
        except (TypeError, ValueError):
            raise UsageError(f"points must be an (N, 2) array of numbers, not {_describe(points)}") from None
        if given.shape == (0,):
            given = given.reshape(0, 2)
        if given.ndim != 2 or given.shape[1] != 2:
            raise UsageError(f"points must have the shape (N, 2), not {given.shape}")
        rows = np.zeros(len(given), ROW)
        self._link(self._measurements.from_points(given), self._clock.check(t_s), rows)
        return rows["id"].copy()

    def predict(self, t_s: float | None = None) -> Rows:
        """Return the expected positions of all active tracks, including those missed in the last frame.

        Parameters
        ----------
        t_s
            Time of the prediction, s, no earlier than the last frame; None for one usual interval after it.

        Returns
        -------
        rows
            (T,) of dtype `ROW`, oldest track first, a view that the next call overwrites. Filled are `id`, `x`, `y`,
            their uncertainties `x_std`, `y_std` (`xy_cov` is 0: the axes are filtered independently), `vx`, `vy` if
            the motion has a velocity and frames have times, and the flags `COASTED` and `TENTATIVE`; the rest is NaN.
            With `motion="brownian"` and `gate="radius"` the uncertainties are NaN too.

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
        if not clock.measured:  # a first frame has passed at most: the next one comes an interval later
            dt_s = interval_s
        step = self._motion.step(self._statistics, dt_s, interval_s) if self._filtered else _UNKNOWN_STEP
        velocity_known = self._motion.hidden_is_velocity and not isnan(clock.now_s)
        return self._predictions.at(self._tracks.alive, step, velocity_known, self.settings["confirm_after"])

    @property
    def interval_s(self) -> float:
        """Usual time between frames, s; 1 until it was set, or two frames had times."""
        return self._clock.interval_s

    @property
    def started(self) -> npt.NDArray[np.int64]:
        """Ids of the tracks that started in the last frame, in the order of its particles."""
        return np.arange(self._first_started, self._tracks.next_id)

    @property
    def ended(self) -> npt.NDArray[np.int64]:
        """Ids of the tracks that ended with the last frame or `reset`, oldest first."""
        return self._tracks.ended.copy()

    @property
    def total_started(self) -> int:
        """Number of tracks started so far."""
        return self._tracks.next_id

    @property
    def total_ended(self) -> int:
        """Number of tracks ended so far."""
        return self._tracks.next_id - len(self._tracks.alive)

    def set_search_radius(self, search_radius_px: float) -> None:
        """Change the search radius, px, from the next frame on; tracks continue.

        Raises
        ------
        ConfigError
            The radius is not positive, or not finite; nothing has changed then.
        """
        radius_px = validation.check_length("search_radius_px", search_radius_px)
        self.settings["search_radius_px"] = radius_px
        self._radius_px = radius_px * _INCLUSIVE
        sums = self._statistics.sums
        self._statistics = MotionStatistics(radius_px, self._drift_px)
        self._statistics.restore(sums)
        self._tracks.set_reach(radius_px)

    def set_interval(self, interval_s: float) -> None:
        """Set the usual time between frames, s, as known of a movie; else it follows from the times of the frames.

        Raises
        ------
        ConfigError
            It is not positive, or not finite; nothing has changed then.
        """
        self._clock.set_interval(validation.check_interval(interval_s))

    def reset(self) -> None:
        """End all tracks and clear the time; ids continue to count, and the motion statistics are kept."""
        self._tracks.clear()
        self._clock.reset()
        self._first_started = self._tracks.next_id

    def save(self, path: str | Path) -> None:
        """Write everything that the next frame's links depend on, for `load`.

        Raises
        ------
        UsageError
            The file cannot be written.
        """
        scalars = {
            "settings": self.settings,
            "hurried": self.approximate_frames,  # the name in files
            "next_id": self._tracks.next_id,
            "clock": self._clock.state(),
        }
        serialization.write(path, scalars, self._tracks.alive, self._statistics.sums)

    @classmethod
    def load(cls, path: str | Path) -> Linker:
        """Return the linker that `save` wrote.

        Raises
        ------
        InputError
            The file cannot be read, or is not the state of a linker.
        """
        scalars, alive, sums = serialization.read(path)
        try:
            linker = cls(**scalars["settings"])
            linker._clock.restore(scalars["clock"])
        except (TypeError, ValueError, KeyError, ConfigError):
            raise InputError(f"{path}: not the state of a linker") from None
        linker.approximate_frames = scalars["hurried"]
        linker._statistics.restore(sums)
        linker._tracks.restore(alive, scalars["next_id"])
        linker._first_started = scalars["next_id"]
        return linker

    def warmup(self) -> None:
        """Compile all kernels of linking, or load them from the cache; this linker is unchanged."""
        other = Linker(1.0, memory=1, gate="learnt")
        for count in (2, 2, 0, 2):
            rows = empty_rows(count)
            rows["x"] = rows["y"] = 0.0
            other.update(rows, 0.0)
        other.link_points([(0, 0)])
        other.predict()

    def _link(self, measured: npt.NDArray[np.void], time_s: float, rows: Rows) -> None:
        """Link (N,) particles of dtype `MEASUREMENT`; write the result into their `rows`, (N,), contiguous."""
        clock = self._clock
        before, before_s = clock.measured, clock.interval_s
        dt_s, interval_s = clock.advance(time_s), clock.interval_s
        if clock.measured and not before:  # velocities were per assumed interval
            self._tracks.scale_velocities(before_s / interval_s)
        tracks, statistics, step, start = self._tracks, self._statistics, _UNKNOWN_STEP, _UNKNOWN_START
        if self._filtered:
            step = self._motion.step(statistics, dt_s, interval_s)
        link, linked, exact = match(
            tracks.alive, measured, self._radius_px, self._learnt, self._filtered, statistics.sums,
            _MIN_USUAL < dt_s / interval_s < _MAX_USUAL, *step,
        )  # fmt: skip
        if self._filtered:
            statistics.update_estimates()
            if linked < len(measured):
                start = self._motion.start(statistics, interval_s)
        self.approximate_frames += not exact
        self._first_started = tracks.next_id
        tracks.update(link, measured, time_s, start, 0 if exact else _APPROXIMATE, rows)


# Without a filter, particles are expected where they were, with unknown uncertainty.
_UNKNOWN_STEP, _UNKNOWN_START = Step(1.0, 0.0, 0.0, position_var=nan), Start()
_MIN_USUAL, _MAX_USUAL = 0.5, 1.5  # usual intervals between two frames whose displacements are those of one frame
_GATES = ("radius", "learnt")
_APPROXIMATE = int(Flag.APPROXIMATE)


def _describe(value: object) -> str:
    """Return the type of `value`, and for an array its dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"{'' if value.flags.writeable else 'read-only '}{value.dtype} of shape {value.shape}"
    return type(value).__name__
