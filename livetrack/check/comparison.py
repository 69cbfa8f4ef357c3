"""Compares what a model finds in an image with the blobs that stand out: what is found, doubtful, missed, doubled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.check.annotated_image import Mark, Marks
from livetrack.check.blobs import Blobs
from livetrack.check.busy_part import Part
from livetrack.check.diagnostics import percent
from livetrack.check.finding import Finding
from livetrack.check.measure import ParticleProperties
from livetrack.movies import Movie
from livetrack.particles import Rows

__all__ = [
    "Comparison",
    "agreement_diagnostics",
    "are_alike",
    "compare",
    "comparison_marks",
    "edge_diagnostics",
    "score_marks",
]

Array = npt.NDArray[np.float64]

_DOUBTFUL = 0.8  # score
_CLEAR = 0.6  # of the typical response: such blobs are certainly particles
_SAME = 0.6  # of a diameter: a row so near to a blob is that particle
_MIN_SAME_PX = 1.5
_DOUBLED = 0.5  # of a diameter: two rows so near to each other are one particle
_WARN = 0.2
_WARN_UNSEEN = 0.35  # more, as models find faint particles that do not stand out
_MIN_COUNT = 3
_STRIP = 8  # along an edge: one part in so many
_MIN_AT_EDGE = 20


@dataclass(frozen=True)
class Comparison:
    """Rows of one image compared with its blobs; positions in px."""

    x: Array
    y: Array
    score: Array
    """Of the rows, (N,)."""
    doubtful: npt.NDArray[np.bool_]
    """(N,): rows with a low score, and those that are second ones of a particle."""
    doubled: int
    """Rows that are second ones of a particle."""
    missed_x: Array
    missed_y: Array
    """Of blobs that are as distinct as particles, but have no row, (M,)."""
    clear: int
    """Blobs that are as distinct as particles."""
    inside: int
    """Rows where blobs were sought."""
    unseen: int
    """Of these, rows where nothing stands out."""


def compare(rows: Rows, blobs: Blobs, part: Part, diameter_px: float) -> Comparison:
    """Compare the rows of an image with the blobs that were found in a part of it without a model."""
    x, y, score = (rows[name].astype(np.float64) for name in ("x", "y", "score"))
    second = _second_ones(x, y, score, _DOUBLED * diameter_px)
    near = max(_SAME * diameter_px, _MIN_SAME_PX)
    strength = np.abs(blobs.response)
    clear = strength > _CLEAR * np.median(strength) if strength.size else np.zeros(0, bool)
    with_row = _any_within(blobs.x, blobs.y, x, y, near)
    seen = _any_within(x, y, blobs.x, blobs.y, near)
    missed = clear & ~with_row
    to_edge = np.minimum.reduce([x - part.x, y - part.y, part.x + part.width - 1 - x, part.y + part.height - 1 - y])
    inside = to_edge > diameter_px  # those at the edge are no blobs
    return Comparison(
        x, y, score, second | (score < _DOUBTFUL), int(second.sum()),
        blobs.x[missed], blobs.y[missed], int(clear.sum()), int(inside.sum()), int((inside & ~seen).sum()),
    )  # fmt: skip


def are_alike(compared: list[Comparison], missed: float) -> bool:
    """Return whether the blobs compared are what the model finds, of which it misses a fraction by another count."""
    clear, inside = sum(each.clear for each in compared), sum(each.inside for each in compared)
    lost, unseen = sum(each.missed_x.size for each in compared), sum(each.unseen for each in compared)
    return lost < _WARN * max(clear, 1) or missed >= _WARN or unseen < _WARN * max(inside, 1)


def agreement_diagnostics(
    model: str, rows: Sequence[Rows], compared: list[Comparison], particles: ParticleProperties
) -> list[Finding]:
    """Return what the rows of some images, and their comparisons, show: missed and doubled particles, low scores."""
    count, clear = sum(map(len, rows)), sum(each.clear for each in compared)
    missed = sum(each.missed_x.size for each in compared)
    doubled = sum(each.doubled for each in compared)
    if not count and particles.count >= 1:
        text = f"{model} finds nothing where about {particles.count:.0f} particles stand out"
        return [Finding("missed", text, "try another --scale, or train a model for them", {"fraction": 1.0})]
    found = []
    if clear and missed >= max(_WARN * clear, 1) and (missed >= _MIN_COUNT or missed >= clear / 2):
        text = f"{model} misses {percent(missed / clear)} of the particles that stand out"
        cure = "look at the annotated image; try --set localizer.threshold=0.3, another --scale, or train a model"
        found.append(Finding("missed", text, cure, {"fraction": missed / clear}))
    if doubled >= max(_WARN * count, 1):
        text = f"{percent(doubled / count)} of what {model} finds are second positions of one particle"
        cure = "look at the annotated image; try a smaller --scale, or train a model for these particles"
        found.append(Finding("doubled", text, cure, {"fraction": doubled / count}))
    inside, unseen = sum(each.inside for each in compared), sum(each.unseen for each in compared)
    if inside and unseen >= max(_WARN_UNSEEN * inside, _MIN_COUNT):
        text = f"{percent(unseen / inside)} of what {model} finds does not stand out by itself: faint, or false"
        cure = "look at the annotated image; a higher localizer.threshold leaves out the most doubtful"
        found.append(Finding("unseen", text, cure, {"fraction": unseen / inside}))
    median = float(np.median(np.concatenate([each["score"] for each in rows]))) if count else 1.0
    if median < _DOUBTFUL:
        text = f"the median score of what {model} finds is only {median:.2f}: these may be no particles"
        cure = "look at the annotated image; train a model for these particles (docs/training.md)"
        found.append(Finding("low score", text, cure, {"score": median}))
    return found


def edge_diagnostics(rows: Rows, movie: Movie) -> list[Finding]:
    """Return whether most rows of an image lie along one of its edges: a reflection, a wall, the rim of the field."""
    height, width = movie.shape
    x, y = rows["x"], rows["y"]
    strips = {
        "left": (x < width / _STRIP, (width // _STRIP, 0, width - width // _STRIP, height)),
        "right": (x > width - width / _STRIP, (0, 0, width - width // _STRIP, height)),
        "upper": (y < height / _STRIP, (0, height // _STRIP, width, height - height // _STRIP)),
        "lower": (y > height - height / _STRIP, (0, 0, width, height - height // _STRIP)),
    }
    for name, (near, (left, top, columns, lines)) in strips.items():
        fraction = float(near.mean()) if len(rows) >= _MIN_AT_EDGE else 0.0
        if fraction > 0.5:
            region = f"{movie.origin[0] + left},{movie.origin[1] + top},{columns},{lines}"
            text = f"{percent(fraction)} of what is found lies in the {name} eighth of the image: perhaps a reflection"
            return [Finding("one edge", text, f"leave it out with --region {region}", {"fraction": fraction})]
    return []


def comparison_marks(compared: Comparison) -> list[Marks]:
    """Return the marks of what was found, doubtful and missed, with their numbers."""
    return [
        *_marks(compared.x, compared.y, compared.doubtful),
        Marks(Mark.MISSED, f"{compared.missed_x.size} missed", compared.missed_x, compared.missed_y),
    ]


def score_marks(rows: Rows) -> list[Marks]:
    """Return the marks of what was found and doubtful, by the score alone."""
    return _marks(rows["x"], rows["y"], rows["score"] < _DOUBTFUL)


def _marks(x: npt.NDArray[Any], y: npt.NDArray[Any], doubtful: npt.NDArray[np.bool_]) -> list[Marks]:
    return [
        Marks(Mark.FOUND, f"{int((~doubtful).sum())} found", x[~doubtful], y[~doubtful]),
        Marks(Mark.DOUBTFUL, f"{int(doubtful.sum())} doubtful", x[doubtful], y[doubtful]),
    ]


def _second_ones(x: Array, y: Array, score: Array, distance: float) -> npt.NDArray[np.bool_]:
    """Return which rows lie within `distance` of one with a higher score that is not such a second one itself."""
    second = np.zeros(x.size, bool)
    cells: dict[tuple[int, int], list[int]] = {}
    for n in np.argsort(-score, kind="stable").tolist():
        column, row = math.floor(x[n] / distance), math.floor(y[n] / distance)
        around = [(column + i, row + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        second[n] = any(
            math.hypot(x[n] - x[other], y[n] - y[other]) < distance for cell in around for other in cells.get(cell, ())
        )
        if not second[n]:
            cells.setdefault((column, row), []).append(n)
    return second


def _any_within(x: Array, y: Array, other_x: Array, other_y: Array, distance: float) -> npt.NDArray[np.bool_]:
    """Return for each point whether one of the others is within `distance`, (N,)."""
    order = np.argsort(other_y)
    other_x, other_y = other_x[order], other_y[order]
    first, behind = np.searchsorted(other_y, y - distance), np.searchsorted(other_y, y + distance, "right")
    near = np.zeros(x.size, bool)
    for n in range(x.size):
        rows = slice(first[n], behind[n])
        near[n] = bool((np.hypot(other_x[rows] - x[n], other_y[rows] - y[n]) < distance).any())
    return near
