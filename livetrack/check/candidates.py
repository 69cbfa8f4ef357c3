"""Searches a few images with each model at each scale, and measures how well what is found explains them."""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.check.outlines import Outlined
from livetrack.check.roundness import Roundness, measure_roundness
from livetrack.localize import Localizer, load_localizer
from livetrack.localize.halving import HalvedImages
from livetrack.localize.noise import noise_level
from livetrack.localize.resizing import resized
from livetrack.particles import Rows

__all__ = ["MODELS", "Candidate", "Images", "judge", "load_alone", "refined", "search_classically", "search_with_model"]

Array = npt.NDArray[np.float64]
Image = npt.NDArray[Any]

MODELS = ("spot", "bead")
_REACH_PX = {"spot": 12, "bead": 36}  # beyond the widest particles of each model and their rings, in the searched image
_LEAST_SIDE_PX = 20  # of a searched image
_MOST_HALVINGS = 5
_DISTRUSTED, _TRUSTED = 0.65, 0.9  # explained fraction at which a row counts against a candidate at once, and fully
_SHARPNESS = 0.25  # power of the diameter: a compromise between strength, which favours haze, and slope
_DENSEST = 1 / 16  # rows per pixel; more are no particles
_APPLY = 0.25  # outlined objects per row, of which there must be more: fewer are objects of another kind
_PARTS = 1.5  # outlined objects in each particle, from which on they are its parts
_AT_A_TIME = 64  # outlined objects that are compared with all rows: the distances take memory
_SMALLER = 0.8  # of a particle's radius: what measures less across is a part of a particle, or dirt
_IN_OUTLINE = 0.35  # of an outline's length: a row nearer to its centre belongs to it


