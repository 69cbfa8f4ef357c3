"""Seeded random scenes of a recipe: an image as a camera reads it out, and where its particles are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from livetrack.optics.background import add_texture, add_tilt
from livetrack.optics.bead import add_beads
from livetrack.optics.compression import compress
from livetrack.optics.noise import CameraNoise
from livetrack.optics.spot import add_spots, spot_height
from livetrack.training.recipe import Particles, Recipe, Scenes

__all__ = ["Scene", "draw_scene"]

Doubles = npt.NDArray[np.float64]

_OUTSIDE = 0.08  # particles are placed up to this share of the scene beyond its edge, so that some are cut
_CLOSEST_PX = 3.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One image and its particles.

    `image` is (H, W) float32 in whole grey levels. `x`, `y` (N,) are centres inside the image, px; `height` (N,) is
    each particle's extreme over the background, grey levels, negative for dark ones; `noise` is the standard
    deviation of the background's noise, grey levels.
    """

    image: npt.NDArray[np.float32]
    x: Doubles
    y: Doubles
    height: Doubles
    noise: float


def draw_scene(recipe: Recipe, rng: np.random.Generator, width: int, height: int) -> Scene:
    """Draw one scene of `width` x `height` px."""
    kind, scenes = recipe.particles, recipe.scenes
    size = _log_uniform(rng, kind.size_px)
    x, y = _places(rng, kind, size, width, height)
    sizes = np.clip(size * np.exp(kind.variety / 3 * rng.standard_normal(x.size)), *kind.size_px)
    snr = _log_uniform(rng, kind.snr) * np.exp(kind.variety * rng.standard_normal(x.size))
    snr = _signs(rng, kind, x.size) * np.clip(snr, *kind.snr)

    read_noise = _log_uniform(rng, scenes.read_noise)
    background = _log_uniform(rng, scenes.background)
    if (snr < 0).any():
        # a dark particle takes away at most two thirds of the light: background / 1.5 >= snr * noise
        dark = -1.5 * snr.min()
        background = max(background, 0.5 * (dark**2 + dark * math.sqrt(dark**2 + 4 * read_noise**2)))
    noise = math.sqrt(background + read_noise**2)

    photons = np.full((height, width), background, np.float32)
    _add_surroundings(photons, rng, scenes, background, noise)
    amplitude = snr * noise
    if recipe.family == "spot":
        add_spots(photons, x, y, sizes, amplitude / spot_height(sizes))
    else:
        add_beads(photons, x, y, sizes, _orders(rng, kind, x.size), amplitude)

    gain = _log_uniform(rng, scenes.noise_grey) / noise
    camera = CameraNoise(gain=gain, offset=rng.uniform(50, 500), read_noise=read_noise)
    image = camera.expose(photons, rng).astype(np.float32)
    _add_flaws(image, rng, scenes, gain * noise)

    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    return Scene(image, x[inside], y[inside], (gain * amplitude)[inside], gain * noise)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))


def _places(rng: np.random.Generator, kind: Particles, size: float, width: int, height: int) -> tuple[Doubles, Doubles]:
    """Draw centres one after the other; those too near to an earlier one are left out."""
    apart = max(_CLOSEST_PX, kind.apart * size)
    wanted = rng.integers(kind.count[0], kind.count[1], endpoint=True)
    margin = _OUTSIDE * max(width, height)
    drawn = rng.uniform((-margin, -margin), (width + margin, height + margin), (wanted, 2))
    kept: list[Doubles] = []
    for place in drawn:
        if all(math.hypot(*(place - other)) >= apart for other in kept):
            kept.append(place)
    places = np.array(kept).reshape(-1, 2)
    return places[:, 0].copy(), places[:, 1].copy()


def _signs(rng: np.random.Generator, kind: Particles, count: int) -> Doubles:
    """Draw +1 for bright and -1 for dark; half of the scenes of either contrast have one sort only."""
    if kind.contrast != "either":
        return np.full(count, 1.0 if kind.contrast == "bright" else -1.0)
    share = rng.choice((0.0, 1.0, 0.5), p=(0.3, 0.4, 0.3))
    return np.where(rng.random(count) < share, -1.0, 1.0)


def _orders(rng: np.random.Generator, kind: Particles, count: int) -> Doubles:
    """Draw the weights (N, K) of the Bessel functions: alike within a scene, higher orders weaker."""
    falling = rng.uniform(0.2, 0.7) ** np.arange(kind.orders)
    common = rng.standard_normal(kind.orders)
    own = kind.variety * rng.standard_normal((count, kind.orders))
    return (common + own) * falling


def _add_surroundings(
    photons: npt.NDArray[np.float32], rng: np.random.Generator, scenes: Scenes, background: float, noise: float
) -> None:
    if rng.random() < 0.5:
        add_tilt(photons, rng.uniform(*scenes.tilt) * background, rng.uniform(0, 2 * math.pi))
    if rng.random() < 0.5:
        add_texture(photons, _log_uniform(rng, scenes.texture) * noise, _log_uniform(rng, scenes.texture_px), rng)


def _add_flaws(image: npt.NDArray[np.float32], rng: np.random.Generator, scenes: Scenes, noise: float) -> None:
    """Add hot pixels to the read-out image, and the blur of cameras and compression that are not scientific."""
    if rng.random() < 0.5:
        count = rng.integers(0, scenes.hot_pixels, endpoint=True)
        image.ravel()[rng.integers(0, image.size, count)] += noise * np.exp(rng.uniform(1, 5, count))
    if rng.random() < scenes.smoothed:
        side = rng.uniform(0.0, 0.25)
        wide = np.pad(image, 1, mode="edge")
        wide = wide[:, 1:-1] + side * (wide[:, :-2] + wide[:, 2:] - 2 * wide[:, 1:-1])
        image[:] = wide[1:-1] + side * (wide[:-2] + wide[2:] - 2 * wide[1:-1])
    if rng.random() < scenes.compressed:
        image[:] = compress(image, _log_uniform(rng, scenes.compression) * noise)
    np.rint(image, out=image)
