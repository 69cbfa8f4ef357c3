"""A sample that moves: particles in Brownian motion with drift, in µm and seconds."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Scene", "scatter"]

Floats: TypeAlias = npt.NDArray[np.float64]

_TRIES_PER_PARTICLE = 200


class Scene:
    """Particles that diffuse and drift in a box whose opposite sides are joined.

    The motion is overdamped: over any time t each axis moves by `drift * t` and a normal deviate of variance
    `2 D t` (Einstein, Annalen der Physik 322, 549 (1905)); that is exact, however long the step. The periodic box
    keeps the density the same everywhere for ever. It should reach beyond the field of view, so that a particle
    crosses from side to side out of sight, and keeps its index.

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
        Source of the random steps; nothing else may draw from it.
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
        self._rng = rng

    def diffuse(self, diffusion_um2_s: Floats) -> None:
        """Diffuse with these constants, (N,) µm²/s, from now on."""
        self._diffusion = np.array(diffusion_um2_s, np.float64)

    def shift(self, step_um: tuple[float, float]) -> None:
        """Move all particles by (x, y) µm, at once; those that leave the box enter at the other side."""
        self.positions_um = self._low + (self.positions_um + step_um - self._low) % self._size

    def walk(self, intervals_s: Floats) -> Floats:
        """Let the time of all `intervals_s` (S,) pass; return the positions at the end of each, (S, N, 2) µm.

        Within one walk the paths are continuous: a particle that leaves the box enters at the other side only
        once the walk is over.
        """
        intervals = np.asarray(intervals_s, np.float64)[:, None, None]
        steps = self._rng.standard_normal((len(intervals), *self.positions_um.shape))
        steps *= np.sqrt(2 * self._diffusion[None, :, None] * intervals)
        steps += self._drift * intervals
        path: Floats = self.positions_um + np.cumsum(steps, axis=0)
        self.positions_um = self._low + (path[-1] - self._low) % self._size
        return path


def scatter(
    count: int,
    low_um: tuple[float, float],
    high_um: tuple[float, float],
    min_distance_um: float,
    rng: np.random.Generator,
) -> Floats:
    """Place `count` particles at random in a box, (N, 2) µm, no two nearer than `min_distance_um`.

    Raises
    ------
    ValueError
        They do not fit.
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