class Images:
    """Images to search, (H, W) each, with their halved ones and the noise of each."""

    def __init__(self, images: Sequence[Image]) -> None:
        side, self.halvings = min(images[0].shape), 0
        while self.halvings < _MOST_HALVINGS and side >> (self.halvings + 1) >= _LEAST_SIDE_PX:
            self.halvings += 1
        halved = HalvedImages()
        self.levels = [[level.copy() for level in halved.of(image, self.halvings)] for image in images]
        self.noise = [[max(noise_level(level), 1e-9) for level in levels] for levels in self.levels]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to search, and how well it explains a few images."""

    model: str
    options: dict[str, Any]
    """Of `load_localizer`: the scale of a network, diameter and contrast of a classical method."""
    rows: list[Rows]
    """Found in each image, without the profile fit."""
    level: int
    """Halvings of the image in which the rows were judged."""
    explained: float
    """Typical fraction of the structure around a row that is round, 1 at most; 0 if nothing rises over the noise."""
    reach_px: float
    """Distance up to which the rows explain most of the structure."""
    diameter_px: float
    """Of a typical particle: half of the structure that rows explain lies nearer to them than its half."""
    covered: float
    """Fraction of the places as sharp as the particles that lie within reach of one of them."""
    outlined: bool
    """Whether the outlined objects are those that the rows are of."""
    single: float
    """Fraction of the outlined objects in which there is exactly one row; 1 unless `outlined`."""
    unseen: float
    """Fraction of the rows at which nothing rises over the noise."""
    value: float
    """Structure explained less structure found but not explained: the higher, the better."""

    @property
    def scale(self) -> float:
        """Of the image that is searched; 1 for the classical methods."""
        return float(self.options.get("scale", 1.0))

    @property
    def count(self) -> float:
        """Rows per image."""
        return sum(map(len, self.rows)) / len(self.rows)


def load_alone(model: str, **options: Any) -> Localizer:
    """Return a localizer, as `load_localizer` does, after freeing the memory of those that are not in use any more.

    Each network has tens of megabytes.
    """
    gc.collect()
    return load_localizer(model, **options)


def search_with_model(model: str, halvings: Sequence[int], images: Images, outlined: Outlined) -> list[Candidate]:
    """Search with `model` in images halved so often; -1: enlarged twice. Raises `ModelError`."""
    network = load_alone(model, threads=1, profile_fit=False, scale=2 if tuple(halvings) == (-1,) else 1)
    return [
        judge(
            model,
            {"scale": 2.0**-n},
            [
                (network.find(levels[0]) if n < 0 else resized(network.find(levels[n]), n)).copy()
                for levels in images.levels
            ],
            images,
            outlined,
        )
        for n in halvings
    ]


def search_classically(method: str, diameter_px: float, contrast: Any, images: Images, outlined: Outlined) -> Candidate:
    """Search by a classical method."""
    localizer = load_localizer(method, diameter_px=diameter_px, contrast=contrast)
    rows = [localizer.find(levels[0]).copy() for levels in images.levels]
    return judge(method, {"diameter_px": diameter_px, "contrast": contrast}, rows, images, outlined)


def refined(candidate: Candidate, images: Images, outlined: Outlined) -> Candidate:
    """Return the candidate with the profile fit, judged in the same images again."""
    localizer = load_alone(candidate.model, **candidate.options)
    rows = [localizer.localize(levels[0]).copy() for levels in images.levels]
    return judge(candidate.model, candidate.options, rows, images, outlined)


def judge(model: str, options: dict[str, Any], rows: list[Rows], images: Images, outlined: Outlined) -> Candidate:
    """Judge rows in the image that was searched and in the one twice as large; the better one counts."""
    halvings = max(0, round(-math.log2(options.get("scale", 1.0))))
    reach_px = _REACH_PX[model] / options["scale"] if model in _REACH_PX else 1.5 * options["diameter_px"]
    total = sum(map(len, rows))
    nothing = Candidate(model, options, rows, halvings, 0.0, 0.0, 0.0, 0.0, False, 1.0, 0.0, 0.0)
    if not total or total > _DENSEST * sum(levels[0].size for levels in images.levels):
        return nothing
    judged = []
    for level in {halvings, max(halvings - 1, 0)}:
        measured = []
        for levels, noise, found in zip(images.levels, images.noise, rows, strict=True):
            if len(found):
                there = resized(found, -level)
                x, y = there["x"].astype(np.float64), there["y"].astype(np.float64)
                measured.append(measure_roundness(levels[level], noise[level], x, y, round(reach_px / 2**level)))
        explained, unseen, value = _value(measured)
        reach, radius, covered = (float(np.median(column)) for column in list(zip(*measured, strict=True))[2:])
        reach, radius = reach * 2**level, radius * 2**level
        whole = explained > _DISTRUSTED
        same, single = _single(rows, outlined, reach if whole else 0.0, radius if whole else 0.0)
        value *= (single**2 if value > 0 else 1.0) / max(2 * radius, 1.0) ** _SHARPNESS
        judged.append(
            Candidate(model, options, rows, level, explained, reach, 2 * radius, covered, same, single, unseen, value)
        )
    return max(judged, key=lambda candidate: candidate.value)


def _value(measured: Sequence[Roundness]) -> tuple[float, float, float]:
    """Return the typical explained fraction, the fraction of rows at which nothing is seen, and the value.

    The value is a sum of amplitudes, each positive for what is round.
    """
    explained = np.concatenate([each.explained for each in measured])
    amplitude = np.sqrt(np.concatenate([each.energy for each in measured]))
    seen = np.isfinite(explained) & (amplitude > 0)
    if not seen.any():
        return 0.0, 1.0, 0.0
    explained, amplitude = explained[seen], amplitude[seen]
    order = np.argsort(explained)
    weight = np.cumsum(amplitude[order])
    typical = float(explained[order][np.searchsorted(weight, weight[-1] / 2)])
    trust = np.clip((explained - _DISTRUSTED) / (_TRUSTED - _DISTRUSTED), -1, 1)
    value = float((amplitude * trust).sum()) - float(np.median(amplitude)) * float((~seen).sum())
    return typical, float((~seen).mean()), value


def _single(rows: Sequence[Rows], outlined: Outlined, reach_px: float, radius_px: float) -> tuple[bool, float]:
    """Return whether rows and outlined objects are of one kind, and the fraction of objects with exactly one row.

    They are not if outlined objects are parts of particles, being much smaller than these or several within reach
    of each, or if there are far more rows than objects.
    """
    ones = objects = parts = smaller = 0
    for found, outlines in zip(rows, outlined.each, strict=True):
        if outlines is None:
            continue
        far = max(reach_px, 1.5, _IN_OUTLINE * float(outlines.length.max(initial=0)))
        found = found[np.argsort(found["y"])]
        downwards = np.argsort(outlines.y)
        for first in range(0, downwards.size, _AT_A_TIME):
            some = downwards[first : first + _AT_A_TIME]
            band = (outlines.y[some[0]] - far, outlines.y[some[-1]] + far)
            near = found[slice(*np.searchsorted(found["y"], band))]
            distance = np.hypot(near["x"][:, None] - outlines.x[some], near["y"][:, None] - outlines.y[some])
            inside = distance < np.maximum(_IN_OUTLINE * outlines.length[some], 1.5)
            ones += int((inside.sum(axis=0) == 1).sum())
            parts += int((distance < reach_px).sum())
        smaller += int((np.sqrt(outlines.length * outlines.width) < _SMALLER * radius_px).sum())
        objects += outlines.x.size
    total = sum(map(len, rows))
    if objects <= _APPLY * total or parts >= _PARTS * total or smaller > objects / 2:
        return False, 1.0
    return True, ones / objects
