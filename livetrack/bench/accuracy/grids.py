"""The grids of conditions on which methods are compared, named as in `--only`."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np

from livetrack.bench.accuracy.conditions import Condition, DeepTrackImages, EqualParticles
from livetrack.bench.accuracy.layouts import Lattice, Layout, crystals, pairs
from livetrack.bench.accuracy.shapes import Floats, Shape, airy, bessel, gaussian

__all__ = ["SPOT_SIGMAS", "grids"]

Noise: TypeAlias = Literal["additive", "Poisson"]

SPOT_SIGMAS = (1.0, 1.5, 2.5)
_SPOT_SNRS = (2, 3, 4, 7, 10, 20, 50, 100, 200)
_DEEPTRACK_SNRS = (3, 5, 10, 20, 50, 100, 200)
_GRADIENTS = (0.5, 1.0)
_SIZES = (0.8, 1.3, 2.0, 3.0)
_DENSITIES = ((300, 7), (1000, 4), (1000, 7), (2000, 7))  # particles, SNR
_DETECTION_SNRS = (3, 4, 7)
_FINDING_SIGMAS = (0.9, 1.0, 1.3, 1.75, 2.5)
_FINDING_SNRS = (2, 3, 4, 7, 10)
_LATTICES: tuple[tuple[Lattice, int], ...] = (("hexagonal", 3), ("square", 4))  # and spacing / sigma
_SPACINGS_PX = (4, 5, 6)
_PAIR_SNRS, _PAIR_SIGMAS = (10, 20), (1.2, 1.5, 2.0)  # distances of pairs, in sigma
_TILT = 0.5  # of an uneven background: from half its mean at one side to one and a half times that at the other

_BACKGROUND_E = 25.0  # of spots under Poisson noise, photoelectrons
_BEAD_BACKGROUND_E = 2500.0
_BACKGROUND, _NOISE = 1000.0, 20.0  # of spots with additive noise, grey levels: rounding error is negligible
_GENERATORS: dict[Shape, str] = {
    gaussian: "Gaussian integrated over pixels, by SciPy's error function",
    airy: "Airy pattern, 16 points per pixel, by SciPy's Bessel function",
}
_SNR_DEFINITIONS: dict[Noise, str] = {
    "additive": "SNR = brightest pixel of a centred particle / standard deviation of the additive white noise",
    "Poisson": "SNR = brightest pixel of a centred particle less background / square root of the whole pixel, "
    f"with a background of {_BACKGROUND_E:g} photoelectrons",
}


def grids() -> dict[str, list[Condition]]:
    """Return the conditions of each grid, each with at least 2,000 particles."""
    return {
        "spot": [
            _spots("spot", sigma, snr, noise)
            for noise in ("additive", "Poisson")
            for sigma in SPOT_SIGMAS
            for snr in _SPOT_SNRS
        ],
        "bead": [_deeptrack(snr, 0.0) for snr in _DEEPTRACK_SNRS] + [_deeptrack(50, g) for g in _GRADIENTS],
        "light": _illumination_conditions(),
        "size": [_spots("size", sigma, 10, "additive") for sigma in _SIZES]
        + [_spots("size", sigma, snr, "additive", airy) for sigma in (1.0, 2.0) for snr in (10, 100)],
        "detection": [_crowd("detection", 100, snr, noise) for noise in _SNR_DEFINITIONS for snr in _DETECTION_SNRS],
        "empty": [_crowd("empty", 0, 0, noise) for noise in _SNR_DEFINITIONS],
        "density": [_crowd("density", count, snr, "additive") for count, snr in _DENSITIES],
        "finding": [
            _isolated(sigma, snr, noise, gradient)
            for noise in _SNR_DEFINITIONS
            for gradient in (0.0, _TILT)
            for sigma in _FINDING_SIGMAS
            for snr in _FINDING_SNRS
        ],
        "touching": [
            *(_crystals(spacing, spacing / ratio, lattice) for lattice, ratio in _LATTICES for spacing in _SPACINGS_PX),
            *(_pairs(distance, snr) for snr in _PAIR_SNRS for distance in _PAIR_SIGMAS),
        ],
    }


def _spots(grid: str, sigma: float, snr: float, noise: Noise, shape: Shape = gaussian) -> Condition:
    pattern = "" if shape is gaussian else "Airy, "
    name = f"{grid}: {pattern}sigma {sigma:g} px, SNR {snr:g}, {noise} noise"
    definition = f"isolated spots in 512x512 px; {_SNR_DEFINITIONS[noise]}"
    return _spot_condition(grid, name, definition, sigma, snr, noise, shape, pitch_px=32)


def _isolated(sigma: float, snr: float, noise: Noise, gradient: float) -> Condition:
    background = "uneven background" if gradient else "flat background"
    name = f"finding: sigma {sigma:g} px, SNR {snr:g}, {noise} noise, {background}"
    definition = f"144 isolated spots in 512x512 px; {_SNR_DEFINITIONS[noise]}"
    if gradient:
        definition += "; a background that rises from half its mean at one side to one and a half times that"
    options: dict[str, Any] = {"pitch_px": 42, "images": 14, "gradient": gradient, "half_width_px": 10}
    return _spot_condition("finding", name, definition, sigma, snr, noise, **options)


def _crystals(spacing: float, sigma: float, lattice: Lattice) -> Condition:
    name = f"{lattice} crystals, {spacing:g} px apart, sigma {sigma:.3g} px, SNR 10"
    definition = f"patches of about 100 touching particles, on {lattice} lattices with 5 % disorder, in 512x512 px"
    return _touching(name, definition, sigma, 10, crystals(spacing, lattice), images=1)


def _pairs(distance: float, snr: float) -> Condition:
    name = f"pairs {distance:g} sigma apart, sigma 1.3 px, SNR {snr:g}"
    return _touching(name, "144 isolated pairs in 512x512 px", 1.3, snr, pairs(1.3 * distance), images=7)


def _touching(name: str, definition: str, sigma: float, snr: float, layout: Layout, images: int) -> Condition:
    definition += f"; {_SNR_DEFINITIONS['additive']}; bound as if isolated"
    options: dict[str, Any] = {"layout": layout, "images": images, "half_width_px": 10}
    return _spot_condition("touching", f"touching: {name}", definition, sigma, snr, "additive", **options)


def _crowd(grid: str, count: int, snr: float, noise: Noise) -> Condition:
    what = f"{count} particles of sigma 1.3 px, SNR {snr:g}" if count else "plain noise"
    definition = f"{what} in 512x512 px"
    if count:
        definition += f", at random positions, 3 px from the edge; {_SNR_DEFINITIONS[noise]}; bound as if isolated"
    images = math.ceil(2000 / count) if count else 50
    options: dict[str, Any] = {"count": count, "half_width_px": 10, "images": images}
    return _spot_condition(grid, f"{grid}: {what}, {noise} noise", definition, 1.3, snr, noise, **options)


def _spot_condition(
    grid: str,
    name: str,
    definition: str,
    sigma: float,
    snr: float,
    noise: Noise,
    shape: Shape = gaussian,
    **more: Any,
) -> Condition:
    return EqualParticles(
        name=name, grid=grid, family="spot", definition=definition, generator=_GENERATORS[shape], snr=snr, shape=shape,
        size_px=sigma, sigma_px=sigma, **_levels(snr, noise), **more,
    )  # fmt: skip


def _levels(snr: float, noise: Noise) -> dict[str, Any]:
    if noise == "additive":
        return {"intensity": snr * _NOISE, "background": _BACKGROUND, "read": _NOISE}
    intensity = (snr**2 + snr * math.sqrt(snr**2 + 4 * _BACKGROUND_E)) / 2  # solves SNR = i / sqrt(i + background)
    return {"intensity": intensity, "background": _BACKGROUND_E}


def _deeptrack(snr: float, gradient: float) -> Condition:
    return DeepTrackImages(
        name=f"bead: DeepTrack's images, SNR {snr:g}, gradient {gradient:g}",
        grid="bead",
        definition="DeepTrack's image model, 51x51 px with one particle, clipped to 0..1; noise "
        "Poisson(image SNR^2) / SNR^2",
        snr=snr,
        gradient=gradient,
    )


def _illumination_conditions() -> list[Condition]:
    """Return conditions of uneven illumination on particles of SNR 20, and even ones for comparison."""
    gradient = "a background that rises from 0 at one side to twice its mean at the other"
    flicker = "the illumination of each image is random between 0.5 and 1.5 of the mean"
    vignetting = "an illumination that falls to one half in the corners"
    single: dict[str, Any] = {"side_px": 64, "count": 1, "margin_px": 26.0, "images": 2000}
    conditions: list[Condition] = []
    for family, pitch_px, images in (("spot", 32, 9), ("bead", 64, 32)):
        many: dict[str, Any] = {"pitch_px": pitch_px, "images": images}
        conditions += [
            _lit(family, "even, 64x64 px", "even illumination", **single),
            _lit(family, "gradient, 64x64 px", gradient, gradient=1.0, **single),
            _lit(family, "even, 512x512 px", "even illumination", **many),
            _lit(family, "flicker, 512x512 px", flicker, illumination=_flicker, **many),
            _lit(family, "vignetting, 512x512 px", vignetting, illumination=_vignetting, **many),
        ]
    return conditions


def _lit(family: str, name: str, description: str, **options: Any) -> Condition:
    name = f"light: {family}, {name}"
    if family == "spot":
        definition = f"spots of sigma 1.5 px; {_SNR_DEFINITIONS['Poisson']}; {description}"
        return _spot_condition("light", name, definition, 1.5, 20, "Poisson", **options)
    return EqualParticles(
        name=name,
        grid="light",
        family=family,
        definition="dark particles, DeepTrack's of order 1 with R 2 px; Poisson noise, SNR = depth / root of the "
        f"background of {_BEAD_BACKGROUND_E:g} photoelectrons; {description}",
        generator=DeepTrackImages.generator,
        snr=20,
        half_width_px=27,
        shape=bessel(1),
        size_px=2.0,
        sigma_px=2.8,
        intensity=-20 * math.sqrt(_BEAD_BACKGROUND_E),
        background=_BEAD_BACKGROUND_E,
        **options,
    )


def _flicker(side: int, rng: np.random.Generator) -> Floats:
    return np.full((side, side), rng.uniform(0.5, 1.5))


def _vignetting(side: int, _: np.random.Generator) -> Floats:
    """Return an illumination of 1 in the centre and 1/2 in the corners, 1 / (1 + c r^2)^2."""
    square = np.linspace(-1, 1, side) ** 2
    illumination: Floats = 1 / (1 + (math.sqrt(2) - 1) * (square + square[:, None]) / 2) ** 2
    return illumination
