"""The ideal observer of equal particles: what a detector can reach that has their shape, size, intensity and noise.

For each place it compares two hypotheses by their likelihoods: the background alone, and the background with one
particle there. With additive noise the logarithm of their ratio is the matched filter; with Poisson noise it is the sum
of image * log(1 + particle / background) - particle. Rows are the maxima of that map, and their score is the log ratio.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import maximum_filter

from livetrack.bench.accuracy.scene import Indices, Scene
from livetrack.bench.accuracy.shapes import Floats
from livetrack.particles import Rows, empty_rows

__all__ = ["ideal_observer", "log_ratio"]

_EXTENT_SIGMA = 5.0
_STEPS = 2  # places per pixel and axis
_MIN_DISTANCE_PX = 3  # between rows
_MIN_LOG_RATIO = -8.0
_LEVELS = 4  # of an uneven background, for which the filter is calculated


def ideal_observer(scene: Scene) -> Rows:
    """Return the maxima of the log likelihood ratio as rows, which is their score."""
    ratio = log_ratio(scene)
    row, column = _maxima(ratio)
    rows = empty_rows(row.size)
    rows["x"], rows["y"] = _vertex(ratio, row, column)
    rows["score"] = ratio[row, column]
    return rows


def log_ratio(scene: Scene) -> Floats:
    """Return the log likelihood ratio of a particle at each place of a grid of half pixels, (2 H, 2 W)."""
    height, width = scene.image.shape
    half_width = math.ceil(_EXTENT_SIGMA * scene.hints.sigma_px)
    background = np.broadcast_to(np.asarray(scene.background, dtype=np.float64), (height, width))
    shape = next_fast_len(height + 2 * half_width), next_fast_len(width + 2 * half_width)
    spectrum = rfft2((scene.image - background).astype(np.float32), shape)
    low, high = float(background.min()), float(background.max())
    uneven = scene.hints.shot > 0 and high > low
    levels = np.linspace(low, high, _LEVELS) if uneven else np.array([background.mean()])
    ratio = np.empty((_STEPS * height, _STEPS * width), np.float32)
    for n in range(_STEPS):
        for m in range(_STEPS):
            maps = []
            for level in levels:
                kernel, offset = _filter(scene, half_width, m / _STEPS, n / _STEPS, float(level))
                filtered = irfft2(spectrum * rfft2(kernel[::-1, ::-1].astype(np.float32), shape), shape)
                maps.append(filtered[half_width:][:height, half_width:][:, :width] + np.float32(offset))
            ratio[n::_STEPS, m::_STEPS] = _at_level(background, levels, maps)
    return ratio


def _filter(scene: Scene, half_width: int, dx: float, dy: float, level: float) -> tuple[Floats, float]:
    """Return the weights of the image less its background, and the constant of the log ratio."""
    steps = np.arange(-half_width, half_width + 1.0)
    _, _, _, intensity, size = scene.particles
    particle = intensity[0] * scene.particles.shape(steps[None, :] - dx, steps[:, None] - dy, size[:1])
    if scene.hints.shot:
        expected, variance = level, scene.hints.shot
        weights = np.log1p(np.maximum(particle / expected, -0.99)) / variance
        return weights, float((expected * weights - particle / variance).sum())
    weights = particle / scene.hints.read
    return weights, float(-(weights * particle).sum() / 2)


def _at_level(background: Floats, levels: Floats, maps: list[Floats]) -> Floats:
    """Return the polynomial through the maps, which belong to equally spaced levels, at each pixel's background."""
    total: Floats = np.zeros(background.shape, np.float32)
    for n, each in enumerate(maps):
        others = np.delete(levels, n)
        weight = np.ones(background.shape)
        for other in others:
            weight = weight * (background - other) / (levels[n] - other)
        total = total + weight.astype(np.float32) * each
    return total


def _maxima(ratio: Floats) -> tuple[Indices, Indices]:
    """Return rows and columns of maxima that are farther apart than `_MIN_DISTANCE_PX`."""
    height, width = ratio.shape[0] // _STEPS, ratio.shape[1] // _STEPS
    blocks = ratio.reshape(height, _STEPS, width, _STEPS).transpose(0, 2, 1, 3).reshape(height, width, _STEPS**2)
    best = blocks.max(axis=2)
    row, column = np.nonzero((best == maximum_filter(best, 2 * _MIN_DISTANCE_PX + 1)) & (best > _MIN_LOG_RATIO))
    down, across = np.divmod(blocks[row, column].argmax(axis=1), _STEPS)
    return _STEPS * row + down, _STEPS * column + across


def _vertex(ratio: Floats, row: Indices, column: Indices) -> tuple[Floats, Floats]:
    """Return x and y, px, of the parabolas through each maximum and its neighbours."""

    def shift(before: Floats, at: Floats, after: Floats) -> Floats:
        curvature = 2 * at - before - after
        moved: Floats = np.where(curvature > 0, (after - before) / np.maximum(2 * curvature, 1e-12), 0)
        return moved.clip(-0.5, 0.5)

    padded = np.pad(ratio.astype(np.float64), 1, mode="edge")
    at = padded[row + 1, column + 1]
    x = column + shift(padded[row + 1, column], at, padded[row + 1, column + 2])
    y = row + shift(padded[row, column + 1], at, padded[row + 2, column + 1])
    return x / _STEPS, y / _STEPS
