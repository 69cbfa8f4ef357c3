"""The methods that are compared: each returns rows from the image and the hints of a scene."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import numpy as np

from livetrack.bench.accuracy.conditions import Condition, DeepTrackImages, EqualParticles
from livetrack.bench.accuracy.family_observer import family_observer
from livetrack.bench.accuracy.finders import FINDERS
from livetrack.bench.accuracy.gaussian_fit import fit_gaussians
from livetrack.bench.accuracy.ideal_observer import ideal_observer
from livetrack.bench.accuracy.joint_observer import joint_observer
from livetrack.bench.accuracy.scene import Scene
from livetrack.bench.accuracy.scores import MIN_SCORE
from livetrack.bench.timing import quiet_trackpy
from livetrack.localize import load_localizer
from livetrack.localize.classical import radial_symmetry_centres
from livetrack.localize.localizer import Localizer
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Rows, empty_rows

__all__ = [
    "BANK",
    "FINDING_GRIDS",
    "IDEAL",
    "LIMITS",
    "PEERS",
    "THREADS",
    "Method",
    "finders",
    "ideal_method",
    "network_methods",
    "peers",
    "with_weak_rows",
]  # fmt: skip

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
    **{
        name: finder.description if finder.is_installed else f"not installed: {finder.package}"
        for name, finder in FINDERS.items()
    },
}
"""Description of each, and the hints that it gets."""

IDEAL, BANK = "ideal observer", "bank of four blurs"

LIMITS = {
    IDEAL: "what can be found at best: likelihood ratios with the generator's own shape, size, noise and background; "
    "the threshold has the best F1 of the condition. Isolated particles: matched filter, intensity given. Crowds: a "
    "joint fit of all, intensities free. DeepTrack's images: averaged over the family of shapes; level, tilt and place "
    "unknown",
    BANK: "maxima of the largest of four blurs (0.9, 1.25, 1.75, 2.5 px), each over its own noise, from 4.4 on, on the "
    "image less a plane; given nothing",
}
"""The limit above and the floor below every model, with descriptions."""

FINDING_GRIDS = ("finding", "detection", "density", "touching")
"""Grids that measure what is found rather than where."""

_MAX_BEAD_SNR = 10


def network_methods(localizer: NetworkLocalizer, name: str, *, alone: bool = True) -> dict[str, Method]:
    """Return the whole model (`localize`), and, if `alone`, its network without refinement (`find`) too."""
    methods: dict[str, Method] = {name: lambda scene: localizer.localize(scene.image)}
    if alone:
        methods[f"{name}, network alone"] = lambda scene: localizer.find(scene.image)
    return methods


def with_weak_rows(localizer: NetworkLocalizer) -> Method:
    """Return the model at a threshold so low that the reliability of its scores can be measured."""

    def localize(scene: Scene) -> Rows:
        threshold, localizer.threshold = localizer.threshold, MIN_SCORE
        try:
            return localizer.localize(scene.image)
        finally:
            localizer.threshold = threshold

    return localize


def ideal_method(condition: Condition) -> Method | None:
    """Return the ideal observer of a condition, None where only errors are measured."""
    if isinstance(condition, DeepTrackImages):
        return family_observer if condition.snr <= _MAX_BEAD_SNR and not condition.gradient else None
    if condition.grid not in FINDING_GRIDS or not isinstance(condition, EqualParticles):
        return None
    return joint_observer if condition.is_crowded else ideal_observer


def finders() -> dict[str, Method]:
    """Return the detectors of other packages that are installed."""
    return {name: finder.find for name, finder in FINDERS.items() if finder.is_installed}


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
