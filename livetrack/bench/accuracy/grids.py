"""The grids: which images the methods are compared on, by the name that `--only` takes."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np

from livetrack.bench.accuracy.conditions import Condition, DeepTrackImages, Fields
from livetrack.bench.accuracy.shapes import Floats, Shape, airy, bessel, gaussian

__all__ = ["SPOT_SIGMAS", "grids"]

Noise: TypeAlias = Literal["additive", "Poisson"]

SPOT_SIGMAS = (1.0, 1.5, 2.5)
_SPOT_SNRS = (2, 3, 4, 7, 10, 20, 50, 100, 200)
_DEEPTRACK_SNRS = (3, 5, 10, 20, 50, 100, 200)
_GRADIENTS = (0.5, 1.0)
_SIZES = (0.8, 1.3, 2.0, 3.0)
_DENSITIES = (300, 1000, 2000)
_DETECTION_SNRS = (3, 4, 7)

_BACKGROUND_E = 25.0  # of spots under Poisson noise, photoelectrons
_BEAD_BACKGROUND_E = 2500.0
_BACKGROUND, _NOISE = 1000.0, 20.0  # of spots with additive noise, grey levels: rounding them adds nothing
_GENERATORS: dict[Shape, str] = {
    gaussian: "Gaussian integrated over pixels, by SciPy's error function",
    airy: "Airy pattern, 16 points a pixel, by SciPy's Bessel function",
}
_SNR_WORDS: dict[Noise, str] = {
    "additive": "SNR = brightest pixel of a centred particle / standard deviation of the additive white noise",
    "Poisson": "SNR = brightest pixel of a centred particle, over the background / the noise there, root of both, with "
    f"a background of {_BACKGROUND_E:g} photoelectrons",
}


def grids() -> dict[str, list[Condition]]:
    """Return the conditions of each grid; 2,000 particles a condition at least."""
    return {
        "spot": [
            _spots("spot", sigma, snr, noise)
            for noise in ("additive", "Poisson")
            for sigma in SPOT_SIGMAS
            for snr in _SPOT_SNRS
        ],
        "bead": [_deeptrack(snr, 0.0) for snr in _DEEPTRACK_SNRS] + [_deeptrack(50, g) for g in _GRADIENTS],
        "light": _light_conditions(),
        "size": [_spots("size", sigma, 10, "additive") for sigma in _SIZES]
        + [_spots("size", sigma, snr, "additive", airy) for sigma in (1.0, 2.0) for snr in (10, 100)],
        "detection": [_crowd("detection", 100, snr, noise) for noise in _SNR_WORDS for snr in _DETECTION_SNRS],
        "empty": [_crowd("empty", 0, 0, noise) for noise in _SNR_WORDS],
        "density": [_crowd("density", count, 7, "additive") for count in _DENSITIES],
    }


def _spots(grid: str, sigma: float, snr: float, noise: Noise, shape: Shape = gaussian) -> Condition:
    what = "" if shape is gaussian else "Airy, "
    return Fields(
        name=f"{grid}: {what}sigma {sigma:g} px, SNR {snr:g}, {noise} noise",
        grid=grid,
        family="spot",
        definition=f"isolated spots in 512x512 px; {_SNR_WORDS[noise]}",
        generator=_GENERATORS[shape],
        snr=snr,
        shape=shape,
        size_px=sigma,
        sigma_px=sigma,
        pitch_px=32,
        **_levels(snr, noise),
    )


def _crowd(grid: str, count: int, snr: float, noise: Noise) -> Condition:
    what = f"{count} particles of sigma 1.3 px, SNR {snr:g}" if count else "plain noise"
    words = (
        f", anywhere but for 3 px of margin, however near to each other; {_SNR_WORDS[noise]}; the bound is that of "
        "particles on their own"
    )
    return Fields(
        name=f"{grid}: {what}, {noise} noise",
        grid=grid,
        family="spot",
        definition=f"{what} in 512x512 px{words if count else ''}",
        generator=_GENERATORS[gaussian],
        snr=snr,
        shape=gaussian,
        size_px=1.3,
        sigma_px=1.3,
        count=count,
        reach_px=10,
        images=math.ceil(2000 / count) if count else 50,
        **_levels(snr, noise),
    )


def _levels(snr: float, noise: Noise) -> dict[str, Any]:
    if noise == "additive":
        return {"height": snr * _NOISE, "background": _BACKGROUND, "read": _NOISE}
    height = (snr**2 + snr * math.sqrt(snr**2 + 4 * _BACKGROUND_E)) / 2  # so that height / root(height + background)
    return {"height": height, "background": _BACKGROUND_E}


def _deeptrack(snr: float, gradient: float) -> Condition:
    return DeepTrackImages(
        name=f"bead: DeepTrack's images, SNR {snr:g}, gradient {gradient:g}",
        grid="bead",
        definition="DeepTrack's image model, 51x51 px with one particle, clipped to 0..1; noise "
        "Poisson(image SNR^2) / SNR^2",
        snr=snr,
        gradient=gradient,
    )


def _light_conditions() -> list[Condition]:
    """Return uneven light on particles of SNR 20, and even light on the same ones."""
    one: dict[str, Any] = {"side_px": 64, "count": 1, "margin_px": 26.0, "images": 2000}
    many: dict[str, dict[str, Any]] = {"spot": {"pitch_px": 32, "images": 9}, "bead": {"pitch_px": 64, "images": 32}}
    conditions: list[Condition] = []
    for family in ("spot", "bead"):
        conditions += [
            _lit(family, "even, 64x64 px", "even light", **one),
            _lit(
                family,
                "gradient, 64x64 px",
                "a background that rises from 0 at one side to twice its mean at the other (full contrast)",
                gradient=1.0,
                **one,
            ),
            _lit(family, "even, 512x512 px", "even light", **many[family]),
            _lit(
                family,
                "flicker, 512x512 px",
                "each image's light anywhere between 0.5 and 1.5 of the mean",
                light=_flicker,
                **many[family],
            ),
            _lit(
                family,
                "vignetting, 512x512 px",
                "light that falls to one half in the corners",
                light=_vignetting,
                **many[family],
            ),
        ]
    return conditions


def _lit(family: str, name: str, words: str, **options: Any) -> Condition:
    if family == "spot":
        what = f"spots of sigma 1.5 px; {_SNR_WORDS['Poisson']}"
        options |= {"shape": gaussian, "size_px": 1.5, "sigma_px": 1.5, **_levels(20, "Poisson")}
        options |= {"generator": _GENERATORS[gaussian], "reach_px": 15}
    else:
        what = (
            "dark particles, DeepTrack's of order 1 with R 2 px; Poisson noise, SNR = depth / root of the background "
            f"of {_BEAD_BACKGROUND_E:g} photoelectrons"
        )
        options |= {"shape": bessel(1), "size_px": 2.0, "sigma_px": 2.8, "background": _BEAD_BACKGROUND_E}
        options |= {
            "height": -20 * math.sqrt(_BEAD_BACKGROUND_E),
            "generator": DeepTrackImages.generator,
            "reach_px": 27,
        }
    return Fields(
        name=f"light: {family}, {name}", grid="light", family=family, definition=f"{what}; {words}", snr=20, **options
    )


def _flicker(side: int, rng: np.random.Generator) -> Floats:
    return np.full((side, side), rng.uniform(0.5, 1.5))


def _vignetting(side: int, _: np.random.Generator) -> Floats:
    """Return light that is 1 in the middle and 1/2 in the corners, as 1 / (1 + c r^2)^2."""
    square = np.linspace(-1, 1, side) ** 2
    light: Floats = 1 / (1 + (math.sqrt(2) - 1) * (square + square[:, None]) / 2) ** 2
    return light
