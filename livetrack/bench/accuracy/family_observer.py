"""The ideal observer of DeepTrack's images: what a detector can reach that has the family of shapes, not its member.

The likelihood of a particle at each place is averaged over the family: both orders, radii, intensities of either sign,
with level and tilt of the background fitted. The row lies where most of the probability is within the gate, and its
score is the log likelihood ratio to no particle. A second one is sought in what remains, 10 px away and more, so that a
threshold must tell particles from noise: the number of particles is not given.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import convolve

from livetrack.bench.accuracy.scene import Scene
from livetrack.bench.accuracy.shapes import Floats, bessel
from livetrack.bench.matching import GATE_PX
from livetrack.particles import Rows, empty_rows

__all__ = ["family_observer"]

_ORDERS: tuple[Literal[1, 2], ...] = (1, 2)
_RADII_PX = (1.5, 2.25, 3.0)
_INTENSITIES = (0.23, 0.33, 0.45, 0.57, -0.23, -0.33, -0.45, -0.57)
_SUBTRACTED_RADII_PX = np.linspace(1.5, 3.0, 5)
_MIN_LEVEL = 0.05
_SELF_NOISE = 0.3  # mean intensity of a particle's pixels, weighted by their information, over its largest
_MIN_DISTANCE_PX = 10.0
_ROWS = 2


def family_observer(scene: Scene) -> Rows:
    """Return two rows, the second with what the first leaves."""
    image = scene.image.astype(np.float64)
    side = len(image)
    y, x = np.mgrid[:side, :side]
    allowed = np.ones(image.shape)
    rows = empty_rows(_ROWS)
    for row in rows:
        row["x"], row["y"], row["score"] = _most_likely(image, scene.hints.shot, allowed)
        distance_x, distance_y = x - row["x"], y - row["y"]
        allowed *= np.hypot(distance_x, distance_y) > _MIN_DISTANCE_PX
        image = image - _best_particle(image, distance_x, distance_y)
    return rows


class _Family(NamedTuple):
    spectra: Floats
    """Of the templates, for correlation with an image."""
    templates: Floats
    """(T, 2 side - 1, 2 side - 1), centred."""
    energy: Floats
    """(T, side, side): sum of squares of each template at each place, without level and tilt."""
    planes: Floats
    """(3, side, side): orthonormal level and slopes."""


@cache
def _family(side: int) -> _Family:
    steps = np.arange(1.0 - side, side)
    templates = np.array(
        [bessel(order)(steps[None, :], steps[:, None], np.array(size)) for order in _ORDERS for size in _RADII_PX]
    )
    along = np.arange(side) - (side - 1) / 2
    planes = np.stack([np.ones((side, side)), np.tile(along, (side, 1)), np.tile(along[:, None], (1, side))])
    planes /= np.sqrt((planes**2).sum(axis=(1, 2), keepdims=True))
    spectra, squares = _spectra(templates), _spectra(templates**2)
    overlap = np.stack([_correlate(plane, spectra) for plane in planes])
    energy = _correlate(np.ones((side, side)), squares) - (overlap**2).sum(axis=0)
    return _Family(spectra, templates, energy, planes)


def _most_likely(image: Floats, shot: float, allowed: Floats) -> tuple[float, float, float]:
    """Return x, y and the log likelihood ratio where most of the probability is within the gate."""
    side = len(image)
    family = _family(side)
    level_and_tilt = np.einsum("kij,ij->k", family.planes, image)
    flat = image - np.einsum("k,kij->ij", level_and_tilt, family.planes)
    projection = _correlate(flat, family.spectra)
    level = float(np.median(image))
    for _ in range(2):  # the second time with the level that remains without the likeliest particle
        log_ratios = np.stack([_log_ratio(a, level, shot, projection, family.energy) for a in _INTENSITIES])
        n, template, row, column = np.unravel_index(log_ratios.argmax(), log_ratios.shape)
        centred = family.templates[template][side - 1 - row :][:side, side - 1 - column :][:, :side]
        level = float((image - _INTENSITIES[n] * centred).mean())
    largest = float(log_ratios.max())
    probability = np.exp(log_ratios - largest).mean(axis=(0, 1)) * allowed
    steps = np.arange(-int(GATE_PX), int(GATE_PX) + 1)
    gate = (np.hypot(steps, steps[:, None]) < GATE_PX).astype(np.float64)
    mass = convolve(probability, gate, mode="constant")
    row, column = np.unravel_index(mass.argmax(), mass.shape)
    y, x = np.mgrid[:side, :side]
    near = probability * (np.hypot(x - column, y - row) < GATE_PX)
    total = float(near.sum())
    return float((near * x).sum() / total), float((near * y).sum() / total), float(np.log(mass[row, column])) + largest


def _log_ratio(intensity: float, level: float, shot: float, projection: Floats, energy: Floats) -> Floats:
    weight = 1 / (shot * max(level + _SELF_NOISE * intensity, _MIN_LEVEL))
    ratio: Floats = weight * (intensity * projection - intensity**2 * energy / 2)
    return ratio


def _best_particle(image: Floats, dx: Floats, dy: Floats) -> Floats:
    """Return the member of the family that fits best at a given place, with a free intensity and level."""
    best, most = np.zeros(image.shape), 0.0
    for order in _ORDERS:
        for size in _SUBTRACTED_RADII_PX:
            particle = bessel(order)(dx, dy, size)
            varying = particle - particle.mean()
            overlap, energy = float((varying * image).sum()), float((varying**2).sum())
            if overlap**2 / energy > most:
                best, most = particle * (overlap / energy), overlap**2 / energy
    return best


def _spectra(templates: Floats) -> Floats:
    period = next_fast_len(templates.shape[1], real=True)
    spectra: Floats = rfft2(templates[:, ::-1, ::-1], (period, period))
    return spectra


def _correlate(image: Floats, spectra: Floats) -> Floats:
    """Return the sum of image * template with the template at each pixel, (T, side, side)."""
    side, period = len(image), spectra.shape[1]
    correlated: Floats = irfft2(rfft2(image, (period, period)) * spectra, (period, period))
    return correlated[:, side - 1 :, side - 1 :][:, :side, :side]
