"""Where a particle will be when an action reaches it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import exp, expm1, inf
from typing import Literal, NamedTuple

import numpy as np

from livetrack.control.target import Observation
from livetrack.errors import InputError

__all__ = ["Prediction", "Predictor"]

_SAME_S = 1e-9  # what comes about just as a frame is taken, that frame does not show


class Prediction(NamedTuple):
    """A place, px, and its standard uncertainty along each axis (NaN where the measurement's is unknown)."""

    x: float
    y: float
    x_std: float
    y_std: float


class Predictor:
    """Predicts over the loop's delay: the particle's own motion, and the actions that no frame shows yet.

    - "brownian": it stays where it is, in the mean; only the uncertainty grows, by 2 D t.
    - "velocity": it goes on as fast as the linker has seen it go (`linker.motion = "velocity"`).
    - "trap": it relaxes to `centre_px`, as exp(-t / relaxation_s) (Ornstein and Uhlenbeck 1930).

    The actions are those given to `add_action`. A controller that does not count what it has ordered already orders
    it again in each frame of delay; one that does (O. J. M. Smith, Chemical Engineering Progress 53, 217 (1957)) may
    take a higher gain. It pays where the particle follows the actuator at once: a stage, a galvo, a flow.

    Parameters
    ----------
    delay_s
        From the middle of an exposure until an action that answers it has come about.
    motion
        As above.
    diffusion_px2_s
        Diffusion constant; 0 leaves the growth of the uncertainty out.
    relaxation_s, centre_px
        Of the trap.

    Raises
    ------
    InputError
        A time or constant that is negative, or a trap without its relaxation time.
    """

    def __init__(
        self,
        delay_s: float,
        motion: Literal["brownian", "velocity", "trap"] = "brownian",
        *,
        diffusion_px2_s: float = 0.0,
        relaxation_s: float = inf,
        centre_px: Sequence[float] = (0.0, 0.0),
    ) -> None:
        if not 0 <= delay_s < inf or not 0 <= diffusion_px2_s < inf:
            raise InputError(f"delay_s = {delay_s} and diffusion_px2_s = {diffusion_px2_s} must be 0 or more")
        if not relaxation_s > 0 or (motion == "trap") != (relaxation_s < inf):
            raise InputError('relaxation_s: the time, above 0, that goes with motion = "trap", and with it alone')
        self.delay_s = delay_s
        self.motion = motion
        self.diffusion_px2_s = diffusion_px2_s
        self.relaxation_s = relaxation_s
        self.centre_px = tuple(centre_px)
        self._underway: deque[tuple[float, float, float]] = deque()  # when it was ordered, on the frames' clock; step
        self._now_s = -inf

    def predict(self, seen: Observation) -> Prediction:
        """Return where the particle will be `delay_s` after the frame in which it was seen."""
        self._now_s = seen.t_s
        while self._underway and self._underway[0][0] + self.delay_s < seen.t_s - _SAME_S:
            self._underway.popleft()
        x, y, t = seen.x, seen.y, self.delay_s
        keep, spread = 1.0, 2 * self.diffusion_px2_s * t
        if self.motion == "velocity" and np.isfinite(seen.vx + seen.vy):
            x, y = x + seen.vx * t, y + seen.vy * t
        elif self.motion == "trap":
            keep = exp(-t / self.relaxation_s)
            spread = -self.diffusion_px2_s * self.relaxation_s * expm1(-2 * t / self.relaxation_s)
            x, y = (c + keep * (p - c) for p, c in zip((x, y), self.centre_px, strict=True))
        x += sum(step[1] for step in self._underway)
        y += sum(step[2] for step in self._underway)
        x_std, y_std = (((keep * std) ** 2 + spread) ** 0.5 for std in (seen.x_std, seen.y_std))
        return Prediction(x, y, x_std, y_std)

    def add_action(self, dx_px: float, dy_px: float) -> None:
        """Note that the particle was ordered to move by so much, in answer to the frame that was predicted from."""
        self._underway.append((self._now_s, dx_px, dy_px))
