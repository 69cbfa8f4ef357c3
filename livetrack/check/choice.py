"""Chooses a model and a scale for a movie by trying them: the one that explains most of what is in the images.

Each model searches a few images at each scale. A search counts for what is round about the places that it finds, and
against itself for places about which nothing is round; each object that stands apart must be found once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.check.busy_part import Part
from livetrack.check.candidates import MODELS, Candidate, Images, refined, search_classically, search_with_model
from livetrack.check.measure import ParticleProperties
from livetrack.check.model_trial import ModelTrial, failed_trial, summary, try_candidate
from livetrack.check.outlines import Outlined, outline
from livetrack.check.verdict import Verdict, first_accepted, percent
from livetrack.errors import ModelError
from livetrack.localize.classical import METHODS
from livetrack.particles import Rows

__all__ = ["Choice", "choose"]

Image = npt.NDArray[Any]

_MANY = 1500  # particles; in images with more, a part is searched
_PART_PX = 512  # least side of such a part
_SMALL_PX = 7.0  # diameter below which an enlarged image is tried too
_FINALIST, _MOST_FINALISTS = 0.6, 6  # of the best value: candidates that are refined
_EQUAL = 0.95  # likewise: candidates that are not worse
_PRECISE = 1.8  # times the smallest uncertainty, likewise
_TYPICAL_PX = {"spot": 4.4, "bead": 12.6}  # diameter in the searched image: the middle of what the models find
_MAX_SPOT_PX = 10.0  # diameter of what is taken for fluorescent spots
_OTHER_MODEL, _ENLARGED = 1.0, 0.5  # octaves of size that the model that looks right, or an image as it is, is worth
_UNSEEN = 20.0  # octaves that a row at which nothing is seen costs, over the rows
_ROUND_ALONE = 0.85  # likewise, for the classical methods, which have no score
_ROD_WIDTH_PX, _ROD_LENGTH_PX = 7.0, 35.0  # that the rod recipe draws at most
_FEW_TRIALS = 3  # reported


@dataclass(frozen=True)
class Choice:
    """Model and scale that were chosen, and what the trials gave."""

    model: str
    """Empty if none fits."""
    reason: str
    trials: list[ModelTrial]
    rows: list[Rows]
    """What the chosen model finds in each image; empty if none fits."""
    scale: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)
    """Other settings of the section `localizer`: diameter and contrast of a classical method."""
    diameter_px: float | None = None
    """Of the particles found; None if none fits."""
    missed: float = 0.0
    """Estimated fraction of the particles that are not found."""
    doubled: float = 0.0
    """Estimated fraction of the rows that are second ones of a particle."""
    advice: list[str] = field(default_factory=list)
    """What would fit, if none does: one sentence each."""


def choose(images: Sequence[Image], particles: ParticleProperties, part: Part | None = None) -> Choice:
    """Choose a model and its scale for `images`, (H, W) each, in which `particles` were measured without a model.

    `part` is the one in which they were measured, and in which the models are tried; None for whole images.
    """
    some = [image if part is None else part.of(image) for image in (images[0], images[-1])[: len(images)]]
    count = particles.count * (1.0 if part is None else part.fraction)
    images_tried = Images([_middle(image, count) for image in some])
    outlined = outline([levels[0] for levels in images_tried.levels], [noise[0] for noise in images_tried.noise])
    candidates, problems = _search(range(images_tried.halvings + 1), images_tried, outlined)
    best = _best(candidates)
    if best is None or best.diameter_px < _SMALL_PX:
        candidates += _search([-1], images_tried, outlined)[0]
    finalists = _finalists(candidates, images_tried, outlined, particles)
    verdict = first_accepted(finalists, images_tried, outlined)
    if verdict.refused and not verdict.elongated:
        classical = (
            search_classically(method, diameter, outlined.contrast, images_tried, outlined)
            for method, diameter in _classical(outlined, particles)
        )
        other = first_accepted([each for each in classical if each.explained > _ROUND_ALONE], images_tried, outlined)
        verdict = verdict if other.refused else other
    searched = images_tried.levels[0][0].size / np.size(images[0])
    trials = problems + [summary(each, searched) for each in _notable(candidates)]
    if verdict.refused or verdict.best is None:
        return Choice("", verdict.refused, trials, [], advice=_advice(verdict, outlined))
    chosen = verdict.best
    trial, rows = try_candidate(chosen, images)
    return Choice(
        chosen.model,
        _reason(verdict, chosen),
        [trial, *(each for each in trials if (each.model, each.scale) != (chosen.model, chosen.scale))],
        rows,
        chosen.scale,
        {name: value for name, value in chosen.options.items() if name != "scale"},
        chosen.diameter_px,
        verdict.missed,
        verdict.doubled,
    )


def _search(halvings: Sequence[int], images: Images, outlined: Outlined) -> tuple[list[Candidate], list[ModelTrial]]:
    """Return what each model finds in images halved so often, and which models cannot be used."""
    candidates: list[Candidate] = []
    problems: list[ModelTrial] = []
    for model in MODELS:
        try:
            candidates += search_with_model(model, halvings, images, outlined)
        except ModelError as error:
            problems.append(failed_trial(model, error))
    return candidates, problems


def _best(candidates: Sequence[Candidate]) -> Candidate | None:
    best = max(candidates, key=lambda each: each.value, default=None)
    return best if best is not None and best.value > 0 else None


def _finalists(
    candidates: Sequence[Candidate], images: Images, outlined: Outlined, particles: ParticleProperties
) -> list[Candidate]:
    """Return the best candidates, refined: first the most precise of those that are as good as the best.

    Of those that are equal in that too, the one in whose searched image the particles are neither large nor small for
    the model, so that sizes may vary. `spot` is preferred for small bright particles without a ring, else `bead`.
    """
    first = _best(candidates)
    if first is None:
        return []
    order = sorted(candidates, key=lambda each: -each.value)[:_MOST_FINALISTS]
    finalists = [refined(each, images, outlined) for each in order if each.value >= _FINALIST * first.value]
    best = _best(finalists)
    if best is None:
        return []
    equal = [each for each in finalists if each.value >= _EQUAL * best.value]
    std = {id(each): _std(each) for each in equal}
    precise = [each for each in equal if std[id(each)] <= _PRECISE * min(std.values())]
    spots = particles.contrast == "bright" and not particles.has_ring and best.diameter_px < _MAX_SPOT_PX

    def rank(each: Candidate) -> tuple[float, ...]:
        if each not in precise:
            return (1, -each.value)
        octaves = abs(math.log2(each.diameter_px * each.scale / _TYPICAL_PX[each.model]))
        octaves += _UNSEEN * each.unseen
        return (0, octaves + _OTHER_MODEL * ((each.model == "spot") != spots) + _ENLARGED * (each.scale > 1))

    return sorted(finalists, key=rank)


def _std(candidate: Candidate) -> float:
    values = np.concatenate(candidate.rows)["x_std"]
    return float(np.nanmedian(values)) if np.isfinite(values).any() else math.inf


def _notable(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the best candidate of each model, and the best of all."""
    order = sorted(candidates, key=lambda each: -each.value)
    first = [next((each for each in order if each.model == model), None) for model in MODELS]
    named = [each for each in (*first, *order[:_FEW_TRIALS]) if each is not None]
    return list({(each.model, each.scale): each for each in named}.values())


