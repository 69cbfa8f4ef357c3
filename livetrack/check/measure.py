"""Measures particles without a model: contrast, size, shape, rings, intensity, noise, spacing and motion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from livetrack.check.blobs import Blobs, find_blobs, find_blobs_of_size, join, pixel_noise
from livetrack.check.busy_part import Part, busiest_part
from livetrack.check.motion import measure_motion, spacing
from livetrack.check.profile import core_and_ring
from livetrack.check.shape import Shape, measure_shape, merge_parts

__all__ = ["Measured", "ParticleProperties", "measure_particles", "measure_series"]

Array = npt.NDArray[np.float64]
Image = npt.NDArray[Any]

_ALL_SIZES_FRAMES, _ALL_SIZES_MANY = 3, 8  # searched for blobs of all sizes; the more, the smaller they are
_ALL_SIZES_TOTAL_PX = 1e6
_ALL_SIZES_PX = 768  # side of the part that is searched
_PART_PX = 1200  # side of the part of large images in which everything else is measured
_MAX_PX = 10e6  # in all images that are searched for blobs of one size
_DIAMETER = 2 * math.sqrt(2)  # of a Gaussian, over its sigma
_ROUNDING_NOISE = 1 / math.sqrt(12)  # grey levels
_MIN_RING = 0.1  # of the core's intensity; a fluorescent spot has no opposite ring as strong
_MIN_ELONGATION = 1.8  # length / width; noise and pairs make up to 1.6 of round particles
_MAX_IMPURITY = 0.1  # ratio of blobs of the other sign to particles
_MIXED = 1 / 3  # fraction of other sign among strong blobs, above which these are particles too
_MAX_BLOBS = 1000  # per frame
_MIN_RESPONSE = 0.3  # of the typical response; weaker blobs are not counted


class ParticleProperties(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of the particles in a few frames, as medians: lengths in px, intensities in grey levels."""

    contrast: str
    """`bright`, `dark`, or `both` for a mixture."""
    ring: float | None
    """Intensity of the ring of opposite sign around the core / that of the core, 0 to 1; 0 without a ring, None if the
    surroundings of the particles could not be measured."""
    diameter_px: float
    """2 sqrt(2) sigma of the best-fitting Gaussian, where its Laplacian changes sign; for a disc, its diameter."""
    background: float
    peak: float
    """Absolute intensity of the core over the background."""
    noise: float
    """Standard deviation between neighbouring pixels; at least that of rounding."""
    snr: float | None
    """Peak over noise; None if there is no noise beyond rounding: it was compressed, clipped or averaged away."""
    count: float
    """Approximate number of particles per frame."""
    spacing_px: float | None
    """Distance to the nearest neighbour; None with fewer than two particles."""
    step_px: float | None
    """Root mean square displacement per frame along one axis, less the drift; None if no particles could be matched."""
    drift_px: tuple[float, float] | None = None
    """Displacement x, y per frame that all particles have in common; None if there is none beyond doubt."""
    elongation: float | None = None
    """Length / width at half of the peak; None if it could not be measured."""
    length_px: float | None = None
    """Length at half of the peak; None if it could not be measured."""
    angle_spread_deg: float | None = None
    """Circular standard deviation of the particles' directions; None if it could not be measured."""

    @property
    def has_ring(self) -> bool:
        """Whether there is a ring of opposite sign, as around bright-field beads but not fluorescent spots."""
        return self.ring is not None and self.ring > _MIN_RING

    @property
    def is_elongated(self) -> bool:
        """Whether the particles are longer than wide, beyond what noise makes of round ones."""
        return self.elongation is not None and self.elongation > _MIN_ELONGATION


class Measured(NamedTuple):
    """What was measured in one or more series of consecutive frames."""

    particles: ParticleProperties
    blobs: list[list[Blobs]]
    """Blobs of the particles' size in each frame of each series."""
    part: Part
    """Part of the images in which `blobs` were sought."""
    diameters_px: list[float]
    """Diameters at the beginning, in the middle and at the end: of the first frame of some series."""


def measure_particles(frames: Sequence[Image]) -> Measured | None:
    """Measure the particles in consecutive frames, each (H, W); None if none stand out from the noise."""
    return measure_series([frames])


