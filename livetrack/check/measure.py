"""What a movie's own pixels say of its particles: sign, size, rings, contrast, noise, spacing and motion."""

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

_SIZED_FRAMES = 3  # frames searched over all sizes
_SIZED_PX = 768  # side of the central part that is searched so
_ROUNDING = 1 / math.sqrt(12)  # grey levels: the least noise of whole numbers
_RING = 0.1  # of the core's height: an opposite ring above this is no fluorescent spot
_IMPURITY = 0.1  # blobs of the other sign to those taken for particles
_MIXED = 1 / 3  # of the blobs as strong as particles are of the other sign: these are particles too
_LAGS = (1, 2, 4)  # frames
_LEAST_SURROUNDINGS = 5  # px
_PROFILED = 500  # particles whose profiles are averaged, about
_MOST = 2000  # blobs of a frame that are looked at
_WEAKEST = 0.3  # of the typical particle's response: weaker ones are not counted


class ParticleProperties(msgspec.Struct, frozen=True, kw_only=True):
    """Lengths are in px, heights in grey levels; medians over the strong particles of the frames looked at."""

    contrast: str
    """Against the background: `bright`, `dark`, or `both` where particles of either sign are mixed."""
    ring: float
    """Height of the ring of opposite sign about the core, as a part of the core's, 0 to 1; 0 where there is none."""
    diameter_px: float
    """Where the Laplacian of the best-fitting Gaussian changes its sign: 2 sqrt(2) sigma, a disc's own diameter."""
    background: float
    peak: float
    """Height of the core over the background, without sign."""
    noise: float
    """Standard deviation between neighbouring pixels; not less than rounding gives."""
    snr: float
    """Peak over noise."""
    count: float
    """Particles a frame, about."""
    spacing_px: float | None
    """From a particle to its nearest neighbour; None with fewer than two."""
    step_px: float | None
    """Root mean square displacement along one axis in one frame; None where none could be matched."""

    @property
    def has_ring(self) -> bool:
        """True for a ring of opposite sign, as bright-field beads have it and fluorescent spots never do."""
        return self.ring > _RING


