"""Kernels over the particles of an image: whose turn it is, for how many steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.localize.refine.radial.elongation import measure_elongation
from livetrack.localize.refine.radial.observe import measure_freedom, observe
from livetrack.localize.refine.radial.step import (
    COEFFICIENTS,
    FOUND_X,
    HEIGHT,
    LIMIT_PX,
    MOVED_X,
    MOVED_Y,
    SHARPNESS,
    SNR,
    VAR_X,
    X,
    Y,
    doubt,
    first_in_map,
    paint,
    step,
)  # fmt: skip

__all__ = ["MAX_TURNS", "bands_of", "begin", "begin_others", "erase", "observe_sample", "sweep"]

MAX_TURNS = 5
"""Steps of a crowded particle, at most."""

_MAX_STEPS = 9  # of one that is alone; most make one or two, others more as they doubt their surroundings
_SQUARE, _CUBE_PER_PX = 0.15, 0.24  # of a step, px, times the sharpness: what it leaves if there is no noise
_LEFT = 0.15  # standard uncertainties that may be left
_SETTLED = 1.0  # standard uncertainty: a crowded particle that moves less has settled
_MAX_DRIFT_PX = 1.2  # of a centre from the middle pixel, along both axes together
_WORTH, _REMAINS = 0.1, 0.3  # standard uncertainties that a series of steps would go on, to do so, and to make another
_MAX_RATIO = 0.6  # of two steps
_TINY = 1e-12


@njit
def begin(
    active: Any, mean: Any, crowd: Any, raw: Any, middle: Any, state: Any, trust: Any, doubted: Any, fresh: Any,
    added: Any, painted: Any, pixels: Any, geometry: Any, workspace: Any,
) -> None:  # fmt: skip
    """Begin each particle with the mean profile, and trust its surroundings."""
    for m in range(active.size):
        if active[m]:
            doubted[m], fresh[m] = False, True
            for k in range(trust.shape[1]):
                trust[m, k] = np.float32(1)
            _take_mean(m, mean, state)
            if crowd[m] > 0:
                paint(m, middle, state, added, painted, pixels, geometry, workspace)
        else:
            crowd[m] = 0  # it adds nothing, so that there is nothing to erase


@njit
def begin_others(active: Any, mean: Any, fresh: Any, state: Any) -> None:
    """Begin the particles that have not made a step with another mean profile."""
    for m in range(active.size):
        if active[m] and fresh[m]:
            _take_mean(m, mean, state)


@njit
def _take_mean(m: int, mean: Any, state: Any) -> None:
    for k in range(mean.size):
        state[m, COEFFICIENTS + k] = state[m, HEIGHT] * mean[k]


@njit
def bands_of(state: Any, order: Any, height: float) -> Any:
    """Return where bands of the image begin and end in `order`, each at least `height` px high."""
    count = len(state)
    edges, last = [0], state[order[0], Y]
    for a in range(count):
        if state[order[a], Y] - last >= height:
            edges.append(a)
            last = state[order[a], Y]
    edges.append(count)
    return np.array(edges)


@njit
def erase(crowd: Any, middle: Any, added: Any, pixels: Any, geometry: Any) -> None:
    """Take away what the crowded particles of the last image have added."""
    offsets, (reach, in_core, _, _, _) = pixels[5], geometry
    flat = added.reshape(-1)
    for m in range(crowd.size):
        if crowd[m] > 0:
            first = first_in_map(m, middle, reach, added)
            for p in range(in_core):
                flat[first + offsets[p]] = 0


@njit
def sweep(
    turn: int, order: Any, first: int, last: int, active: Any, good: Any, strays: Any, crowd: Any, levels: Any,
    raw: Any, middle: Any, state: Any, trust: Any, doubted: Any, fresh: Any, added: Any, painted: Any, pixels: Any,
    geometry: Any, prior: Any, workspace: Any,
) -> Any:  # fmt: skip
    """Fit the particles `first` to `last` in `order`: one that is alone until it has settled, others by one step.

    Whether another step is worth while follows from sharpness and SNR, for a crowded one from how far it has moved,
    which its neighbours have to take into account. `active` (N,) becomes False for those that have settled, `good` (N,)
    for those that have no solution. `strays` (N,) are those alone that have left the middle of their windows: they go
    on when these have been read again. Returns the numbers of active particles and of strays.
    """
    active_count = stray_count = 0
    for a in range(first, last):
        m = order[a]
        if not active[m]:
            continue
        crowded = crowd[m] > 0
        active[m] = strays[m] = False
        for n in range(turn, turn + 1 if crowded else _MAX_STEPS):
            x, y = state[m, MOVED_X], state[m, MOVED_Y]
            good[m] = step(
                m, crowded, levels, raw, middle, state, trust, doubted, fresh, added, painted, pixels, geometry, prior,
                workspace,
            )  # fmt: skip
            if not good[m]:
                break
            std = math.sqrt(state[m, VAR_X])
            moved = max(abs(state[m, MOVED_X]), abs(state[m, MOVED_Y]))
            curved = (_SQUARE + _CUBE_PER_PX * moved) * moved * state[m, SHARPNESS]
            further = moved * (curved + 1 / state[m, SNR]) > _LEFT * std
            if crowded and n == 0:
                further = further or moved > _SETTLED * std or crowd[m] == 2
            elif crowded:
                further = _extrapolate(m, x, y, _WORTH * std, state) > _REMAINS * std
            else:
                strays[m] = abs(state[m, X] - middle[m, 1]) + abs(state[m, Y] - middle[m, 0]) > _MAX_DRIFT_PX
            if n > 0 or not crowded:  # before, the neighbours are not known
                further = doubt(m, state, trust, doubted, pixels[2], workspace) or further
            if strays[m] or not further:
                active[m] = strays[m]
                break
            active[m] = crowded
        if good[m]:
            measure_elongation(m, geometry[1], geometry[2], workspace[0], state)
        active_count += active[m]
        stray_count += strays[m]
    return active_count, stray_count


@njit
def _extrapolate(m: int, x: float, y: float, least: float, state: Any) -> Any:
    """Go on by as much as a series of steps like the last one, after one by (x, y), would (Aitken's method).

    Return how far that is, px; less than `least` is left out.
    """
    ratio = (state[m, MOVED_X] * x + state[m, MOVED_Y] * y) / max(x * x + y * y, _TINY)
    ratio = min(max(ratio, 0.0), _MAX_RATIO)
    further = ratio / (1 - ratio)
    remains = further * max(abs(state[m, MOVED_X]), abs(state[m, MOVED_Y]))
    if remains > least:
        for axis in range(2):
            found, there = state[m, FOUND_X + axis], state[m, X + axis] + further * state[m, MOVED_X + axis]
            state[m, X + axis] = min(max(there, found - LIMIT_PX), found + LIMIT_PX)
    return remains


@njit
def observe_sample(
    sample: Any, steps: int, crowd: Any, levels: Any, raw: Any, middle: Any, state: Any, trust: Any, doubted: Any,
    fresh: Any, added: Any, painted: Any, pixels: Any, geometry: Any, prior: Any, neighbour: Any, free: Any,
    workspace: Any, information: Any, product: Any, noise: Any,
) -> None:  # fmt: skip
    """Let the particles of `sample` (S,) make some steps, and `observe` them, `free` first if it is NaN."""
    runs = pixels[4]
    for s in range(sample.size):
        m = sample[s]
        good = True
        for _ in range(steps):
            good = good and step(
                m, crowd[m] > 0, levels, raw, middle, state, trust, doubted, fresh, added, painted, pixels, geometry,
                prior, workspace,
            )  # fmt: skip
        if good:
            if np.isnan(free[0]):
                measure_freedom(neighbour, len(runs), workspace, free)
            observe(m, levels, state, runs, neighbour, free, workspace, information[s], product[s], noise)
