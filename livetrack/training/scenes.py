"""Random scenes of a recipe: a simulated camera image and the true positions of its particles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from msgspec import structs

from livetrack.optics.background import add_texture, add_tilt, vignette
from livetrack.optics.drawing import Doubles, Photons
from livetrack.optics.sensor import Sensor
from livetrack.training.artefacts import add_camera_artefacts
from livetrack.training.centres import draw_centres
from livetrack.training.recipe import Recipe
from livetrack.training.sections import Particles, Scenes, log_uniform

__all__ = ["Scene", "draw_scene"]

_FAINT_SNR = 6.0
_MIN_CRYSTAL_SNR = 5.0  # fainter ones look like an uneven background
_OF_CRYSTALS = 0.7  # part of the range of log size: wide particles that touch fill the scene
_MIN_PLAIN_NOISE = 2.0  # grey levels, so that rounding is negligible


@dataclass(frozen=True, slots=True)
class Scene:
    """One image and its particles.

    `image` is (H, W) float32 in whole grey levels. `x`, `y` (N,) are centres inside the image, px. `intensity` (N,) is
    peak intensity over the background, grey levels, negative for dark particles and limited by saturation. `noise` is
    the standard deviation of the background noise, grey levels. `angle` (N,) is the direction of the long axis, rad
    from x towards y, NaN for particles without one.
    """

    image: npt.NDArray[np.float32]
    x: Doubles
    y: Doubles
    intensity: Doubles
    noise: float
    angle: Doubles


def draw_scene(recipe: Recipe, rng: np.random.Generator, width: int, height: int) -> Scene:
    """Draw one scene of `width` x `height` px."""
    particles, scenes = recipe.particles, recipe.scenes
    plain, crystal = rng.random() < scenes.plain, rng.random() < particles.touching / 2
    smallest, largest = particles.size_px
    size = log_uniform(rng, (smallest, smallest * (largest / smallest) ** _OF_CRYSTALS if crystal else largest))
    if plain or crystal:
        particles = structs.replace(particles, variety=particles.variety * rng.uniform(0, 0.5))
        recipe = structs.replace(recipe, particles=particles)
    low, high = particles.snr
    if crystal:
        particles = structs.replace(particles, snr=(min(max(low, _MIN_CRYSTAL_SNR), high), high))
    elif rng.random() < particles.faint:
        particles = structs.replace(particles, snr=(low, max(low, _FAINT_SNR)))
    centres = draw_centres(particles, rng, size, width, height, crystal=crystal)
    x, y = centres[:, 0].copy(), centres[:, 1].copy()
    sizes = np.clip(size * np.exp(particles.variety / 3 * rng.standard_normal(x.size)), *particles.size_px)
    snr = log_uniform(rng, particles.snr) * np.exp(particles.variety * rng.standard_normal(x.size))
    snr = _draw_signs(rng, particles, x.size) * np.clip(snr, *particles.snr)

    read_noise = log_uniform(rng, scenes.read_noise)
    background = log_uniform(rng, scenes.background)
    if (snr < 0).any():
        # a dark particle absorbs at most two thirds of the light: background / 1.5 >= snr * noise
        dark = -1.5 * snr.min()
        background = max(background, 0.5 * (dark**2 + dark * math.sqrt(dark**2 + 4 * read_noise**2)))
    noise = math.sqrt(background + read_noise**2)

    photons = np.full((height, width), background, np.float32)
    if not plain:
        _add_background(photons, rng, scenes, noise)
    amplitude = snr * noise
    appearance = recipe.draw_appearance(rng, sizes)
    appearance.render(photons, x, y, amplitude)

    noise_grey = log_uniform(rng, scenes.noise_grey)
    gain = (max(noise_grey, _MIN_PLAIN_NOISE) if plain else noise_grey) / noise
    sensor = Sensor(gain=gain, offset=rng.uniform(50, 500), read_noise=read_noise)
    image = sensor.expose(photons, rng).astype(np.float32)
    max_intensity = math.inf
    if not plain:
        max_intensity = gain * _full_well(rng, scenes, amplitude, noise)
        add_camera_artefacts(image, rng, scenes, gain * noise, sensor.offset + gain * background + max_intensity)

    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    intensity = np.minimum(gain * amplitude, max_intensity)
    return Scene(image, x[inside], y[inside], intensity[inside], gain * noise, appearance.angle[inside])


def _draw_signs(rng: np.random.Generator, particles: Particles, count: int) -> Doubles:
    """Draw +1 for bright and -1 for dark; of the scenes with either contrast, 70 % have one only."""
    if particles.contrast != "either":
        return np.full(count, 1.0 if particles.contrast == "bright" else -1.0)
    dark_fraction = rng.choice((0.0, 1.0, 0.5), p=(0.3, 0.4, 0.3))
    return np.where(rng.random(count) < dark_fraction, -1.0, 1.0)


def _full_well(rng: np.random.Generator, scenes: Scenes, amplitude: Doubles, noise: float) -> float:
    """Draw the saturation, photoelectrons over the background: within the brightest particle, or infinite."""
    brightest = float(amplitude.max(initial=0.0))
    if brightest == 0 or rng.random() >= scenes.saturated:
        return math.inf
    return max(rng.uniform(0.3, 1.0) * brightest, 3 * noise)


def _add_background(photons: Photons, rng: np.random.Generator, scenes: Scenes, noise: float) -> None:
    """Make the background uneven by tilt, vignetting and texture, each in half of the scenes."""
    height, width = photons.shape
    background = float(photons[0, 0])
    if rng.random() < 0.5:
        add_tilt(photons, rng.uniform(*scenes.tilt) * background, rng.uniform(0, 2 * math.pi))
    if rng.random() < 0.5:
        reach = max(height, width) * log_uniform(rng, (0.7, 4.0))
        vignette(photons, rng.uniform(*scenes.vignetting), rng.uniform(0, width), rng.uniform(0, height), reach)
    if rng.random() < 0.5:
        add_texture(photons, log_uniform(rng, scenes.texture) * noise, log_uniform(rng, scenes.texture_px), rng)