def _classical(outlined: Outlined, particles: ParticleProperties) -> list[tuple[str, float]]:
    """Return classical methods with diameters that may suit the particles: with their rims, odd."""
    sizes = [math.sqrt(outlined.length_px * outlined.width_px)] if outlined.count else []
    diameters = dict.fromkeys(float(2 * round(0.6 * size) + 1) for size in (*sizes, particles.diameter_px))
    return [(method, diameter) for diameter in diameters if 3 <= diameter <= 255 for method in METHODS]


def _advice(verdict: Verdict, outlined: Outlined) -> list[str]:
    """Return what would fit particles that no model fits."""
    if verdict.elongated:
        length, width = outlined.length_px, outlined.width_px
        scale = 2.0 ** math.floor(math.log2(min(1.0, _ROD_WIDTH_PX / width, _ROD_LENGTH_PX / length)))
        low, high = (max(1.0, length / width + step) for step in (-1.0, 1.0))
        reduced = "" if scale == 1 else f" and use it with --scale {scale:g}"
        return [
            f"train the rod recipe (livetrack train --list) with size_px = [{0.8 * width * scale:.1f}, "
            f"{1.2 * width * scale:.1f}] and elongation = [{low:.1f}, {high:.1f}]{reduced}: docs/training.md"
        ]
    return [
        "train a model from an image of one particle, with the template recipe (livetrack train --list), "
        "if the particles look alike: docs/training.md"
    ]


def _reason(verdict: Verdict, chosen: Candidate) -> str:
    return (
        f"{percent(chosen.explained)} of the structure around what it finds is round; against blobs found without a "
        f"model, {percent(verdict.missed)} are missed and {percent(verdict.doubled)} doubled"
    )


def _middle(image: Image, count: float) -> Image:
    """Return the middle of an image with too many particles to search all of it with each model."""
    if count <= _MANY:
        return image
    height, width = (max(_PART_PX, round(length * math.sqrt(_MANY / count))) for length in image.shape)
    top, left = (max(0, (length - part) // 2) for length, part in zip(image.shape, (height, width), strict=True))
    return image[top : top + height, left : left + width]
