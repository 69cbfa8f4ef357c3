"""Theory of a feedback loop: the variance of the particle at a gain, the best gain, and the limit of stability."""

from __future__ import annotations

from math import inf, pi
from typing import Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from livetrack.brownian import OUTransition, ou_transition

__all__ = ["LoopModel", "Variances"]

Floats = npt.NDArray[np.float64]

_ITERATIONS = 60  # of a search
_GOLDEN = 0.6180339887498949

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]


class Variances(NamedTuple):
    """Variances along one axis, in the squared length unit of the diffusion constant; infinite in an unstable loop."""

    position: float
    """Of the true position at the end of each exposure."""
    measured: float
    """Of the measured position: blurred by the exposure, and with the localisation error."""


class LoopModel(Struct, frozen=True, kw_only=True):
    """A loop that acts on each frame, along one axis: linear, in discrete time, with Brownian motion and noise.

    Frame n takes `interval_s`; its exposure is the last `exposure_s` of it. At the start of each frame comes the
    action in response to the frame `delay_frames` before the last one, in proportion to the position x measured there:

    - "step": moves the particle by -gain x at once (a stage, a galvo);
    - "push": moves it by -gain x evenly over the frame (a flow, an electric field; Cohen and Moerner, PNAS 103, 4362
      (2006));
    - "trap": sets the trap's centre to -gain x for the duration of the frame (`corner_hz` above 0).

    The variances are those of the stationary state, from the discrete Lyapunov equation, exact for integer delays. A
    fractional delay is a mixture of the two nearest integer ones. The theory, with delay, noise and blur, is that of
    Jun and Bechhoefer, Physical Review E 86, 061106 (2012).
    """

    interval_s: Positive
    diffusion: NotNegative
    """µm²/s or px²/s; lengths below in the same unit."""
    delay_frames: NotNegative = 0.0
    exposure_s: NotNegative = 0.0
    error: NotNegative = 0.0
    """Localisation error, standard deviation."""
    corner_hz: NotNegative = 0.0
    """Corner frequency of the trap that holds the particle; 0 for a free particle."""
    action: Literal["step", "push", "trap"] = "push"

    def variances(self, gain: float) -> Variances:
        """Return the variances of the true and the measured position at a gain."""
        if not self.is_stable(gain):
            return Variances(inf, inf)
        variances = np.diag(_stationary(*self._system(gain)))
        return Variances(float(variances[0]), float(variances[1]))

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
        """Return whether the loop is stable: oscillations die out."""
        transition, _ = self._system(gain)
        return bool(np.abs(np.linalg.eigvals(transition)).max() < 1 - 1e-12)

    def max_gain(self) -> float:
        """Return the gain at which the loop becomes unstable."""
        low, high = 0.0, 1.0
        while self.is_stable(high) and high < 1e9:
            low, high = high, 2 * high
        for _ in range(_ITERATIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.is_stable(middle) else (low, middle)
        return high

    def best_gain(self) -> float:
        """Return the gain with the smallest variance of the true position."""
        low, high = 0.0, self.max_gain()
        for _ in range(_ITERATIONS):
            left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            if self.variances(left).position < self.variances(right).position:
                high = right
            else:
                low = left
        return (low + high) / 2

    def _system(self, gain: float) -> tuple[Floats, Floats]:
        """Return the transition matrix of one frame, and the covariance of the noise it adds.

        The state is the position at the end of the exposure, then the measured positions, newest first.
        """
        rate = 2 * pi * self.corner_hz
        dark = ou_transition(rate, self.diffusion, self.interval_s - self.exposure_s)
        light = ou_transition(rate, self.diffusion, self.exposure_s)
        full_frames = int(self.delay_frames)
        remainder = self.delay_frames - full_frames
        size = 2 + full_frames + (remainder > 0)
        end, mean = np.zeros(size), np.zeros(size)
        end[0] = light.decay * dark.decay
        mean[0] = light.mean_decay * dark.decay
        end_by_action, mean_by_action = self._response(dark, light)
        for lag, fraction in ((full_frames, 1 - remainder), (full_frames + 1, remainder)):
            if fraction > 0:
                end[1 + lag] -= gain * fraction * end_by_action
                mean[1 + lag] -= gain * fraction * mean_by_action
        transition = np.vstack([end, mean, np.eye(size)[1:-1]])
        noise = np.zeros((size, size))
        noise[0, 0] = light.decay**2 * dark.end_var + light.end_var
        noise[1, 1] = light.mean_decay**2 * dark.end_var + light.mean_var + self.error**2
        noise[0, 1] = noise[1, 0] = light.decay * light.mean_decay * dark.end_var + light.covariance
        return transition, noise

    def _response(self, dark: OUTransition, light: OUTransition) -> tuple[float, float]:
        """Return the displacement by an action of 1: at the end of the exposure, and averaged over it."""
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
    """Return the covariance of the stationary state: the solution of P = A P A' + Q."""
    size = len(transition)
    covariance = np.linalg.solve(np.eye(size**2) - np.kron(transition, transition), noise.ravel())
    return covariance.reshape(size, size).astype(np.float64)
