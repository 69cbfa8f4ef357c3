"""Seeded random scenes of a recipe: an image as a camera reads it out, and where its particles are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.optics.background import add_texture, add_tilt, vignette
from livetrack.optics.sensor import Sensor
from livetrack.training.artefacts import add_camera_artefacts
from livetrack.training.families import draw_appearance
from livetrack.training.recipe import Particles, Recipe, Scenes, log_uniform

__all__ = ["Scene", "draw_scene"]

Doubles = npt.NDArray[np.float64]

_OUTSIDE = 0.08  # particles are placed up to this share of the scene beyond its edge, so that some are cut
_CLOSEST_PX = 2.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One image and its particles.

    `image` is (H, W) float32 in whole grey levels. `x`, `y` (N,) are centres inside the image, px; `intensity` (N,) is
    each particle's extreme over the background, grey levels, negative for dark ones, at most what saturation leaves;
    `noise` is the standard deviation of the background's noise, grey levels; `angle` (N,) is that of the long axis,
    radians from x towards y, NaN for particles that have none.
    """

    image: npt.NDArray[np.float32]
    x: Doubles
    y: Doubles
    intensity: Doubles
    noise: float
    angle: Doubles


def draw_scene(recipe: Recipe, rng: np.random.Generator, width: int, height: int) -> Scene:
    """Draw one scene of `width` x `height` px."""
    kind, scenes = recipe.particles, recipe.scenes
    size = log_uniform(rng, kind.size_px)
    x, y = _places(rng, kind, size, width, height)
    sizes = np.clip(size * np.exp(kind.variety / 3 * rng.standard_normal(x.size)), *kind.size_px)
    snr = log_uniform(rng, kind.snr) * np.exp(kind.variety * rng.standard_normal(x.size))
    snr = _signs(rng, kind, x.size) * np.clip(snr, *kind.snr)

    read_noise = log_uniform(rng, scenes.read_noise)
    background = log_uniform(rng, scenes.background)
    if (snr < 0).any():
        # a dark particle takes away at most two thirds of the light: background / 1.5 >= snr * noise
        dark = -1.5 * snr.min()
        background = max(background, 0.5 * (dark**2 + dark * math.sqrt(dark**2 + 4 * read_noise**2)))
    noise = math.sqrt(background + read_noise**2)

    photons = np.full((height, width), background, np.float32)
    _add_surroundings(photons, rng, scenes, noise)
    amplitude = snr * noise
    appearance = draw_appearance(recipe, rng, sizes)
    appearance.render(photons, x, y, amplitude)

    gain = log_uniform(rng, scenes.noise_grey) / noise
    camera = Sensor(gain=gain, offset=rng.uniform(50, 500), read_noise=read_noise)
    image = camera.expose(photons, rng).astype(np.float32)
    full = gain * _full_well(rng, scenes, amplitude, noise)
    add_camera_artefacts(image, rng, scenes, gain * noise, camera.offset + gain * background + full)

    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    seen = np.minimum(gain * amplitude, full)
    return Scene(image, x[inside], y[inside], seen[inside], gain * noise, appearance.angle[inside])


def _places(rng: np.random.Generator, kind: Particles, size: float, width: int, height: int) -> tuple[Doubles, Doubles]:
    """Draw centres one after the other; those too near to an earlier one are left out."""
    least, most = kind.count
    wanted = int((least + 1) * ((most + 2) / (least + 1)) ** rng.random()) - 1
    margin = _OUTSIDE * max(width, height)
    places = rng.uniform((-margin, -margin), (width + margin, height + margin), (wanted, 2))
    places = places[_far_from_earlier(places, max(_CLOSEST_PX, kind.apart * size))]
    return places[:, 0].copy(), places[:, 1].copy()


@njit
def _far_from_earlier(places: Any, apart: float) -> Any:
    """Return (N,) bool: whether each place stays, being at least `apart` from all earlier ones that stay."""
    stays = np.ones(len(places), np.bool_)
    for n in range(len(places)):
        for k in range(n):
            if stays[k] and (places[n, 0] - places[k, 0]) ** 2 + (places[n, 1] - places[k, 1]) ** 2 < apart**2:
                stays[n] = False
    return stays


def _signs(rng: np.random.Generator, kind: Particles, count: int) -> Doubles:
    """Draw +1 for bright and -1 for dark; half of the scenes of either contrast have one sort only."""
    if kind.contrast != "either":
        return np.full(count, 1.0 if kind.contrast == "bright" else -1.0)
    share = rng.choice((0.0, 1.0, 0.5), p=(0.3, 0.4, 0.3))
    return np.where(rng.random(count) < share, -1.0, 1.0)


def _full_well(rng: np.random.Generator, scenes: Scenes, amplitude: Doubles, noise: float) -> float:
    """Draw where pixels saturate, photoelectrons over the background: some way up the brightest particle, or never."""
    brightest = float(amplitude.max(initial=0.0))
    if brightest == 0 or rng.random() >= scenes.saturated:
        return math.inf
    return max(rng.uniform(0.3, 1.0) * brightest, 3 * noise)


def _add_surroundings(photons: npt.NDArray[np.float32], rng: np.random.Generator, scenes: Scenes, noise: float) -> None:
    """Make the even light uneven: a slope, vignetting, structure; half of the scenes have each."""
    height, width = photons.shape
    background = float(photons[0, 0])
    if rng.random() < 0.5:
        add_tilt(photons, rng.uniform(*scenes.tilt) * background, rng.uniform(0, 2 * math.pi))
    if rng.random() < 0.5:
        reach = max(height, width) * log_uniform(rng, (0.7, 4.0))
        vignette(photons, rng.uniform(*scenes.vignetting), rng.uniform(0, width), rng.uniform(0, height), reach)
    if rng.random() < 0.5:
        add_texture(photons, log_uniform(rng, scenes.texture) * noise, log_uniform(rng, scenes.texture_px), rng)
