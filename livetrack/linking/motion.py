"""Models of how particles move from frame to frame, as parameters of a Kalman filter.

Along each axis a particle has a position and a hidden state that drives it: its velocity, or the centre of its trap.
A model gives the change of both over a time `dt` (`Step`) and the initial state of a new track (`Start`), from the
displacements measured so far (`MotionStatistics`).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from livetrack.linking.motion_statistics import MotionStatistics

__all__ = [
    "MOTIONS",
    "Brownian",
    "Motion",
    "Start",
    "Step",
    "Trap",
    "Velocity",
]


class Step(NamedTuple):
    """Linear change of position and hidden state, the same for both axes except for the drift.

        position' = position_position * position + position_hidden * hidden + x_drift
        hidden'   =                                 hidden_hidden * hidden + x_hidden_drift

    and the covariance of the two grows by `position_var`, `cov`, `hidden_var`.
    """

    position_position: float
    position_hidden: float
    hidden_hidden: float
    x_drift: float = 0.0
    y_drift: float = 0.0
    x_hidden_drift: float = 0.0
    y_hidden_drift: float = 0.0
    position_var: float = 0.0
    cov: float = 0.0
    hidden_var: float = 0.0


class Start(NamedTuple):
    """Hidden state of a new track, `(x, y) + position_factor * position`, and its variance."""

    x: float = 0.0
    y: float = 0.0
    position_factor: float = 0.0
    var: float = 0.0


class Motion(Protocol):
    """A model of motion; `interval_s` is the usual time between frames."""

    hidden_is_velocity: bool

    def step(self, statistics: MotionStatistics, dt_s: float, interval_s: float) -> Step:
        """Return the change over `dt_s`."""
        ...

    def start(self, statistics: MotionStatistics, interval_s: float) -> Start:
        """Return the initial state of a new track."""
        ...


class Brownian:
    """Each particle is expected where it was, but for a given drift; its mean square displacement grows with time."""

    hidden_is_velocity = False

    def step(self, statistics: MotionStatistics, dt_s: float, interval_s: float) -> Step:
        """Return the change over `dt_s`."""
        (x, y), (given_x, given_y) = statistics.drift_px, statistics.prior_drift_px
        square = statistics.square_px2 + ((x - given_x) ** 2 + (y - given_y) ** 2) / 2
        intervals = dt_s / interval_s
        return Step(
            1.0, 0.0, 0.0, x_drift=given_x * intervals, y_drift=given_y * intervals, position_var=square * intervals
        )  # fmt: skip

    def start(self, statistics: MotionStatistics, interval_s: float) -> Start:
        """Return the initial state of a new track."""
        return _NOTHING


class Velocity:
    """Each particle diffuses about a velocity of its own, which persists for a while.

    The velocities scatter about the mean of all particles. Each keeps a fraction `persistence` of its difference from
    the mean per frame; the rest is random (an autoregressive process of the first order). Persistence near 1 is the
    constant velocity with white-noise acceleration of Y. Bar-Shalom, X. R. Li, T. Kirubarajan, "Estimation with
    Applications to Tracking and Navigation", Wiley 2001, section 6.3; without correlated displacements the model is
    Brownian motion with drift. The data decide: the mean products of displacements one and two frames apart are
    `persistence` and `persistence`² times the variance of the velocities.
    """

    hidden_is_velocity = True

    def step(self, statistics: MotionStatistics, dt_s: float, interval_s: float) -> Step:
        """Return the change over `dt_s`."""
        persistence, spread_px2 = _persistence(statistics)
        kept = persistence ** (dt_s / interval_s)
        x, y = statistics.drift_px[0] / interval_s, statistics.drift_px[1] / interval_s
        diffusion = max(statistics.square_px2 - spread_px2, _MIN_DIFFUSION * statistics.square_px2)
        fresh = (1 - kept * kept) * spread_px2 / interval_s**2
        return Step(
            1.0, kept * dt_s, kept,
            x_drift=(1 - kept) * x * dt_s, y_drift=(1 - kept) * y * dt_s,
            x_hidden_drift=(1 - kept) * x, y_hidden_drift=(1 - kept) * y,
            position_var=diffusion * dt_s / interval_s + fresh * dt_s**2, cov=fresh * dt_s, hidden_var=fresh,
        )  # fmt: skip

    def start(self, statistics: MotionStatistics, interval_s: float) -> Start:
        """Return the initial state of a new track."""
        x, y = statistics.drift_px
        return Start(x / interval_s, y / interval_s, var=_persistence(statistics)[1] / interval_s**2)


class Trap:
    """Each particle is drawn back to a centre of its own: an Ornstein-Uhlenbeck process.

    A fraction `kept` of the distance from the centre remains after each frame (G. E. Uhlenbeck, L. S. Ornstein, Phys.
    Rev. 36, 823-841, 1930). That fraction and the variance about the centre follow from the displacements, whose mean
    square is `2 (1 - kept)` and whose mean product with the next is `-(1 - kept)²` times the variance. The centre is
    estimated, unless it was given, and may move slowly.
    """

    hidden_is_velocity = False

    def step(self, statistics: MotionStatistics, dt_s: float, interval_s: float) -> Step:
        """Return the change over `dt_s`."""
        kept_per_frame, spread_px2 = _confinement(statistics)
        intervals = dt_s / interval_s
        kept = kept_per_frame**intervals
        moving = spread_px2 * intervals / _CENTRE_FRAMES**2
        return Step(kept, 1 - kept, 1.0, position_var=(1 - kept * kept) * spread_px2, hidden_var=moving)

    def start(self, statistics: MotionStatistics, interval_s: float) -> Start:
        """Return the initial state of a new track."""
        return Start(position_factor=1.0, var=_confinement(statistics)[1])


MOTIONS: dict[str, type[Motion]] = {"brownian": Brownian, "velocity": Velocity, "trap": Trap}
"""The models by their names in the settings."""

_NOTHING = Start()
_MIN_DIFFUSION = 0.02  # fraction of the mean square displacement: no motion is perfectly regular
_MIN_PERSISTENCE, _MAX_PERSISTENCE = 0.3, 0.95  # per frame: below it is Brownian, above it turns would be missed
_MIN_KEPT, _MAX_KEPT = 0.0, 0.98
_CENTRE_FRAMES = 100.0  # frames in which the centre of a trap may move by the spread of its particle


def _persistence(statistics: MotionStatistics) -> tuple[float, float]:
    """Return the fraction of a velocity that persists per frame, and the variance of the velocities, px² / frame²."""
    lag_1, lag_2 = statistics.lag_1_px2, statistics.lag_2_px2
    if lag_1 <= 0:
        return _MIN_PERSISTENCE, 0.0
    persistence = min(max(lag_2 / lag_1, _MIN_PERSISTENCE), _MAX_PERSISTENCE)
    return persistence, min(lag_1 / persistence, statistics.square_px2)


def _confinement(statistics: MotionStatistics) -> tuple[float, float]:
    """Return the fraction of the distance from the centre kept per frame, and the variance about the centre, px²."""
    square = statistics.square_px2
    kept = min(max(1 + 2 * statistics.lag_1_px2 / square, _MIN_KEPT), _MAX_KEPT)
    return kept, square / (2 * (1 - kept))
