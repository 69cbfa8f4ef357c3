"""Measures particles without a model: contrast, size, rings, intensity, noise, spacing and motion."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from livetrack.check.blobs import Blobs, find_blobs, find_blobs_of_size, pixel_noise

__all__ = ["ParticleProperties", "measure_particles"]

Array = npt.NDArray[np.float64]

_ALL_SIZES_FRAMES = 3  # searched for blobs of all sizes
_ALL_SIZES_PX = 768  # side of their central part that is searched
_ROUNDING_NOISE = 1 / math.sqrt(12)  # grey levels
_MIN_RING = 0.1  # of the core's intensity; a fluorescent spot has no opposite ring as strong
_MAX_IMPURITY = 0.1  # ratio of blobs of the other sign to particles
_MIXED = 1 / 3  # fraction of other sign among strong blobs, above which these are particles too
_LAGS = (1, 2, 4)  # frames
_MIN_BACKGROUND_PX = 5  # pixels
_MAX_PROFILES = 500  # averaged, approximately
_MAX_BLOBS = 2000  # per frame
_MIN_RESPONSE = 0.3  # of the typical response; weaker blobs are not counted


class ParticleProperties(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of the particles in a few frames, as medians: lengths in px, intensities in grey levels."""

    contrast: str
    """`bright`, `dark`, or `both` for a mixture."""
    ring: float
    """Intensity of the ring of opposite sign around the core / that of the core, 0 to 1; 0 without a ring."""
    diameter_px: float
    """2 sqrt(2) sigma of the best-fitting Gaussian, where its Laplacian changes sign; for a disc, its diameter."""
    background: float
    peak: float
    """Absolute intensity of the core over the background."""
    noise: float
    """Standard deviation between neighbouring pixels; at least that of rounding."""
    snr: float
    """Peak over noise."""
    count: float
    """Approximate number of particles per frame."""
    spacing_px: float | None
    """Distance to the nearest neighbour; None with fewer than two particles."""
    step_px: float | None
    """Root mean square displacement per frame along one axis; None if no particles could be matched."""

    @property
    def has_ring(self) -> bool:
        """Whether there is a ring of opposite sign, as around bright-field beads but not fluorescent spots."""
        return self.ring > _MIN_RING


def measure_particles(frames: Sequence[npt.NDArray[Any]]) -> tuple[ParticleProperties, Blobs] | None:
    """Measure the particles in consecutive frames, each (H, W); return their properties and the first frame's blobs.

    Returns None if no particles stand out from the noise.
    """
    images = [frame.astype(np.float64) for frame in frames]
    integers = frames[0].dtype.kind in "uib"
    noise = float(np.median([pixel_noise(image) for image in images]))
    noise = max(noise, _ROUNDING_NOISE if integers else 1e-6 * float(np.ptp(images[0])))
    strongest = _find_strongest(images, noise)
    if strongest is None:
        return None
    strong, mixed = strongest
    sigma, response = _typical(strong.sigma, _rank(strong)), _typical(strong.response, _rank(strong))
    found = [find_blobs_of_size(image, noise, sigma, _MIN_RESPONSE * response) for image in images]
    if np.median([blobs.x.size for blobs in found]) < 1:
        return None
    spacing = _spacing(found)
    peak, ring = _core_and_ring(images, found, sigma, math.copysign(1.0, response))
    if math.isnan(peak):  # too crowded for a profile: a Gaussian's peak is twice its response
        peak = 2 * abs(response)
    properties = ParticleProperties(
        contrast="both" if mixed else "bright" if response > 0 else "dark",
        ring=ring,
        diameter_px=2 * math.sqrt(2) * sigma,
        background=float(np.median(images)),
        peak=peak,
        noise=noise,
        snr=peak / noise,
        count=float(np.mean([blobs.x.size for blobs in found])),
        spacing_px=spacing,
        step_px=_step(found, spacing),
    )
    return properties, found[0]


