"""The methods that are compared: each takes a scene and gives rows, from its image and from what it is told."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import numpy as np

from livetrack.bench.accuracy.gaussian_fit import fit_gaussians
from livetrack.bench.accuracy.scene import Scene
from livetrack.localize import load_localizer
from livetrack.localize.classical import radial_symmetry_centres
from livetrack.localize.localizer import Localizer
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Rows, empty_rows

__all__ = ["PEERS", "THREADS", "Method", "network_methods", "peers"]

Method: TypeAlias = Callable[[Scene], Rows]

THREADS = 2
"""Of the networks."""

PEERS = {
    "centroid": "livetrack's `centroid`; told diameter and contrast",
    "radial symmetry": "livetrack's `radial_symmetry`; told diameter and contrast, and in DeepTrack's images, as "
    "there, taken over the whole image without a search",
    "trackpy": "trackpy.locate; told diameter, contrast and the number of particles (topn)",
    "Gaussian fit": "pixel-integrated Gaussian, weighted least squares, sigma free; told the noise law and a sigma to "
    "start from; starts at what the network found",
}
"""What each is, and what it is told."""


def network_methods(localizer: NetworkLocalizer, name: str) -> dict[str, Method]:
    """Return the model as users call it (`localize`), and its network alone (`find`)."""
    return {
        name: lambda scene: localizer.localize(scene.image),
        f"{name}, network alone": lambda scene: localizer.find(scene.image),
    }


def peers(finder: Localizer) -> dict[str, Method]:
    """Return the methods of `PEERS`; `finder` gives the Gaussian fit its starts."""
    return {
        "centroid": lambda scene: _classical("centroid", scene).localize(scene.image),
        "radial symmetry": _radial_symmetry,
        "trackpy": _trackpy,
        "Gaussian fit": lambda scene: fit_gaussians(
            scene.image,
            finder.find(scene.image),
            sigma_px=scene.hints.sigma_px,
            shot=scene.hints.shot,
            read=scene.hints.read,
        ),
    }


def _classical(method: str, scene: Scene) -> Localizer:
    return _loaded(method, scene.hints.diameter_px, scene.hints.bright)


@cache
def _loaded(method: str, diameter_px: int, bright: bool) -> Localizer:
    return load_localizer(method, diameter_px=diameter_px, contrast="bright" if bright else "dark")


def _radial_symmetry(scene: Scene) -> Rows:
    if not scene.hints.centred:
        return _classical("radial_symmetry", scene).localize(scene.image)
    middle = scene.image.shape[0] // 2
    rows = empty_rows(1)
    x, y = np.empty((2, 1))
    radial_symmetry_centres(scene.image, np.array([[middle, middle]]), middle, x, y)
    rows["x"], rows["y"] = x, y
    return rows


def _trackpy(scene: Scene) -> Rows:
    import trackpy

    logging.getLogger("trackpy").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hints = scene.hints
        found = trackpy.locate(
            scene.image, hints.diameter_px, invert=not hints.bright, topn=hints.particles, characterize=False
        )
    rows = empty_rows(len(found))
    rows["x"], rows["y"], rows["score"] = found["x"], found["y"], 1
    return rows