def measure_series(series: Sequence[Sequence[Image]], diameter_px: float | None = None) -> Measured | None:
    """Measure the particles in some series of consecutive frames, each (H, W), of this diameter if it is known.

    Returns None if no particles stand out from the noise. In large images a part is measured, the one with the most
    particles, and their number is extrapolated to the area of the whole image.
    """
    middle = series[len(series) // 2][0]
    zero = float(np.median(middle))  # subtracted first: the measurement is in single precision
    part = busiest_part(_from(middle, zero), _PART_PX)
    some = max(2, math.floor(_MAX_PX / len(series) / (part.width * part.height)))
    shown = [[_from(part.of(frame), zero) for frame in frames[:some]] for frames in series]
    images = [image for frames in shown for image in frames]
    noise = float(np.median([pixel_noise(image) for image in _spread(images, 8)]))
    integers = middle.dtype.kind in "uib"
    floor = _ROUNDING_NOISE if integers else 1e-6 * float(np.ptp(images[0]))
    noise = max(noise, floor)
    if diameter_px is None:
        strongest = _find_strongest(images, noise)
    else:
        strongest = _strongest_of_size(images, noise, diameter_px / _DIAMETER)
    if strongest is None:
        return None
    strong, mixed = join(strongest.blobs), strongest.mixed
    sigma, response = _typical(strong.sigma, _rank(strong)), _typical(strong.response, _rank(strong))
    found = [[find_blobs_of_size(image, noise, sigma, _MIN_RESPONSE * response) for image in each] for each in shown]
    sign = math.copysign(1.0, response)
    shape = _shape(images, found, sigma, sign, noise)
    if shape is not None and shape.elongation > _MIN_ELONGATION:
        found = [
            [merge_parts(image, blobs, sigma, sign, noise) for image, blobs in zip(*pair, strict=True)]
            for pair in zip(shown, found, strict=True)
        ]
    every = [blobs for frames in found for blobs in frames]
    if np.median([blobs.x.size for blobs in every]) < 1:
        return None
    chosen = _spread(list(zip(images, every, strict=True)), 8)
    some_images, some_found = [image for image, _ in chosen], [blobs for _, blobs in chosen]
    peak, ring = core_and_ring(some_images, some_found, sigma, sign)
    if math.isnan(peak):  # too crowded for a profile: a Gaussian's peak is twice its response
        peak = 2 * abs(response)
    spacing_px = spacing(some_found)
    motion = measure_motion(found, spacing_px)
    properties = ParticleProperties(
        contrast="both" if mixed else "bright" if response > 0 else "dark",
        ring=ring,
        diameter_px=_DIAMETER * sigma,
        background=zero + float(np.median(some_images[0])),
        peak=peak,
        noise=noise,
        snr=peak / noise if noise > floor else None,
        count=float(np.mean([blobs.x.size for blobs in every])) / part.fraction,
        spacing_px=spacing_px,
        step_px=motion.step_px,
        drift_px=motion.drift_px,
        elongation=None if shape is None else shape.elongation,
        length_px=None if shape is None else shape.length_px,
        angle_spread_deg=None if shape is None else shape.angle_spread_deg,
    )
    moved = [[part.placed(blobs) for blobs in frames] for frames in found]
    sizes = [_DIAMETER * _typical(blobs.sigma, _rank(blobs)) for blobs in strongest.blobs if blobs.x.size]
    return Measured(properties, moved, part, sizes)


def _shape(
    images: Sequence[Image], found: Sequence[Sequence[Blobs]], sigma: float, sign: float, noise: float
) -> Shape | None:
    pairs = _spread(list(zip(images, [blobs for frames in found for blobs in frames], strict=True)), 8)
    return measure_shape([image for image, _ in pairs], [blobs for _, blobs in pairs], sigma, sign, noise)


def _from(frame: Image, zero: float) -> npt.NDArray[np.float32]:
    difference: npt.NDArray[np.float32] = (frame - np.float64(zero)).astype(np.float32)
    return difference


def _spread(values: Sequence[Any], count: int) -> list[Any]:
    """Return at most `count` of the values, evenly spaced, with the first and the last."""
    chosen = np.unique(np.linspace(0, len(values) - 1, count).round().astype(int))
    return [values[index] for index in chosen]


class _Strongest(NamedTuple):
    blobs: list[Blobs]
    """Of one sign, in each frame searched."""
    mixed: bool
    """Whether both signs occur."""


def _find_strongest(images: Sequence[Image], noise: float) -> _Strongest | None:
    """Return blobs, from a few frames, that are certainly particles."""
    count = min(_ALL_SIZES_MANY, max(_ALL_SIZES_FRAMES, int(_ALL_SIZES_TOTAL_PX / images[0].size)))
    chosen = _spread(images, count)
    part = busiest_part(chosen[len(chosen) // 2], _ALL_SIZES_PX)
    parts = [_drop_halos(find_blobs(part.of(image), noise)) for image in chosen]
    blobs = join(parts)
    if not blobs.x.size:
        return None
    frame = np.repeat(np.arange(len(parts)), [each.x.size for each in parts])
    best = max(
        (_of_sign(blobs, sign) for sign in (1, -1)), key=lambda index: np.square(_rank(blobs.select(index))).sum()
    )
    particles = blobs.select(best)
    typical = _typical(particles.sigma, _rank(particles))
    alike = np.abs(np.log2(blobs.sigma / typical)) < 1
    comparable = blobs.select(alike & (_rank(blobs) >= _typical(_rank(particles), _rank(particles)) / 2))
    opposite = np.sign(comparable.response) != np.sign(particles.response[0])
    return _Strongest([blobs.select(best[frame[best] == n]) for n in range(len(parts))], bool(opposite.mean() > _MIXED))


def _strongest_of_size(images: Sequence[Image], noise: float, sigma: float) -> _Strongest | None:
    """Return blobs of one size, from a few frames: of the sign of the strongest."""
    chosen = _spread(images, _ALL_SIZES_FRAMES)
    both = [[find_blobs_of_size(image, noise, sigma, sign * 0.0) for image in chosen] for sign in (1, -1)]
    best = max(both, key=lambda parts: float(np.abs(join(parts).response).max(initial=0)))
    return _Strongest(best, False) if join(best).x.size else None


def _of_sign(blobs: Blobs, sign: int) -> npt.NDArray[np.intp]:
    """Return the indices of the highest ranking blobs of `sign`, while those of the other sign are at most a tenth.

    Noise, texture and compression produce as many dark blobs as bright ones; particles have one sign.
    """
    order = np.argsort(-_rank(blobs), kind="stable")
    matching = np.sign(blobs.response[order]) == sign
    pure = np.flatnonzero(np.cumsum(~matching) <= _MAX_IMPURITY * np.cumsum(matching))
    end = pure[-1] + 1 if pure.size else 0
    chosen: npt.NDArray[np.intp] = order[:end][matching[:end]]
    return chosen


def _rank(blobs: Blobs) -> Array:
    """Return |response| / sqrt(sigma).

    A compromise between strength, which favours the haze of a whole cell, and slope, which favours noisy pixels.
    """
    rank: Array = np.abs(blobs.response) / np.sqrt(blobs.sigma)
    return rank


def _typical(values: Array, rank: Array) -> float:
    """Return the median weighted by rank squared, so that one strong particle outweighs ten faint side lobes."""
    order = np.argsort(values)
    weight = np.cumsum(rank[order] ** 2)
    return float(values[order][np.searchsorted(weight, weight[-1] / 2)])


def _drop_halos(blobs: Blobs) -> Blobs:
    """Drop every blob within 3 sigma of a higher ranking one: its rings, its parts, or a larger blob around it."""
    ranked = blobs.select(np.argsort(-_rank(blobs), kind="stable")[:_MAX_BLOBS])
    kept = []
    free = np.ones(ranked.x.size, bool)
    for n in range(ranked.x.size):
        if free[n]:
            kept.append(n)
            free &= np.hypot(ranked.x - ranked.x[n], ranked.y - ranked.y[n]) > 3 * ranked.sigma[n]
    return ranked.select(np.array(kept, int))
