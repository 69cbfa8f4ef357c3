"""Exact overdamped Brownian motion over a time interval: the final position and the mean position.

A particle with diffusion constant D relaxes to a centre c at the rate k (an optical trap: k = stiffness / drag; 0 for a
free particle) and drifts at the velocity v. Over a time t, the final and the mean position are jointly normal; a camera
measures the mean over its exposure. The simulated microscope, the estimators of `livetrack.calibrate` and the theory
of `livetrack.control` all use it.

The motion is the Ornstein-Uhlenbeck process (Physical Review 36, 823 (1930)); for the mean over an exposure see Wong
and Halvorsen (Optics Express 14, 12517 (2006)).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["OUTransition", "ou_transition"]

Floats = npt.NDArray[np.float64]

_SMALL = 1e-2  # of k t: below, differences lose precision, and a series is used


class OUTransition(NamedTuple):
    """Transition of a position x over a time t; each field is a number, or an array with one per particle.

    The final position is `decay * x + (1 - decay) * c + end_time_s * v`, the mean position
    `mean_decay * x + (1 - mean_decay) * c + mean_time_s * v`, both plus normal deviates with the (co)variances below,
    in µm² if D is in µm²/s.
    """

    decay: Any
    mean_decay: Any
    end_time_s: Any
    mean_time_s: Any
    end_var: Any
    mean_var: Any
    covariance: Any

    def move(self, x: Floats, centre: Floats, velocity: Floats, deviates: Floats) -> tuple[Floats, Floats]:
        """Return final and mean positions, (N, 2), from positions `x`, (N, 2), and normal `deviates`, (2, N, 2).

        `centre` and `velocity` broadcast to (N, 2); the fields of this transition are (N, 1) or numbers.
        """
        spread = np.sqrt(self.end_var)
        slope = self.covariance / np.where(spread > 0, spread, 1)
        rest = np.sqrt(np.maximum(0, self.mean_var - slope**2))
        end = self.decay * x + (1 - self.decay) * centre + self.end_time_s * velocity + spread * deviates[0]
        mean = self.mean_decay * x + (1 - self.mean_decay) * centre + self.mean_time_s * velocity
        return end, mean + slope * deviates[0] + rest * deviates[1]


def ou_transition(rate_per_s: Any, diffusion: Any, time_s: float) -> OUTransition:
    """Return the transition over `time_s` with the rate k, 1/s, and the diffusion constant D; arrays broadcast."""
    y = np.asarray(rate_per_s, np.float64) * time_s
    weight = _mean_of_decay(y)
    return OUTransition(
        decay=np.exp(-y),
        mean_decay=weight,
        end_time_s=time_s * weight,
        mean_time_s=time_s * _half(y),
        end_var=2 * diffusion * time_s * _mean_of_decay(2 * y),
        mean_var=diffusion * time_s * _two_thirds(y),
        covariance=diffusion * time_s * weight**2,
    )


def _mean_of_decay(y: Floats) -> Floats:
    """Return (1 - exp(-y)) / y, which is 1 at y = 0."""
    safe = np.where(y == 0, 1, y)
    return np.where(y == 0, 1.0, -np.expm1(-safe) / safe)


def _half(y: Floats) -> Floats:
    """Return (y - 1 + exp(-y)) / y², which is 1/2 at y = 0."""
    safe = np.where(y < _SMALL, 1, y)
    series = 1 / 2 - y / 6 + y**2 / 24 - y**3 / 120
    return np.where(y < _SMALL, series, (safe + np.expm1(-safe)) / safe**2)


def _two_thirds(y: Floats) -> Floats:
    """Return (2 y - 3 + 4 exp(-y) - exp(-2 y)) / y³, which is 2/3 at y = 0."""
    safe = np.where(y < _SMALL, 1, y)
    series = 2 / 3 - y / 2 + 7 * y**2 / 30 - y**3 / 12
    return np.where(y < _SMALL, series, (2 * safe + 4 * np.expm1(-safe) - np.expm1(-2 * safe)) / safe**3)
