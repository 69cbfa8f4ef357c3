"""Particles in Brownian motion with drift, one of them in a trap; in µm and seconds."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.brownian import OUTransition, ou_transition

__all__ = ["BrownianSample", "random_positions"]

Floats: TypeAlias = npt.NDArray[np.float64]

_TRIES_PER_PARTICLE = 200


class BrownianSample:
    """Particles that diffuse and drift in a periodic box; the first may be in a harmonic trap.

    The motion is overdamped and integrated exactly for any time step (`livetrack.brownian`). The periodic box keeps the
    density uniform. It should extend beyond the field of view, so that particles cross its sides out of sight; they
    keep their index.

    Parameters
    ----------
    start_um
        (N, 2) positions (x, y) at time 0, µm, within the box.
    low_um, high_um
        (x, y) corners of the box, µm.
    diffusion_um2_s
        (N,) diffusion constants, µm²/s.
    drift_um_s
        (x, y) velocity of all particles, µm/s.
    rng
        Source of the random steps, used for nothing else.
    """

    def __init__(
        self,
        start_um: Floats,
        low_um: tuple[float, float],
        high_um: tuple[float, float],
        diffusion_um2_s: Floats,
        drift_um_s: tuple[float, float],
        rng: np.random.Generator,
    ) -> None:
        self.positions_um = np.array(start_um, np.float64)
        self._low = np.array(low_um, np.float64)
        self._size = np.array(high_um, np.float64) - self._low
        self._diffusion = np.array(diffusion_um2_s, np.float64)
        self._drift = np.array(drift_um_s, np.float64)
        self._rates = np.zeros(len(self.positions_um))  # 1/s: relaxation to the trap's centre
        self._centre = np.zeros(2)
        self._transitions: dict[float, OUTransition] = {}
        self._rng = rng

    def set_diffusion(self, diffusion_um2_s: Floats) -> None:
        """Set the diffusion constants, (N,) µm²/s."""
        self._diffusion = np.array(diffusion_um2_s, np.float64)
        self._transitions = {}

    def set_drift(self, drift_um_s: tuple[float, float]) -> None:
        """Set the drift velocity of all particles, (x, y) µm/s."""
        self._drift = np.array(drift_um_s, np.float64)

    def set_trap(self, rate_per_s: float, centre_um: tuple[float, float]) -> None:
        """Trap the first particle at `centre_um`, with stiffness / drag = `rate_per_s`; 0 releases it."""
        self._rates[:1] = rate_per_s
        self._centre = np.array(centre_um, np.float64)
        self._transitions = {}

    def shift(self, step_um: tuple[float, float]) -> None:
        """Move all particles by (x, y) µm at once; those that leave the box re-enter on the opposite side."""
        self.positions_um = self._low + (self.positions_um + step_um - self._low) % self._size

    def advance(self, intervals_s: Floats) -> tuple[Floats, Floats]:
        """Advance by `intervals_s` (S,); return positions at the end of each interval and averaged over it.

        Both are (S, N, 2) µm. Paths are continuous within one call: a particle that leaves the box re-enters on the
        opposite side only at the end.
        """
        ends, means = np.empty((2, len(intervals_s), *self.positions_um.shape))
        here = self.positions_um
        for number, interval_s in enumerate(intervals_s):
            deviates = self._rng.standard_normal((2, *here.shape))
            here, means[number] = self._transition(float(interval_s)).move(here, self._centre, self._drift, deviates)
            ends[number] = here
        self.positions_um = self._low + (here - self._low) % self._size
        return ends, means

    def _transition(self, interval_s: float) -> OUTransition:
        if interval_s not in self._transitions:
            self._transitions[interval_s] = ou_transition(self._rates[:, None], self._diffusion[:, None], interval_s)
        return self._transitions[interval_s]


def random_positions(
    count: int,
    low_um: tuple[float, float],
    high_um: tuple[float, float],
    min_distance_um: float,
    rng: np.random.Generator,
) -> Floats:
    """Return (count, 2) random positions in a box, µm, no two closer than `min_distance_um`.

    Raises
    ------
    ValueError
        The particles do not fit.
    """
    points = rng.uniform(low_um, high_um, (count, 2))
    if min_distance_um == 0:
        return points
    for n in range(count):
        for _ in range(_TRIES_PER_PARTICLE):
            if n == 0 or np.min(np.sum((points[:n] - points[n]) ** 2, axis=1)) >= min_distance_um**2:
                break
            points[n] = rng.uniform(low_um, high_um)
        else:
            raise ValueError(f"{count} particles at least {min_distance_um} µm apart do not fit")
    return points
