"""Judges a candidate by what it misses, doubles and leaves unexplained: whether it fits, and if not, why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from livetrack.check.agreement import Agreement, compare_with_blobs
from livetrack.check.candidates import Candidate, Images
from livetrack.check.outlines import Outlined
from livetrack.check.roundness import structure_near
from livetrack.localize.resizing import resized

__all__ = ["Verdict", "first_accepted", "percent"]

_ROUND = 0.8  # explained fraction of round particles
_ROUGH, _MOST_COVERED = 0.72, 0.7  # of rough ones, beyond which nothing as sharp is in the images
_LONG = 0.66  # of slightly elongated ones, which are accepted if their outlines agree
_MIN_SINGLE = 0.75
_MAX_MISSED, _MAX_DOUBLED = 0.1, 0.1
_FINER, _MIN_LOCATED = 2, 0.3  # halvings; fraction of the structure in such an image that must be near the rows
_MIN_COVERED = 0.4  # of the structure; texture has round places, but few
_MAX_DIAMETER = 0.5  # of the shorter side of the image: what is wider is the light
_RODS = 1.6  # length over width from which on the shipped models are not for these particles
_CLEARLY_ROUND = 0.88  # explained fraction that outweighs elongated outlines
_MIN_OUTLINES = 2


@dataclass(frozen=True)
class Verdict:
    """Whether a candidate fits."""

    best: Candidate | None
    """None if there is none."""
    missed: float
    """Estimated fraction of the particles that are not found."""
    doubled: float
    """Estimated fraction of the rows that are second ones of a particle."""
    elongated: bool
    """Whether the particles are longer than wide, beyond what the models find."""
    refused: str
    """Why it does not fit; empty if it does."""


def first_accepted(candidates: Sequence[Candidate], images: Images, outlined: Outlined) -> Verdict:
    """Return the verdict of the first of the candidates that fits; of the first one if none does."""
    verdicts = []
    for each in candidates:
        verdicts.append(_judged(each, images, outlined))
        if not verdicts[-1].refused or verdicts[-1].elongated:
            return verdicts[-1]
    return verdicts[0] if verdicts else _judged(None, images, outlined)


def _judged(best: Candidate | None, images: Images, outlined: Outlined) -> Verdict:
    """Judge a candidate by what it misses, doubles and leaves unexplained."""
    elongated = outlined.count >= _MIN_OUTLINES and outlined.elongation > _RODS
    if best is None or best.value <= 0:
        refused = _rods(outlined) if elongated else "nothing that a model finds is round"
        return Verdict(None, 0.0, 0.0, elongated, refused)
    agreement = _agreement(best, images)
    missed = agreement.missed / max(agreement.missed + agreement.rows, 1)
    doubled = agreement.doubled / max(agreement.rows, 1)
    same = outlined.count >= _MIN_OUTLINES and best.outlined
    elongated = elongated and best.explained < (_CLEARLY_ROUND if same else _ROUGH)
    refused = ""
    if elongated:
        refused = _rods(outlined)
    elif best.diameter_px > _MAX_DIAMETER * min(images.levels[0][0].shape):
        refused = f"the only round structure is {best.diameter_px:.0f} px wide: the light, or one object out of focus"
    elif best.explained < _least_explained(best, same, missed):
        refused = f"what {_name(best)} finds is not round: {percent(best.explained)} of the structure around it"
    elif best.scale < 1 and _located(best, images) < _MIN_LOCATED:
        refused = f"most of the fine structure is elsewhere than what {_name(best)} finds"
    elif missed > _MAX_MISSED or (best.covered < _MIN_COVERED and missed > _MAX_MISSED / 2):
        refused = f"{_name(best)} finds what is round, but leaves out {percent(missed)} of what is as distinct"
    elif doubled > _MAX_DOUBLED:
        refused = f"{_name(best)} finds {percent(doubled)} of the particles twice"
    elif best.single < _MIN_SINGLE:
        refused = f"{_name(best)} finds one particle only in {percent(best.single)} of the objects that stand apart"
    return Verdict(best, missed, doubled, elongated, refused)


def _least_explained(best: Candidate, same: bool, missed: float) -> float:
    """Return the explained fraction that a candidate needs: less where it agrees with all else that is seen."""
    if same and best.single > _MIN_SINGLE:
        return _LONG
    return _ROUGH if best.covered > _MOST_COVERED and missed < _MAX_MISSED / 2 else _ROUND


def _located(candidate: Candidate, images: Images) -> float:
    """Return the fraction of the structure, in images of finer pixels than were searched, that is near the rows."""
    level = max(0, round(-math.log2(candidate.scale)) - _FINER)
    near, total = 0.0, 0.0
    for levels, noise, rows in zip(images.levels, images.noise, candidate.rows, strict=True):
        there, reach = resized(rows, -level), candidate.reach_px / 2**level
        x, y = there["x"].astype(np.float64), there["y"].astype(np.float64)
        here, everywhere = structure_near(levels[level], noise[level], x, y, reach)
        near, total = near + here, total + everywhere
    return near / total if total > 0 else 1.0


def _agreement(candidate: Candidate, images: Images) -> Agreement:
    parts = []
    for levels, noise, rows in zip(images.levels, images.noise, candidate.rows, strict=True):
        there, factor = resized(rows, -candidate.level), 2.0**candidate.level
        x, y = there["x"].astype(np.float64), there["y"].astype(np.float64)
        parts.append(
            compare_with_blobs(
                levels[candidate.level], noise[candidate.level], x, y,
                candidate.diameter_px / factor, candidate.reach_px / factor,
            )
        )  # fmt: skip
    return Agreement(*(sum(column) for column in zip(*parts, strict=True)))


def percent(fraction: float) -> str:
    """Return `fraction` in per cent."""
    return f"{100 * fraction:.0f} %"


def _rods(outlined: Outlined) -> str:
    size = f"{outlined.length_px:.0f} px long and {outlined.width_px:.0f} px wide"
    return f"the particles are elongated, {size}, and the models know round ones"


def _name(candidate: Candidate) -> str:
    return candidate.model if candidate.scale == 1 else f"{candidate.model} at scale {candidate.scale:g}"
