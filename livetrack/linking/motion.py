"""How particles move from frame to frame: three models, each a few numbers for a Kalman filter.

Along each axis a particle has a place and something hidden that drives it: its velocity, or the centre of its trap.
A model says how both go on within a time `dt` (`Step`), and what is expected of a particle that appears (`Start`),
from the moments of the displacements that were seen until now (`MotionStatistics`).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from livetrack.linking.motion_statistics import MotionStatistics

__all__ = ["MOTIONS", "Motion", "Start", "Step"]


class Step(NamedTuple):
    """What a time does to place and hidden state, the same for both axes but for the drift.

    ::

        place'  = place_place * place + place_hidden * hidden + x_drift
        hidden' =                      hidden_hidden * hidden + x_hidden_drift

    and the covariance of the two grows by `place_var`, `cov`, `hidden_var`.
    """

    place_place: float
    place_hidden: float
    hidden_hidden: float
    x_drift: float = 0.0
    y_drift: float = 0.0
    x_hidden_drift: float = 0.0
    y_hidden_drift: float = 0.0
    place_var: float = 0.0
    cov: float = 0.0
    hidden_var: float = 0.0


class Start(NamedTuple):
    """The hidden state of a particle that appears: `(x, y) + at_place * place`, and its variance."""

    x: float = 0.0
    y: float = 0.0
    at_place: float = 0.0
    var: float = 0.0


class Motion(Protocol):
    """A model of motion; `interval_s` is the usual time between frames."""

    hidden_is_velocity: bool

    def step(self, learnt: MotionStatistics, dt_s: float, interval_s: float) -> Step:
        """Return what a time of `dt_s` does."""
        ...

    def start(self, learnt: MotionStatistics, interval_s: float) -> Start:
        """Return what is expected of a particle that appears."""
        ...


class Brownian:
    """Each particle is expected where it was; the square of its displacement grows with time."""

    hidden_is_velocity = False

    def step(self, learnt: MotionStatistics, dt_s: float, interval_s: float) -> Step:
        """Return what a time of `dt_s` does."""
        x, y = learnt.drift_px
        square = learnt.square_px2 + (x * x + y * y) / 2
        return Step(1.0, 0.0, 0.0, place_var=square * dt_s / interval_s)

    def start(self, learnt: MotionStatistics, interval_s: float) -> Start:
        """Return what is expected of a particle that appears."""
        return _NOTHING


class Velocity:
    """Each particle diffuses about a velocity of its own, which lasts for a while.

    The velocities scatter about the mean of all, and each keeps a share `persistence` of its difference from
    frame to frame; the rest is drawn anew (an autoregressive process of the first order). Persistence near 1 is
    the constant velocity with white-noise acceleration of Y. Bar-Shalom, X. R. Li, T. Kirubarajan, "Estimation
    with Applications to Tracking and Navigation", Wiley 2001, section 6.3; where displacements are not correlated
    the model is Brownian motion with a drift. What the particles do decides: the mean products of displacements
    one and two frames apart are `persistence` and `persistence`² times the variance of the velocities.
    """

    hidden_is_velocity = True

    def step(self, learnt: MotionStatistics, dt_s: float, interval_s: float) -> Step:
        """Return what a time of `dt_s` does."""
        persistence, spread_px2 = _persistence(learnt)
        kept = persistence ** (dt_s / interval_s)
        x, y = (drift / interval_s for drift in learnt.drift_px)
        diffusion = max(learnt.square_px2 - spread_px2, _LEAST_DIFFUSION * learnt.square_px2)
        fresh = (1 - kept * kept) * spread_px2 / interval_s**2
        return Step(
            1.0, kept * dt_s, kept,
            x_drift=(1 - kept) * x * dt_s, y_drift=(1 - kept) * y * dt_s,
            x_hidden_drift=(1 - kept) * x, y_hidden_drift=(1 - kept) * y,
            place_var=diffusion * dt_s / interval_s + fresh * dt_s**2, cov=fresh * dt_s, hidden_var=fresh,
        )  # fmt: skip

    def start(self, learnt: MotionStatistics, interval_s: float) -> Start:
        """Return what is expected of a particle that appears."""
        x, y = learnt.drift_px
        return Start(x / interval_s, y / interval_s, var=_persistence(learnt)[1] / interval_s**2)


class Trap:
    """Each particle is drawn back to a centre of its own: an Ornstein-Uhlenbeck process.

    Of its distance from the centre a share is kept from frame to frame (G. E. Uhlenbeck, L. S. Ornstein, Phys. Rev.
    36, 823-841, 1930). That share and the variance about the centre follow from the displacements, whose mean square
    is `2 (1 - kept)` and whose mean product with the next is `-(1 - kept)²` times the variance. The centre is
    learnt, unless it was given, and may move slowly.
    """

    hidden_is_velocity = False

    def step(self, learnt: MotionStatistics, dt_s: float, interval_s: float) -> Step:
        """Return what a time of `dt_s` does."""
        kept_a_frame, spread_px2 = _confinement(learnt)
        intervals = dt_s / interval_s
        kept = kept_a_frame**intervals
        moving = spread_px2 * intervals / _CENTRE_FRAMES**2
        return Step(kept, 1 - kept, 1.0, place_var=(1 - kept * kept) * spread_px2, hidden_var=moving)

    def start(self, learnt: MotionStatistics, interval_s: float) -> Start:
        """Return what is expected of a particle that appears."""
        return Start(at_place=1.0, var=_confinement(learnt)[1])


MOTIONS: dict[str, type[Motion]] = {"brownian": Brownian, "velocity": Velocity, "trap": Trap}
"""The models by the name that settings have for them."""

_NOTHING = Start()
_LEAST_DIFFUSION = 0.02  # of the mean square: no motion is quite regular
_LEAST_PERSISTENCE, _MOST_PERSISTENCE = 0.3, 0.95  # a frame: below it is Brownian, above a turn would be missed
_LEAST_KEPT, _MOST_KEPT = 0.0, 0.98
_CENTRE_FRAMES = 100.0  # in how many frames the centre of a trap may move by a particle's own spread


def _persistence(learnt: MotionStatistics) -> tuple[float, float]:
    """Return the share of a velocity that lasts for a frame, and the variance of the velocities, px² per frame²."""
    lag_1, lag_2 = learnt.lag_1_px2, learnt.lag_2_px2
    if lag_1 <= 0:
        return _LEAST_PERSISTENCE, 0.0
    persistence = min(max(lag_2 / lag_1, _LEAST_PERSISTENCE), _MOST_PERSISTENCE)
    return persistence, min(lag_1 / persistence, learnt.square_px2)


def _confinement(learnt: MotionStatistics) -> tuple[float, float]:
    """Return the share of the distance from the centre that is kept for a frame, and the variance about it, px²."""
    square = learnt.square_px2
    kept = min(max(1 + 2 * learnt.lag_1_px2 / square, _LEAST_KEPT), _MOST_KEPT)
    return kept, square / (2 * (1 - kept))
