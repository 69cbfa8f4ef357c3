"""Predicts where a particle will be when an action takes effect."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import exp, expm1, inf
from typing import Literal, NamedTuple

import numpy as np

from livetrack.control.target import Observation
from livetrack.errors import InputError

__all__ = ["Prediction", "Predictor"]

_SAME_S = 1e-9  # an action that takes effect as a frame is taken does not show in that frame


class Prediction(NamedTuple):
    """A position, px, and its standard uncertainty along each axis (NaN if that of the measurement is unknown)."""

    x: float
    y: float
    x_std: float
    y_std: float


class Predictor:
    """Predicts over the loop's delay: the motion of the particle, and the actions that no frame shows yet.

    - "brownian": the mean position stays, only the uncertainty grows, by 2 D t.
    - "velocity": the particle keeps the velocity estimated by the linker (`linker.motion = "velocity"`).
    - "trap": it relaxes to `centre_px` as exp(-t / relaxation_s) (Ornstein and Uhlenbeck 1930).

    Pending actions are those given to `add_action`. A controller that ignores them repeats each action in every frame
    of the delay; one that allows for them (a Smith predictor: O. J. M. Smith, Chemical Engineering Progress 53, 217
    (1957)) can use a higher gain. It pays off if the particle follows the actuator at once: a stage, a galvo, a flow.

    Parameters
    ----------
    delay_s
        From the middle of an exposure until the action in response takes effect.
    motion
        As above.
    diffusion_px2_s
        Diffusion constant; 0 omits the growth of the uncertainty.
    relaxation_s, centre_px
        Of the trap.

    Raises
    ------
    InputError
        A negative time or constant, or a trap without a relaxation time.
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
            raise InputError('relaxation_s must be given, above 0, with motion = "trap" and only then')
        self.delay_s = delay_s
        self.motion = motion
        self.diffusion_px2_s = diffusion_px2_s
        self.relaxation_s = relaxation_s
        self.centre_px = tuple(centre_px)
        self._pending: deque[tuple[float, float, float]] = deque()  # time on the clock of the frames, move
        self._now_s = -inf

    def predict(self, seen: Observation) -> Prediction:
        """Return where the particle will be `delay_s` after the frame of the observation."""
        self._now_s = seen.t_s
        while self._pending and self._pending[0][0] + self.delay_s < seen.t_s - _SAME_S:
            self._pending.popleft()
        x, y, t = seen.x, seen.y, self.delay_s
        kept, spread = 1.0, 2 * self.diffusion_px2_s * t
        if self.motion == "velocity" and np.isfinite(seen.vx + seen.vy):
            x, y = x + seen.vx * t, y + seen.vy * t
        elif self.motion == "trap":
            kept = exp(-t / self.relaxation_s)
            spread = -self.diffusion_px2_s * self.relaxation_s * expm1(-2 * t / self.relaxation_s)
            x, y = (c + kept * (p - c) for p, c in zip((x, y), self.centre_px, strict=True))
        x += sum(move[1] for move in self._pending)
        y += sum(move[2] for move in self._pending)
        x_std, y_std = (((kept * std) ** 2 + spread) ** 0.5 for std in (seen.x_std, seen.y_std))
        return Prediction(x, y, x_std, y_std)

    def add_action(self, dx_px: float, dy_px: float) -> None:
        """Register a move of the particle, px, in response to the frame of the last prediction."""
        self._pending.append((self._now_s, dx_px, dy_px))