def measure_particles(frames: Sequence[npt.NDArray[Any]]) -> tuple[ParticleProperties, Blobs] | None:
    """Measure the particles in consecutive frames, each (H, W), and return them with the first frame's blobs.

    None when nothing stands out of the noise.
    """
    images = [frame.astype(np.float64) for frame in frames]
    whole_numbers = frames[0].dtype.kind in "uib"
    noise = float(np.median([pixel_noise(image) for image in images]))
    noise = max(noise, _ROUNDING if whole_numbers else 1e-6 * float(np.ptp(images[0])))
    particles = _particles(images, noise)
    if particles is None:
        return None
    strong, mixed = particles
    sigma, response = _typical(strong.sigma, _rank(strong)), _typical(strong.response, _rank(strong))
    found = [find_blobs_of_size(image, noise, sigma, _WEAKEST * response) for image in images]
    if np.median([blobs.x.size for blobs in found]) < 1:
        return None
    spacing = _spacing(found)
    peak, ring = _core_and_ring(images, found, sigma, math.copysign(1.0, response))
    if math.isnan(peak):  # too crowded for a profile: a Gaussian's height is twice its response
        peak = 2 * abs(response)
    measures = ParticleProperties(
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
    return measures, found[0]


def _particles(images: Sequence[Array], noise: float) -> tuple[Blobs, bool] | None:
    """Return blobs that are particles beyond doubt, of one sign, from a few frames; and whether both signs occur."""
    chosen = np.unique(np.linspace(0, len(images) - 1, _SIZED_FRAMES).round().astype(int))
    parts = [_without_halos(find_blobs(_middle(images[index]), noise)) for index in chosen]
    blobs = Blobs(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    if not blobs.x.size:
        return None
    best = max((_of_sign(blobs, sign) for sign in (1, -1)), key=lambda some: np.square(_rank(some)).sum())
    comparable = blobs.select(_rank(blobs) >= _typical(_rank(best), _rank(best)) / 2)
    others = np.sign(comparable.response) != np.sign(best.response[0])
    return best, bool(others.mean() > _MIXED)


def _of_sign(blobs: Blobs, sign: int) -> Blobs:
    """Return the highest ranking blobs of `sign`, down to where those of the other sign are a tenth of them.

    Noise, textures and compression make as many dark blobs as bright ones; particles are of one sign.
    """
    order = np.argsort(-_rank(blobs), kind="stable")
    wanted = np.sign(blobs.response[order]) == sign
    pure = np.flatnonzero(np.cumsum(~wanted) <= _IMPURITY * np.cumsum(wanted))
    end = pure[-1] + 1 if pure.size else 0
    return blobs.select(order[:end][wanted[:end]])


def _rank(blobs: Blobs) -> Array:
    """Return |response| / sqrt(sigma).

    Half-way between strength, which favours the haze of a whole cell, and steepness, which favours noisy pixels.
    """
    rank: Array = np.abs(blobs.response) / np.sqrt(blobs.sigma)
    return rank


def _typical(values: Array, rank: Array) -> float:
    """Return the median that counts each blob by its rank squared: one strong particle outweighs ten faint lobes."""
    order = np.argsort(values)
    weight = np.cumsum(rank[order] ** 2)
    return float(values[order][np.searchsorted(weight, weight[-1] / 2)])


def _without_halos(blobs: Blobs) -> Blobs:
    """Drop every blob within 3 sigma of a higher ranking one: its rings, its halves, and what it is part of."""
    order = np.argsort(-_rank(blobs), kind="stable")[:_MOST]
    kept = []
    free = np.ones(blobs.x.size, bool)
    for n in order:
        if free[n]:
            kept.append(n)
            free &= np.hypot(blobs.x - blobs.x[n], blobs.y - blobs.y[n]) > 3 * blobs.sigma[n]
    return blobs.select(np.array(kept, int))


def _middle(image: Array) -> Array:
    top, left = (max(0, (side - _SIZED_PX) // 2) for side in image.shape)
    return image[top : top + _SIZED_PX, left : left + _SIZED_PX]


def _core_and_ring(images: Sequence[Array], found: Sequence[Blobs], sigma: float, sign: float) -> tuple[float, float]:
    """Return the height of the particles' core, and of the strongest ring of opposite sign as a part of it."""
    reach = math.ceil(6 * sigma) + 1
    profiles: list[Array] = []
    for image, blobs in zip(images, found, strict=True):
        if len(profiles) < _PROFILED:
            profiles += _profiles(image, blobs, sigma, reach)
    if not profiles:
        return math.nan, 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a circle that lies outside all images
        height = sign * np.nanmedian(profiles, axis=0)
    core = float(np.nanmax(height[:2]))
    distance = np.arange(height.size)
    ring = -float(np.nanmin(height[(distance >= sigma) & (distance <= 4 * sigma)]))
    return core, min(1.0, max(0.0, ring / core)) if core > 0 else 0.0


def _profiles(image: Array, blobs: Blobs, sigma: float, reach: int) -> list[Array]:
    """Return for each particle the mean grey level on circles of radius 0, 1, ... `reach`, over its surroundings.

    Surroundings are what lies within reach and further than 4 sigma from every particle; where neighbours leave
    nothing of them, the particle is left out: the gaps in a crowd would look like rings.
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
        crop, surroundings = padded[window], padded[window][free[window]]
        if surroundings.size >= _LEAST_SURROUNDINGS:
            circle = np.hypot(x - right, y - down).round().astype(int)
            inside = np.isfinite(crop) & (circle <= reach)
            total = np.bincount(circle[inside], crop[inside], reach + 1)
            pixels = np.bincount(circle[inside], minlength=reach + 1)
            profiles.append(np.where(pixels > 0, total / np.maximum(pixels, 1), np.nan) - np.median(surroundings))
    return profiles


def _spacing(found: Sequence[Blobs]) -> float | None:
    nearest = [_nearest(blobs, blobs, but_itself=True)[1] for blobs in found if blobs.x.size > 1]
    return float(np.median(np.concatenate(nearest))) if nearest else None


def _step(found: Sequence[Blobs], spacing: float | None) -> float | None:
    """Return the rms displacement along one axis in one frame.

    Over lags of 1, 2 and 4 frames the largest of displacement / sqrt(lag) counts, the law of free diffusion:
    neighbouring frames of compressed movies, or of doubled ones, show too little motion. A longer lag is left out
    when the particles come too near to each other's places in it.
    """
    steps = []
    for lag in _LAGS:
        moved = _displacement(found[:-lag], found[lag:])
        if moved is not None and (lag == 1 or spacing is None or moved < spacing / 4):
            steps.append(moved / math.sqrt(lag))
    return max(steps, default=None)


def _displacement(before: Sequence[Blobs], after: Sequence[Blobs]) -> float | None:
    """Return the rms displacement along one axis, from the median distance of those that are each other's nearest.

    Distances of Brownian particles in the plane follow a Rayleigh distribution: their median is sqrt(2 ln 2) times it.
    """
    distances = [np.empty(0)]
    for ones, others in zip(before, after, strict=True):
        if ones.x.size and others.x.size:
            there, distance = _nearest(ones, others)
            back, _ = _nearest(others, ones)
            distances.append(distance[back[there] == np.arange(there.size)])
    pooled = np.concatenate(distances)
    return float(np.median(pooled)) / math.sqrt(2 * math.log(2)) if pooled.size else None


def _nearest(blobs: Blobs, others: Blobs, *, but_itself: bool = False) -> tuple[npt.NDArray[np.intp], Array]:
    """Return for each of `blobs` which of `others` is nearest, and how far it is."""
    distance = np.hypot(blobs.x[:, None] - others.x, blobs.y[:, None] - others.y)
    if but_itself:
        np.fill_diagonal(distance, np.inf)
    index = distance.argmin(axis=1)
    return index, distance[np.arange(index.size), index]