def _find_strongest(images: Sequence[Array], noise: float) -> tuple[Blobs, bool] | None:
    """Return blobs of one sign, from a few frames, that are certainly particles; and whether both signs occur."""
    chosen = np.unique(np.linspace(0, len(images) - 1, _ALL_SIZES_FRAMES).round().astype(int))
    parts = [_drop_halos(find_blobs(_central_part(images[index]), noise)) for index in chosen]
    blobs = Blobs(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    if not blobs.x.size:
        return None
    best = max((_of_sign(blobs, sign) for sign in (1, -1)), key=lambda candidates: np.square(_rank(candidates)).sum())
    comparable = blobs.select(_rank(blobs) >= _typical(_rank(best), _rank(best)) / 2)
    opposite = np.sign(comparable.response) != np.sign(best.response[0])
    return best, bool(opposite.mean() > _MIXED)


def _of_sign(blobs: Blobs, sign: int) -> Blobs:
    """Return the highest ranking blobs of `sign`, as long as those of the other sign are at most a tenth of them.

    Noise, texture and compression produce as many dark blobs as bright ones; particles have one sign.
    """
    order = np.argsort(-_rank(blobs), kind="stable")
    matching = np.sign(blobs.response[order]) == sign
    pure = np.flatnonzero(np.cumsum(~matching) <= _MAX_IMPURITY * np.cumsum(matching))
    end = pure[-1] + 1 if pure.size else 0
    return blobs.select(order[:end][matching[:end]])


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
    order = np.argsort(-_rank(blobs), kind="stable")[:_MAX_BLOBS]
    kept = []
    free = np.ones(blobs.x.size, bool)
    for n in order:
        if free[n]:
            kept.append(n)
            free &= np.hypot(blobs.x - blobs.x[n], blobs.y - blobs.y[n]) > 3 * blobs.sigma[n]
    return blobs.select(np.array(kept, int))


def _central_part(image: Array) -> Array:
    top, left = (max(0, (side - _ALL_SIZES_PX) // 2) for side in image.shape)
    return image[top : top + _ALL_SIZES_PX, left : left + _ALL_SIZES_PX]


def _core_and_ring(images: Sequence[Array], found: Sequence[Blobs], sigma: float, sign: float) -> tuple[float, float]:
    """Return the intensity of the core, and that of the strongest ring of opposite sign relative to it."""
    reach = math.ceil(6 * sigma) + 1
    profiles: list[Array] = []
    for image, blobs in zip(images, found, strict=True):
        if len(profiles) < _MAX_PROFILES:
            profiles += _profiles(image, blobs, sigma, reach)
    if not profiles:
        return math.nan, 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a circle outside all images
        intensity = sign * np.nanmedian(profiles, axis=0)
    core = float(np.nanmax(intensity[:2]))
    distance = np.arange(intensity.size)
    ring = -float(np.nanmin(intensity[(distance >= sigma) & (distance <= 4 * sigma)]))
    return core, min(1.0, max(0.0, ring / core)) if core > 0 else 0.0


def _profiles(image: Array, blobs: Blobs, sigma: float, reach: int) -> list[Array]:
    """Return for each particle the mean grey level on circles of radius 0, 1, ... `reach`, over its background.

    The background is all pixels within reach and more than 4 sigma from every particle. Particles without one are left
    out: the gaps in a crowd would look like rings.
    """
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    padded = np.pad(image, reach, constant_values=np.nan)
    rows, columns = blobs.y.round().astype(int), blobs.x.round().astype(int)
    free = np.isfinite(padded)
    near = np.hypot(x, y) <= 4 * sigma
    for i, j in zip(rows, columns, strict=True):
        free[i : i + 2 * reach + 1, j : j + 2 * reach + 1] &= ~near
    profiles = []
    for i, j, down, right in zip(rows, columns, blobs.y - rows, blobs.x - columns, strict=True):
        window = slice(i, i + 2 * reach + 1), slice(j, j + 2 * reach + 1)
        crop, background = padded[window], padded[window][free[window]]
        if background.size >= _MIN_BACKGROUND_PX:
            circle = np.hypot(x - right, y - down).round().astype(int)
            inside = np.isfinite(crop) & (circle <= reach)
            total = np.bincount(circle[inside], crop[inside], reach + 1)
            pixels = np.bincount(circle[inside], minlength=reach + 1)
            profiles.append(np.where(pixels > 0, total / np.maximum(pixels, 1), np.nan) - np.median(background))
    return profiles


def _spacing(found: Sequence[Blobs]) -> float | None:
    nearest = [_nearest(blobs, blobs, exclude_self=True)[1] for blobs in found if blobs.x.size > 1]
    return float(np.median(np.concatenate(nearest))) if nearest else None


def _step(found: Sequence[Blobs], spacing: float | None) -> float | None:
    """Return the rms displacement per frame along one axis.

    It is the largest displacement / sqrt(lag), as for free diffusion, over lags of 1, 2 and 4 frames: successive frames
    of compressed movies, or frames saved twice, show too little motion. A longer lag is left out if particles move far
    enough in it to be confused.
    """
    steps = []
    for lag in _LAGS:
        moved = _displacement(found[:-lag], found[lag:])
        if moved is not None and (lag == 1 or spacing is None or moved < spacing / 4):
            steps.append(moved / math.sqrt(lag))
    return max(steps, default=None)


def _displacement(before: Sequence[Blobs], after: Sequence[Blobs]) -> float | None:
    """Return the rms displacement along one axis, from the median distance of mutually nearest particles.

    Displacements of Brownian particles in a plane follow a Rayleigh distribution, whose median is sqrt(2 ln 2) times
    the rms along one axis.
    """
    distances = [np.empty(0)]
    for first, second in zip(before, after, strict=True):
        if first.x.size and second.x.size:
            forward, distance = _nearest(first, second)
            backward, _ = _nearest(second, first)
            distances.append(distance[backward[forward] == np.arange(forward.size)])
    pooled = np.concatenate(distances)
    return float(np.median(pooled)) / math.sqrt(2 * math.log(2)) if pooled.size else None


def _nearest(blobs: Blobs, targets: Blobs, *, exclude_self: bool = False) -> tuple[npt.NDArray[np.intp], Array]:
    """Return for each of `blobs` the index of the nearest of `targets`, and its distance."""
    distance = np.hypot(blobs.x[:, None] - targets.x, blobs.y[:, None] - targets.y)
    if exclude_self:
        np.fill_diagonal(distance, np.inf)
    index = distance.argmin(axis=1)
    return index, distance[np.arange(index.size), index]
