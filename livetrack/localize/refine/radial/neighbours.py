"""Neighbouring particles, and representative samples of particles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["brightest", "neighbours", "some", "some_bright", "spacing"]

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


Numbers = npt.NDArray[np.intp]

_BRIGHT_ENOUGH = 0.5  # of the height of the last that would be among the brightest
_BLOCK_PX = 8.0  # a place keeps its turn while it moves by less
_SPREAD = np.array([0.7548776662, 0.5698402910])  # multiples of these fill a unit evenly (Roberts' R2 sequence)


def brightest(height: Doubles, wanted: npt.NDArray[np.bool_], most: int) -> Numbers:
    """Return the numbers of the `most` brightest of the `wanted` particles, or of all of them, brightest first."""
    order: Numbers = np.argsort(-np.abs(height) * wanted, kind="stable")[:most]
    return order[wanted[order]]


def some_bright(places: Doubles, height: Doubles, wanted: npt.NDArray[np.bool_], most: int) -> Numbers:
    """Return the numbers of `most` of the `wanted` particles, or all, from all over the image, that are bright.

    Not the brightest: among equal ones they are those whose centre the noise has raised, and a profile would be learnt
    from them that is too high and too narrow.
    """
    which = np.flatnonzero(wanted)
    if which.size > most:
        bright = np.abs(height[which])
        which = which[bright >= _BRIGHT_ENOUGH * np.partition(bright, -most)[-most]]
    return some(places, which, most)


def some(places: Doubles, which: Numbers, most: int) -> Numbers:
    """Return `most` of the numbers `which`, or all, in order.

    Whose turn it is depends on the particle's own place alone: where another one comes or goes, nearly all that are
    chosen stay the same.
    """
    if which.size <= most:
        return which
    turn = (np.round(places[which] / _BLOCK_PX) @ _SPREAD) % 1
    first = np.lexsort((places[which, 0], places[which, 1], turn))[:most]
    return np.sort(which[first])
