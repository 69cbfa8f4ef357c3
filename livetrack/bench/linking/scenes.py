"""Scenes of particles with known identities, at one particle per unit area: lengths are in spacings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ObservedFrame", "brownian", "directed"]


class ObservedFrame(NamedTuple):
    """The observed points of one frame, in random order."""

    points: npt.NDArray[np.float64]
    """(N, 2), spacings."""
    identities: npt.NDArray[np.int64]
    """(N,) true identities; -1 for spurious points."""


def brownian(
    count: int, frames: int, step: float, *, missed: float = 0.0, spurious: float = 0.0, seed: int
) -> list[ObservedFrame]:
    """Return Brownian particles with an rms displacement `step`.

    In each frame the fraction `missed` of them is not observed, and a fraction `spurious` of points is added.
    """
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, step / 2**0.5, (frames, count, 2))
    return _observe(steps, missed, spurious, rng)


def directed(count: int, frames: int, step: float, *, missed: float = 0.0, seed: int) -> list[ObservedFrame]:
    """Return particles that each move straight, `step` per frame, in random directions."""
    rng = np.random.default_rng(seed)
    angle = rng.random(count) * 2 * np.pi
    steps = np.broadcast_to(step * np.stack([np.cos(angle), np.sin(angle)], axis=-1), (frames, count, 2))
    return _observe(steps, missed, 0.0, rng)


def _observe(
    steps: npt.NDArray[np.float64], missed: float, spurious: float, rng: np.random.Generator
) -> list[ObservedFrame]:
    """Move particles from random positions; one that leaves enters at the opposite side with a new identity."""
    count = steps.shape[1]
    side = count**0.5
    positions, identities, next_id = rng.random((count, 2)) * side, np.arange(count), count
    scene = []
    for step in steps:
        positions = positions + step
        left = np.flatnonzero(((positions < 0) | (positions >= side)).any(axis=1))
        positions %= side
        identities[left] = np.arange(next_id, next_id + len(left))
        next_id += len(left)
        observed = rng.random(count) >= missed
        false_points = rng.random((rng.poisson(spurious * count), 2)) * side
        points = np.concatenate([positions[observed], false_points])
        observed_ids = np.concatenate([identities[observed], np.full(len(false_points), -1)])
        order = rng.permutation(len(points))
        scene.append(ObservedFrame(points[order], observed_ids[order]))
    return scene
