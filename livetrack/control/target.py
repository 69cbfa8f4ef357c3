"""One particle, frame by frame, for as long as it is safe to act on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Self

from msgspec import Struct

from livetrack.client import DEFAULT_ADDRESS, Subscriber, Update
from livetrack.client.diagnosis import Handshake
from livetrack.errors import InputError, TargetLostError
from livetrack.particles import Flag

__all__ = ["Observation", "Target", "require_in_image"]


class Observation(Struct, frozen=True, kw_only=True, eq=False):
    """The particle as measured in one frame."""

    x: float
    """px of the delivered image."""
    y: float
    x_std: float
    """px; NaN if unknown."""
    y_std: float
    vx: float
    """px/s, estimated by the linker; NaN while unknown."""
    vy: float
    t_s: float
    """Time of the frame, as in `Update.t_s`."""
    dt_s: float
    """Time since the last frame with the particle; 0 at the first one."""
    frame: int
    update: Update
    """The complete frame, with all particles and times."""


class Target:
    """Follows one particle: iterating yields the newest frame in which the particle was measured.

    Older frames that were not read in time are skipped: a control loop has no use for them. Frames without a
    measurement of the particle are skipped too, so that no action rests on a guess. If the particle, or all frames,
    are missing for too long, the iteration raises `TargetLostError`. However it ends, by that or another exception, by
    Ctrl-C or at the end of the `with` block, `on_stop` is called once, to stop the actuator. A program that is killed
    calls nothing; if that would be dangerous, the actuator needs a watchdog of its own.

    Parameters
    ----------
    address
        The engine's `publish.address`.
    particle
        Id of the track. None takes the particle nearest to `near_px` in the first frame that has any.
    near_px
        x and y. None for the engine's target (`Remote.choose_target`) or, if it has none, the image centre.
    lost_after_s
        The particle is lost after this time without a measurement, on the clock of the frames.
    stale_after_s
        Frames are stale if none arrives for this time, or if they are this old when they arrive.
    on_stop
        Called at the end.
    newest
        False yields every frame in turn. This is for lock-step, in which the next frame waits for the response to this
        one: the newest-only mode of ZeroMQ may drop a frame that arrives while it is being read (dbuffer in libzmq).

    Raises
    ------
    InputError
        `near_px` is not finite.
    TargetLostError
        While iterating: the particle is lost, or the frames are stale.
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
        newest: bool = True,
    ) -> None:
        if near_px is not None and not all(map(math.isfinite, near_px)):
            raise InputError(f"near_px = {near_px} is no position in an image")
        self.particle = particle
        self.unread_frames = 0
        """Frames skipped because the loop was slower than the camera."""
        self._near_px = near_px
        self._lost_after_s = lost_after_s
        self._stale_after_s = stale_after_s
        self._on_stop = on_stop
        self._positions = Subscriber(address, newest)
        self._session: int | None = None
        self._frame: int | None = None
        self._last_t_s: float | None = None

    def __iter__(self) -> Iterator[Observation]:
        return self.observations(math.inf)

    def observations(self, seconds: float) -> Iterator[Observation]:
        """Iterate for this time on the clock of the frames; the target can be iterated further afterwards."""
        start_s: float | None = None
        ended = False
        try:
            while not ended:
                update = self._next()
                if self.particle is None:
                    self.particle = _choose(update, self._near_px)
                start_s = update.t_s if start_s is None else start_s
                ended = update.t_s - start_s >= seconds
                seen = self._observe(update)
                if seen is not None:
                    yield seen
        finally:
            if not ended:
                self.close()

    def close(self) -> None:
        """Disconnect and call `on_stop`; may be called twice."""
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
            last = self._why_silent() if self._frame is None else f" since frame {self._frame}"
            raise TargetLostError(f"no frame received for {self._stale_after_s:g} s{last}")
        age_s = (update.t_client_ns - update.t_received_ns) * 1e-9
        if age_s > self._stale_after_s:
            raise TargetLostError(f"frame {update.frame} is {age_s:.2f} s old: the engine cannot keep up")
        if self._session not in (None, update.session):
            raise TargetLostError("the engine was restarted: its particles have other ids")
        self._session, self._frame = update.session, update.frame
        self.unread_frames += update.gap
        return update

    def _why_silent(self) -> str:
        """Return why no frame has ever arrived; empty where an engine is connected."""
        silence = self._positions.diagnose()
        return "" if silence.handshake is Handshake.SUCCEEDED else f" from {self._positions.address}: {silence.hint}"

    def _observe(self, update: Update) -> Observation | None:
        rows = update.particles
        rows = rows[(rows["id"] == self.particle) & ((rows["flags"] & Flag.COASTED) == 0)]
        last_s = self._last_t_s
        if not len(rows):
            if last_s is None:
                self._last_t_s = update.t_s  # the wait begins
            elif update.t_s - last_s > self._lost_after_s:
                raise TargetLostError(
                    f"particle {self.particle} was not seen for {self._lost_after_s:g} s, until frame {update.frame}"
                )
            return None
        row = rows[0]
        x, y, x_std, y_std, vx, vy = (float(row[name]) for name in ("x", "y", "x_std", "y_std", "vx", "vy"))
        self._last_t_s = update.t_s
        return Observation(
            x=x, y=y, x_std=x_std, y_std=y_std, vx=vx, vy=vy, t_s=update.t_s,
            dt_s=0.0 if last_s is None else update.t_s - last_s, frame=update.frame, update=update,
        )  # fmt: skip


def require_in_image(x: float, y: float, update: Update) -> None:
    """Raise `InputError` if a particle is to be brought to a position that no frame shows: it would only be lost."""
    if not (-0.5 <= x <= update.width - 0.5 and -0.5 <= y <= update.height - 0.5):
        raise InputError(
            f"the particle cannot be held at x = {x:g}, y = {y:g} px: the image has {update.width} x {update.height} px"
        )


def _choose(update: Update, near_px: tuple[float, float] | None) -> int | None:
    """Return the id of the nearest particle, or of the engine's target; None if the frame has no particle."""
    if near_px is None and update.target is not None:
        return update.target
    rows = update.particles
    if not len(rows):
        return None
    x, y = near_px or ((update.width - 1) / 2, (update.height - 1) / 2)
    distances = [math.hypot(row["x"] - x, row["y"] - y) for row in rows]
    return int(rows["id"][distances.index(min(distances))])
