"""Particles whose names are known, at one particle per unit of area: lengths are in spacings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ObservedFrame", "brownian", "directed"]


class ObservedFrame(NamedTuple):
    """What is seen in one frame, in random order."""

    points: npt.NDArray[np.float64]
    """(N, 2), spacings."""
    names: npt.NDArray[np.int64]
    """(N,) of the particles; -1 for what is none."""


def brownian(
    count: int, frames: int, step: float, *, missed: float = 0.0, spurious: float = 0.0, seed: int
) -> list[ObservedFrame]:
    """Return Brownian particles whose displacements have the rms length `step`.

    A share `missed` of them is not seen in a frame, and a share `spurious` more are seen that are none.
    """
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, step / 2**0.5, (frames, count, 2))
    return _seen(steps, missed, spurious, rng)


def directed(count: int, frames: int, step: float, *, missed: float = 0.0, seed: int) -> list[ObservedFrame]:
    """Return particles that each go `step` a frame, straight on, in a direction of their own."""
    rng = np.random.default_rng(seed)
    angle = rng.random(count) * 2 * np.pi
    steps = np.broadcast_to(step * np.stack([np.cos(angle), np.sin(angle)], axis=-1), (frames, count, 2))
    return _seen(steps, missed, 0.0, rng)


def _seen(
    steps: npt.NDArray[np.float64], missed: float, spurious: float, rng: np.random.Generator
) -> list[ObservedFrame]:
    """Let particles go from random places; one that leaves comes in at the other side, under a new name."""
    count = steps.shape[1]
    side = count**0.5
    place, names, free = rng.random((count, 2)) * side, np.arange(count), count
    scene = []
    for step in steps:
        place = place + step
        left = np.flatnonzero(((place < 0) | (place >= side)).any(axis=1))
        place %= side
        names[left] = np.arange(free, free + len(left))
        free += len(left)
        seen = rng.random(count) >= missed
        false = rng.random((rng.poisson(spurious * count), 2)) * side
        points = np.concatenate([place[seen], false])
        known = np.concatenate([names[seen], np.full(len(false), -1)])
        order = rng.permutation(len(points))
        scene.append(ObservedFrame(points[order], known[order]))
    return scene
