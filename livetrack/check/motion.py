"""Spacing and motion of blobs in consecutive frames: nearest neighbours, steps, common drift."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.check.blobs import Blobs

__all__ = ["Motion", "measure_motion", "nearest", "spacing"]

Array = npt.NDArray[np.float64]

_LAGS = (1, 2, 4)  # frames
_MAX_COMPARED = 400  # blobs of a frame, those nearest to the middle; the time grows with the square
_MAX_PAIRS = 16  # of frames, for each figure
_MIN_TOGETHER = 4  # particles; fewer do not drift, they move
_MIN_INTERVALS = 3  # of frames
_MAX_DRIFT_PX = 40.0  # per frame, beyond which no common displacement is sought
_MIN_DRIFT_PX = 0.05  # per frame
_CERTAIN = 5.0  # standard errors
_MAX_SCATTER = 0.15  # rms of single displacements along an axis, of the distance to the neighbour
_MEDIAN_LOSS = math.pi / 2  # variance of a median over that of a mean
_STEADY = 0.3  # least drift in each series of frames, of the mean


class Motion(NamedTuple):
    """Motion of the particles, px per frame."""

    step_px: float | None
    """Root mean square displacement along one axis, less the drift; None if no particles could be matched."""
    drift_px: tuple[float, float] | None
    """Displacement x, y that all particles have in common; None if there is none beyond doubt."""


def spacing(found: Sequence[Blobs]) -> float | None:
    """Return the median distance to the nearest neighbour in the same frame; None with fewer than two blobs."""
    distances = [_to_neighbour(blobs) for blobs in found if blobs.x.size > 1]
    return float(np.median(np.concatenate(distances))) if distances else None


def measure_motion(series: Sequence[Sequence[Blobs]], spacing_px: float | None) -> Motion:
    """Return the motion in one or more series of consecutive frames."""
    central = [[_central(blobs) for blobs in found] for found in series]
    drift = _drift(central, spacing_px)
    shift = drift or (0.0, 0.0)
    return Motion(_step(central, spacing_px, shift), drift)


def nearest(blobs: Blobs, targets: Blobs) -> tuple[npt.NDArray[np.intp], Array]:
    """Return for each of `blobs` the index of the nearest of `targets`, and its distance."""
    distance = np.hypot(blobs.x[:, None] - targets.x, blobs.y[:, None] - targets.y)
    index = distance.argmin(axis=1)
    return index, distance[np.arange(index.size), index]


def _to_neighbour(blobs: Blobs) -> Array:
    some, others = _central(blobs), _central(blobs, 4 * _MAX_COMPARED)
    distance = np.hypot(some.x[:, None] - others.x, some.y[:, None] - others.y)
    smallest: Array = np.partition(distance, 1, axis=1)[:, 1]  # the first is the distance to itself
    return smallest


def _central(blobs: Blobs, count: int = _MAX_COMPARED) -> Blobs:
    """Return the `count` blobs nearest to the middle of all, so that neighbours stay together."""
    if blobs.x.size <= count:
        return blobs
    middle_x, middle_y = (blobs.x.min() + blobs.x.max()) / 2, (blobs.y.min() + blobs.y.max()) / 2
    return blobs.select(np.argsort(np.hypot(blobs.x - middle_x, blobs.y - middle_y), kind="stable")[:count])


def _step(series: Sequence[Sequence[Blobs]], spacing_px: float | None, drift: tuple[float, float]) -> float | None:
    """Return the rms displacement per frame along one axis.

    It is the largest displacement / sqrt(lag), as for free diffusion, over lags of 1, 2 and 4 frames: successive frames
    of compressed movies, or frames saved twice, show too little motion. A longer lag is left out if particles move far
    enough in it to be confused.
    """
    steps = []
    for lag in _LAGS:
        pairs = [pair for found in series for pair in zip(found[:-lag], found[lag:], strict=True)]
        moved = _displacement(_spread(pairs, _MAX_PAIRS), (lag * drift[0], lag * drift[1]))
        if moved is not None and (lag == 1 or spacing_px is None or moved < spacing_px / 4):
            steps.append(moved / math.sqrt(lag))
    return max(steps, default=None)


def _displacement(pairs: Sequence[tuple[Blobs, Blobs]], shift: tuple[float, float]) -> float | None:
    """Return the rms displacement along one axis, from the median distance of mutually nearest particles.

    Displacements of Brownian particles in a plane follow a Rayleigh distribution, whose median is sqrt(2 ln 2) times
    the rms along one axis.
    """
    vectors = [_matched(before, after, shift) for before, after in pairs if before.x.size and after.x.size]
    if not any(map(len, vectors)):
        return None
    distance = np.hypot(*np.concatenate(vectors).T)
    return float(np.median(distance)) / math.sqrt(2 * math.log(2))


def _matched(before: Blobs, after: Blobs, shift: tuple[float, float]) -> Array:
    """Return the displacement x, y of mutually nearest blobs beyond `shift`, (N, 2)."""
    moved = before._replace(x=before.x + shift[0], y=before.y + shift[1])
    forward, _ = nearest(moved, after)
    backward, _ = nearest(after, moved)
    mutual = backward[forward] == np.arange(forward.size)
    there = forward[mutual]
    return np.stack((after.x[there] - moved.x[mutual], after.y[there] - moved.y[mutual]), axis=1)


def _drift(series: Sequence[Sequence[Blobs]], spacing_px: float | None) -> tuple[float, float] | None:
    """Return the displacement per frame that the particles have in common, if it is certain and steady.

    It is certain if it exceeds five standard errors, of which the steps of single particles and the shaking of the
    whole image are parts.
    """
    pairs = [[pair for pair in pairwise(found) if _enough(*pair)] for found in series]
    chosen = [_spread(some, _MAX_PAIRS // len(series) + 1) for some in pairs if some]
    if sum(map(len, chosen)) < _MIN_INTERVALS or spacing_px is None:
        return None
    guess = _common_displacement([pair for some in chosen for pair in some], spacing_px)
    for _ in range(2):  # the first time, the guess is that of a histogram
        vectors = [[_near(_matched(*pair, guess), spacing_px / 2) + guess for pair in some] for some in chosen]
        kept = [[each for each in some if len(each) >= _MIN_TOGETHER] for some in vectors]
        kept = [some for some in kept if some]
        medians = [np.array([np.median(each, axis=0) for each in some]) for some in kept]
        if sum(map(len, medians)) < _MIN_INTERVALS:
            return None
        drift = np.concatenate(medians).mean(axis=0)
        guess = float(drift[0]), float(drift[1])
    means = np.concatenate(medians)
    deviations = np.concatenate([each - np.median(each, axis=0) for some in kept for each in some])
    single = float(np.square(1.4826 * np.median(np.abs(deviations), axis=0)).sum())
    if math.sqrt(single / 2) > _MAX_SCATTER * spacing_px:
        return None  # in a crowd there is a particle everywhere
    error = math.sqrt(_MEDIAN_LOSS * single / len(deviations) + means.var(axis=0, ddof=1).sum() / len(means))
    speed = math.hypot(*guess)
    if speed < max(_MIN_DRIFT_PX, _CERTAIN * error):
        return None
    along = [float(some.mean(axis=0) @ drift) / speed for some in medians]
    return guess if min(along) > _STEADY * speed else None


def _spread(pairs: Sequence[tuple[Blobs, Blobs]], count: int) -> Sequence[tuple[Blobs, Blobs]]:
    """Return at most `count` of the pairs, evenly spaced."""
    return pairs[:: math.ceil(len(pairs) / count)] if pairs else pairs


def _enough(before: Blobs, after: Blobs) -> bool:
    return min(before.x.size, after.x.size) >= _MIN_TOGETHER


def _near(vectors: Array, radius: float) -> Array:
    near: Array = vectors[np.hypot(*vectors.T) < radius]
    return near


def _common_displacement(pairs: Sequence[tuple[Blobs, Blobs]], spacing_px: float) -> tuple[float, float]:
    """Return the most frequent displacement between any two blobs of successive frames, px; 0 if none stands out.

    Beyond half the distance between neighbours, the nearest blob is another particle.
    """
    width = max(1.0, spacing_px / 6)
    reach = math.ceil(_MAX_DRIFT_PX / width)  # cells on either side of that of displacement 0
    side = 2 * reach + 1
    count = np.zeros((side + 2, side + 2))  # with an empty edge
    for before, after in pairs:
        right = np.rint((after.x - before.x[:, None]) / width).astype(int) + reach
        down = np.rint((after.y - before.y[:, None]) / width).astype(int) + reach
        inside = (np.minimum(right, down) >= 0) & (np.maximum(right, down) < side)
        count[1:-1, 1:-1] += np.bincount(down[inside] * side + right[inside], minlength=side * side).reshape(side, side)
    windows = np.lib.stride_tricks.sliding_window_view(count, (3, 3))
    around = windows.sum(axis=(2, 3))
    by_chance = float(np.median(around))
    row, column = np.unravel_index(int(np.argmax(around)), around.shape)
    peak = windows[row, column]
    if peak.sum() < 2 * by_chance + _CERTAIN * math.sqrt(by_chance + 1):
        return 0.0, 0.0
    offset = np.array([-1, 0, 1])
    x = column - reach + (peak.sum(axis=0) @ offset) / peak.sum()
    y = row - reach + (peak.sum(axis=1) @ offset) / peak.sum()
    return float(x * width), float(y * width)
