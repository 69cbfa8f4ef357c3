"""One particle, frame by frame, for as long as it is safe to act on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Self

from msgspec import Struct

from livetrack.client import DEFAULT_ADDRESS, Subscriber, Update
from livetrack.errors import TargetLostError
from livetrack.particles import Flag

__all__ = ["Observation", "Target"]


class Observation(Struct, frozen=True, kw_only=True, eq=False):
    """The particle in one frame, as it was measured."""

    x: float
    """px of the delivered image."""
    y: float
    x_std: float
    """px; NaN where it is not known."""
    y_std: float
    vx: float
    """px/s, as the linker estimates it; NaN while it is not known."""
    vy: float
    t_s: float
    """Of the frame, on the clock that motion is reckoned with."""
    dt_s: float
    """Since the frame that it was seen in before; 0 at the first one."""
    frame: int
    update: Update
    """The whole frame, all its particles and times."""


class Target:
    """Follows one particle: iterate over it, and each round has the newest frame in which the particle was seen.

    Older frames that were not read in time go by: no control loop wants them. Frames in which the particle was not
    measured go by too, so that nothing is done on a guess. When it has been missing, or no frame has come, for too
    long, the iteration raises `TargetLostError`. However the following ends, by that, by another exception, by Ctrl-C
    or at the end of the `with` block, `on_stop` is called once: let it stop what moves. A program that is killed
    calls nothing; where that would be dangerous, the actuator needs a watchdog of its own.

    Parameters
    ----------
    address
        The engine's `publish.address`.
    particle
        Id of the trajectory. None takes the engine's target (`Remote.choose_target`), or where it has none, the
        particle nearest to `near_px` in the first frame that has any.
    near_px
        x and y; None for the middle of the image.
    lost_after_s
        Without the particle for so long, in the time of the frames, it is lost.
    stale_after_s
        Without a frame for so long, or with frames that are this old when they come, it is not safe to go on.
    on_stop
        What to do at the end.

    Raises
    ------
    TargetLostError
        While iterating: the particle is lost, or the frames are stale; says which.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        particle: int | None = None,
        *,
        near_px: tuple[float, float] | None = None,
        lost_after_s: float = 0.1,
        stale_after_s: float = 0.5,
        on_stop: Callable[[], object] | None = None,
    ) -> None:
        self.particle = particle
        self.unread_frames = 0
        """Frames that went by unread: the loop is slower than the camera."""
        self._near_px = near_px
        self._lost_after_s = lost_after_s
        self._stale_after_s = stale_after_s
        self._on_stop = on_stop
        self._positions = Subscriber(address)
        self._session: int | None = None
        self._frame: int | None = None
        self._last_t_s: float | None = None

    def __iter__(self) -> Iterator[Observation]:
        return self.observations(math.inf)

    def observations(self, seconds: float) -> Iterator[Observation]:
        """Iterate for so long, in the time of the frames; afterwards the particle can be followed on."""
        start_s: float | None = None
        ended = False
        try:
            while not ended:
                update = self._next()
                if self.particle is None:
                    self.particle = _choose(update, self._near_px)
                start_s = update.t_s if start_s is None else start_s
                ended = update.t_s - start_s >= seconds
                seen = self._look(update)
                if seen is not None:
                    yield seen
        finally:
            if not ended:
                self.close()

    def close(self) -> None:
        """Follow no more, and stop what moves; harmless when done already."""
        self._positions.close()
        on_stop, self._on_stop = self._on_stop, None
        if on_stop is not None:
            on_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> Update:
        update = self._positions.receive(self._stale_after_s)
        if update is None:
            last = "; none has come at all" if self._frame is None else f", since frame {self._frame}"
            raise TargetLostError(f"no frame has come for {self._stale_after_s:g} s{last}")
        age_s = (update.t_client_ns - update.t_received_ns) * 1e-9
        if age_s > self._stale_after_s:
            raise TargetLostError(f"frame {update.frame} is {age_s:.2f} s old: the engine cannot keep up")
        if self._session not in (None, update.session):
            raise TargetLostError("the engine was started anew: its particles have other ids")
        self._session, self._frame = update.session, update.frame
        self.unread_frames += update.gap
        return update

    def _look(self, update: Update) -> Observation | None:
        rows = update.particles
        rows = rows[(rows["id"] == self.particle) & ((rows["flags"] & Flag.COASTED) == 0)]
        since = self._last_t_s
        if not len(rows):
            if since is None:
                self._last_t_s = update.t_s  # from when it is waited for
            elif update.t_s - since > self._lost_after_s:
                raise TargetLostError(
                    f"particle {self.particle} was not seen for {self._lost_after_s:g} s, until frame {update.frame}"
                )
            return None
        row = rows[0]
        x, y, x_std, y_std, vx, vy = (float(row[name]) for name in ("x", "y", "x_std", "y_std", "vx", "vy"))
        self._last_t_s = update.t_s
        return Observation(
            x=x, y=y, x_std=x_std, y_std=y_std, vx=vx, vy=vy, t_s=update.t_s,
            dt_s=0.0 if since is None else update.t_s - since, frame=update.frame, update=update,
        )  # fmt: skip


def _choose(update: Update, near_px: tuple[float, float] | None) -> int | None:
    """Return the id of the engine's target or of the nearest particle; None where the frame has none."""
    if update.target is not None:
        return update.target
    rows = update.particles
    if not len(rows):
        return None
    x, y = near_px or ((update.width - 1) / 2, (update.height - 1) / 2)
    distances = [math.hypot(row["x"] - x, row["y"] - y) for row in rows]
    return int(rows["id"][distances.index(min(distances))])
