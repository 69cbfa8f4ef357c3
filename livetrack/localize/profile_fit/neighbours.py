"""Which particles are near to which."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["neighbours", "spacing"]

Doubles = npt.NDArray[np.float64]
Pairs = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]


def neighbours(places: Doubles, others: Doubles, reach: float) -> Pairs:
    """Return (start, near): the `others` nearer than `reach` px to place n are `near[start[n] : start[n + 1]]`.

    What is at the very place itself is no neighbour.
    """
    if len(others) == 1:
        return np.zeros(len(places) + 1, np.int32), np.empty(0, np.int32)
    order = np.argsort(others[:, 1], kind="stable")
    begin = np.searchsorted(others[order, 1], places[:, 1] - reach)
    start = np.zeros(len(places) + 1, np.int32)
    _look(places, others, order, begin, reach, start[1:], np.empty(0, np.int32))
    np.cumsum(start, out=start)
    near = np.empty(start[-1], np.int32)
    _look(places, others, order, begin, reach, start[1:].copy(), near)
    return start, near


def spacing(places: Doubles, others: Doubles, reach: float) -> float:
    """Return the median distance to the nearest of the `others`, px, or `reach` where it is less."""
    start, near = neighbours(places, others, reach)
    nearest = np.full(len(places), reach)
    _nearest(places, others, start, near, nearest)
    nearest.sort()  # np.median takes ten times as long for one particle
    return float(nearest[len(nearest) // 2])


@njit
def _look(places: Any, others: Any, order: Any, begin: Any, reach: float, counts: Any, near: Any) -> None:
    """Count each place's neighbours in `counts`; with room in `near`, list them there one after the other."""
    found = 0
    for n in range(len(places)):
        x, y = places[n]
        counts[n] = 0
        for k in range(begin[n], order.size):
            m = order[k]
            if others[m, 1] - y >= reach:
                break
            square = (others[m, 0] - x) ** 2 + (others[m, 1] - y) ** 2
            if 0 < square < reach * reach:
                counts[n] += 1
                if found < near.size:
                    near[found] = m
                    found += 1


@njit
def _nearest(places: Any, others: Any, start: Any, near: Any, nearest: Any) -> None:
    for n in range(len(places)):
        for k in range(start[n], start[n + 1]):
            m = near[k]
            distance = np.hypot(others[m, 0] - places[n, 0], others[m, 1] - places[n, 1])
            nearest[n] = min(nearest[n], distance)
