"""The methods that are compared: each returns rows from the image and the hints of a scene."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import numpy as np

from livetrack.bench.accuracy.gaussian_fit import fit_gaussians
from livetrack.bench.accuracy.scene import Scene
from livetrack.bench.timing import quiet_trackpy
from livetrack.localize import load_localizer
from livetrack.localize.classical import radial_symmetry_centres
from livetrack.localize.localizer import Localizer
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Rows, empty_rows

__all__ = ["PEERS", "THREADS", "Method", "network_methods", "peers"]

Method: TypeAlias = Callable[[Scene], Rows]

THREADS = 2
"""Threads of the networks."""

PEERS = {
    "centroid": "livetrack's `centroid`; given diameter and contrast",
    "radial symmetry": "livetrack's `radial_symmetry`; given diameter and contrast; on DeepTrack's images, as in the "
    "paper, over the whole image without a search",
    "trackpy": "trackpy.locate; given diameter, contrast and the number of particles (topn)",
    "Gaussian fit": "pixel-integrated Gaussian, weighted least squares, sigma free; given the noise model and a start "
    "value of sigma; starts at the network's positions",
}
"""Description of each, and the hints that it gets."""


def network_methods(localizer: NetworkLocalizer, name: str) -> dict[str, Method]:
    """Return the whole model (`localize`), and its network without refinement (`find`)."""
    return {
        name: lambda scene: localizer.localize(scene.image),
        f"{name}, network alone": lambda scene: localizer.find(scene.image),
    }


def peers(finder: Localizer) -> dict[str, Method]:
    """Return the methods of `PEERS`; `finder` provides the start values of the Gaussian fit."""
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
    centre = scene.image.shape[0] // 2
    rows = empty_rows(1)
    x, y = np.empty((2, 1))
    radial_symmetry_centres(scene.image, np.array([[centre, centre]]), centre, x, y)
    rows["x"], rows["y"] = x, y
    return rows


def _trackpy(scene: Scene) -> Rows:
    trackpy = quiet_trackpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hints = scene.hints
        found = trackpy.locate(
            scene.image, hints.diameter_px, invert=not hints.bright, topn=hints.particles, characterize=False
        )
    rows = empty_rows(len(found))
    rows["x"], rows["y"], rows["score"] = found["x"], found["y"], 1
    return rows
