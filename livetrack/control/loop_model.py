"""What theory says of a feedback loop: how far the particle strays at a gain, which is best, and which too much."""

from __future__ import annotations

from math import inf, pi
from typing import Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from livetrack.brownian import OUTransition, ou_transition

__all__ = ["LoopModel", "Variances"]

Floats = npt.NDArray[np.float64]

_ROUNDS = 60  # of a search; each brings its ends nearer by the golden ratio
_GOLDEN = 0.6180339887498949

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]


class Variances(NamedTuple):
    """Along one axis, in the squared unit of the diffusion constant; infinite where the loop is not stable."""

    position: float
    """Of where the particle is at the end of each exposure."""
    measured: float
    """Of what the camera says: blurred by the exposure, and with the localisation error."""


class LoopModel(Struct, frozen=True, kw_only=True):
    """A loop that answers each frame, along one axis: linear, in discrete time, with Brownian motion and noise.

    Frame n takes `interval_s`; its exposure is the last `exposure_s` of it. Each new frame is begun with the action
    that answers the frame `delay_frames` before the last one, in proportion to the position x measured there:

    - "step": the particle is moved by -gain x at once (a stage, a galvo);
    - "push": it is moved by -gain x evenly over the frame (a flow, an electric field; Cohen and Moerner, PNAS 103,
      4362 (2006));
    - "trap": the trap's centre is put to -gain x, and stays there for the frame (`corner_hz` above 0).

    The variances are those of the stationary state, from the discrete Lyapunov equation: exact for whole delays. A
    fractional delay stands for a mixture of the two whole ones about it. With a delay, noise and blur, this is the
    theory of Jun and Bechhoefer, Physical Review E 86, 061106 (2012).
    """

    interval_s: Positive
    diffusion: NotNegative
    """µm²/s or px²/s; lengths below in the same unit."""
    delay_frames: NotNegative = 0.0
    exposure_s: NotNegative = 0.0
    error: NotNegative = 0.0
    """Localisation error, standard deviation."""
    corner_hz: NotNegative = 0.0
    """Of the trap that the particle is in; 0: it is free."""
    action: Literal["step", "push", "trap"] = "push"

    def variances(self, gain: float) -> Variances:
        """Return how far the particle strays, and seems to stray, at a gain."""
        if not self.is_stable(gain):
            return Variances(inf, inf)
        both = np.diag(_stationary(*self._system(gain)))
        return Variances(float(both[0]), float(both[1]))

    def autocovariance(self, gain: float, frames: int) -> Floats:
        """Return the covariance of measured positions 0, 1, ... `frames` - 1 frames apart, in a stable loop."""
        transition, noise = self._system(gain)
        stationary = _stationary(transition, noise)
        covariances = np.empty(frames)
        column = stationary[:, 1]
        for lag in range(frames):
            covariances[lag] = column[1]
            column = transition @ column
        return covariances

    def is_stable(self, gain: float) -> bool:
        """Say whether the particle stays, and does not swing ever farther."""
        transition, _ = self._system(gain)
        return bool(np.abs(np.linalg.eigvals(transition)).max() < 1 - 1e-12)

    def max_gain(self) -> float:
        """Return the gain from which on the loop is not stable."""
        low, high = 0.0, 1.0
        while self.is_stable(high) and high < 1e9:
            low, high = high, 2 * high
        for _ in range(_ROUNDS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.is_stable(middle) else (low, middle)
        return high

    def best_gain(self) -> float:
        """Return the gain at which the particle strays least."""
        low, high = 0.0, self.max_gain()
        for _ in range(_ROUNDS):
            left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            if self.variances(left).position < self.variances(right).position:
                high = right
            else:
                low = left
        return (low + high) / 2

    def _system(self, gain: float) -> tuple[Floats, Floats]:
        """Return the matrices of one frame: what it makes of the state, and the covariance of what it adds.

        The state is the position at the end of the exposure, then the measured ones, newest first.
        """
        rate = 2 * pi * self.corner_hz
        dark = ou_transition(rate, self.diffusion, self.interval_s - self.exposure_s)
        light = ou_transition(rate, self.diffusion, self.exposure_s)
        whole = int(self.delay_frames)
        late = self.delay_frames - whole
        size = 2 + whole + (late > 0)
        end, mean = np.zeros(size), np.zeros(size)
        end[0] = light.decay * dark.decay
        mean[0] = light.mean_decay * dark.decay
        end_by_action, mean_by_action = self._response(dark, light)
        for lag, share in ((whole, 1 - late), (whole + 1, late)):
            if share > 0:
                end[1 + lag] -= gain * share * end_by_action
                mean[1 + lag] -= gain * share * mean_by_action
        transition = np.vstack([end, mean, np.eye(size)[1:-1]])
        noise = np.zeros((size, size))
        noise[0, 0] = light.decay**2 * dark.end_var + light.end_var
        noise[1, 1] = light.mean_decay**2 * dark.end_var + light.mean_var + self.error**2
        noise[0, 1] = noise[1, 0] = light.decay * light.mean_decay * dark.end_var + light.covariance
        return transition, noise

    def _response(self, dark: OUTransition, light: OUTransition) -> tuple[float, float]:
        """Return how far an action of 1 takes the end and the mean of the exposure."""
        if self.action == "step":
            return light.decay * dark.decay, light.mean_decay * dark.decay
        if self.action == "trap":
            return 1 - light.decay * dark.decay, 1 - light.mean_decay * dark.decay
        pushed = dark.end_time_s / self.interval_s
        return (
            light.decay * pushed + light.end_time_s / self.interval_s,
            light.mean_decay * pushed + light.mean_time_s / self.interval_s,
        )


def _stationary(transition: Floats, noise: Floats) -> Floats:
    """Return the covariance of the state that lasts: the solution of P = A P A' + Q."""
    size = len(transition)
    covariance = np.linalg.solve(np.eye(size**2) - np.kron(transition, transition), noise.ravel())
    return covariance.reshape(size, size).astype(np.float64)
