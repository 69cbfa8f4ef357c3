"""Cost of the links of a frame against the global optimum, which SciPy finds on the augmented matrix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.linking import Linker

__all__ = ["PATTERNS", "count_optimal"]

Points = npt.NDArray[np.float64]

PATTERNS = ("scattered", "jittered", "contracting grid", "rigid drift", "integers")

_FORBIDDEN = 1e6


def count_optimal(pattern: str, cases: int, seed: int = 7) -> int:
    """Return how many of `cases` random pairs of frames reach the optimal cost to a relative 1e-8."""
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    optimal = 0
    for _ in range(cases):
        before, after = _frames(pattern, rng)
        radius = float(rng.choice([0.5, 1, 2, 5, 20]))
        costs = ((before[:, None] - after[None]) ** 2).sum(axis=-1)
        allowed = costs <= (radius * (1 + 1e-9)) ** 2
        unlinked = np.where(np.eye(len(before), dtype=bool), radius**2, _FORBIDDEN)
        augmented = np.hstack([np.where(allowed, costs, _FORBIDDEN), unlinked])
        best = augmented[linear_sum_assignment(augmented)].sum()
        optimal += bool(abs(_link_cost(before, after, radius, costs) - best) <= 1e-8 * max(best, 1))
    return optimal


def _link_cost(before: Points, after: Points, radius: float, costs: npt.NDArray[np.float64]) -> float:
    linker = Linker(radius)
    linker.link_points(before)
    ids = linker.link_points(after)
    linked = np.flatnonzero(ids < len(before))
    return float(costs[ids[linked], linked].sum() + (len(before) - len(linked)) * radius**2)


def _frames(pattern: str, rng: np.random.Generator) -> tuple[Points, Points]:
    axis = np.arange(8.0)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    if pattern == "contracting grid":
        return grid, grid * rng.uniform(0.4, 1.1)
    if pattern == "rigid drift":
        return grid, (grid + rng.uniform(0, 1.5, 2))[rng.permutation(64)[: rng.integers(32, 65)]]
    if pattern == "integers":  # coinciding points and ties
        return rng.integers(0, 5, (50, 2)).astype(float), rng.integers(0, 5, (40, 2)).astype(float)
    if pattern == "jittered":
        before = rng.random((rng.integers(1, 60), 2)) * 10
        return before, before + rng.normal(0, rng.choice([0.1, 1, 3]), before.shape)
    size = rng.choice([3, 10, 30, 100])
    return rng.random((rng.integers(1, 60), 2)) * size, rng.random((rng.integers(0, 60), 2)) * size
