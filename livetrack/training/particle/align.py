"""Averages crops of one particle: finds it in each, aligns them, and measures size, symmetry and SNR."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError
from livetrack.localize.noise import noise_level
from livetrack.optics.template import BORDER, FINE, make_template
from livetrack.training.particle.aligner import Aligner
from livetrack.training.particle.outline import find_outline
from livetrack.training.particle.symmetry import MAX_RADIUS, distance_from_middle, find_symmetry
from livetrack.training.sections import Symmetry

__all__ = ["MIN_CROPS", "AlignedParticle", "align_crops"]

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

MIN_CROPS = 12
"""Fewer crops of the particle alone are rejected."""

_ROUNDS = 4  # of fitting all crops and averaging them
_TURNED_ROUNDS = 8  # where orientations are unknown
_CORE_HALF_PX = 12  # half side of the windows in which a small round particle is looked for
_USUAL = 0.25  # quantile of the areas in a crowd: most outlines include a neighbour there
_AREA_RANGE = 0.6, 1.6  # of the usual one: more is a particle with a neighbour, less is part of one
_MARGIN_PX = 2  # around the outline, before the particle's size is measured
_FAINTEST = 0.03  # fraction of the peak where the particle ends
_ABOVE_NOISE = 2.0  # standard deviations
_CLEAR = 3.0  # likewise, where light is summed
_ABOVE_AROUND = 2.0  # a ring of the particle has at least this many times the energy of what surrounds it
_MIN_SIDE = 9
_WIDTH_LEVEL = 0.2  # fraction of the peak where the diameter is measured


@dataclass(frozen=True, slots=True, eq=False)
class AlignedParticle:
    """The average of aligned crops of one particle."""

    image: Floats
    """(S, S) grey levels over the background; an eighth of each side is empty. The centre of light is in the middle, or
    that of symmetry if the particle is round."""
    used: int
    """Number of crops averaged."""
    noise: float
    """Standard deviation of the noise of one crop, grey levels."""
    snr: float
    """Peak intensity / `noise`; negative for a dark particle."""
    diameter_px: float
    """Of the circle with the area that exceeds a fifth of the peak."""
    symmetry: Symmetry


def align_crops(crops: Floats, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> AlignedParticle:
    """Average crops of one particle.

    The average around the tracked positions is used if it shows a small round particle. If not, a track may follow one
    end of a large particle: its outline is found in each crop, from the pixel at the tracked position. Crops in which
    the outline is larger or smaller than usual are left out: a neighbour touches the particle. The others are aligned
    by fitting their average to each, several times; orientations too, unless the particle is round. Crops that the
    average fits badly are left out, and so are single pixels far from the median.

    Parameters
    ----------
    crops
        (N, H, W) grey levels, NaN beyond the image's edge.
    x, y
        (N,) tracked position in each crop, px.

    Raises
    ------
    InputError
        Nothing stands out at these positions, or fewer than `MIN_CROPS` crops show the particle alone.
    """
    _check_count(len(crops), len(crops))
    noise = float(np.median([noise_level(_inside(crop)) for crop in crops]))
    return _average_core(crops, np.stack([x, y], axis=1), noise) or _average_outlines(crops, x, y, noise)


def _average_core(crops: Floats, centres: Doubles, noise: float) -> AlignedParticle | None:
    """Return the average around the tracked positions if it shows a small round particle; None if it does not."""
    windows, centres = _cut(crops, centres, _CORE_HALF_PX)
    if len(windows) < MIN_CROPS:
        return None
    aligner = Aligner(windows, centres, noise)
    try:
        for _ in range(_ROUNDS):
            aligner.fit(turns=False)
    except InputError:
        return None
    radius = _radius(aligner)
    if aligner.kept.sum() < MIN_CROPS or radius > MAX_RADIUS * _CORE_HALF_PX:
        return None
    return (
        _measure(aligner, "round") if find_symmetry(aligner.aligned[aligner.kept], noise, radius) == "round" else None
    )


def _average_outlines(crops: Floats, x: Doubles, y: Doubles, noise: float) -> AlignedParticle:
    """Return the average of those crops in which the particle's outline is as large as usual."""
    outlines = [find_outline(crop, noise, *place) for crop, *place in zip(crops, x, y, strict=True)]
    area = np.array([outline.area for outline in outlines], np.float64)
    usual = float(np.quantile(area[area > 0], _USUAL)) if area.any() else 0.0
    alone = (area >= _AREA_RANGE[0] * usual) & (area <= _AREA_RANGE[1] * usual) & (area > 0)
    if not alone.any():
        raise InputError("nothing stands out from the noise at the particle's position; choose a brighter one")
    radius = float(np.median([outline.radius for outline, used in zip(outlines, alone, strict=True) if used]))
    half = math.ceil((radius + _MARGIN_PX) / (1 - 2 * BORDER)) + 1
    centres = np.array([(outline.x, outline.y) for outline in outlines])
    windows, centres = _cut(crops[alone], centres[alone], half)
    _check_count(len(windows), len(crops))
    aligner = Aligner(windows, centres, noise)
    for _ in range(_ROUNDS):
        aligner.fit(turns=False)
    _check_count(int(aligner.kept.sum()), len(crops))
    symmetry = find_symmetry(aligner.aligned[aligner.kept], noise, _radius(aligner))
    if symmetry != "round":
        energy = (aligner.aligned**2).sum(axis=(1, 2))
        aligner.start_from(int(np.abs(energy - np.median(energy)).argmin()))
        for _ in range(_TURNED_ROUNDS):
            aligner.fit(turns=True)
        _check_count(int(aligner.kept.sum()), len(crops))
    return _measure(aligner, symmetry)


def _measure(aligner: Aligner, symmetry: Symmetry) -> AlignedParticle:
    """Return the average with its centre in the middle, and what can be measured in it."""
    if symmetry == "round":
        for _ in range(_ROUNDS):
            aligner.fit_round()
    else:
        aligner.move(*_centre_of_light(aligner))
    heights = [pose.height for pose, used in zip(aligner.poses, aligner.kept, strict=True) if used]
    middle = aligner.mean.shape[0] // 2
    half = min(middle, max(math.ceil((_radius(aligner) + 1) / (1 - 2 * BORDER)), _MIN_SIDE // 2))
    image = aligner.mean[middle - half : middle + half + 1, middle - half : middle + half + 1]
    diameter = 2 * math.sqrt((np.abs(image) > _WIDTH_LEVEL * np.abs(image).max()).sum() / math.pi)
    return AlignedParticle(image, int(aligner.kept.sum()), aligner.noise, float(np.median(heights)), diameter, symmetry)


def _cut(crops: Floats, centres: Doubles, half: int) -> tuple[Floats, Doubles]:
    """Return the windows around `centres` (M, 2) that are inside the image, and their centres in them.

    They are (N, S, S) and (N, 2), S = 2 `half` + 1.
    """
    windows, inside = [], []
    for crop, (x, y) in zip(crops, centres, strict=True):
        left, top = round(x) - half, round(y) - half
        window = crop[max(top, 0) : top + 2 * half + 1, max(left, 0) : left + 2 * half + 1]
        if window.shape == (2 * half + 1, 2 * half + 1) and np.isfinite(window).all():
            windows.append(window)
            inside.append((x - left, y - top))
    return np.array(windows, np.float32), np.array(inside, np.float64)


def _inside(crop: Floats) -> Floats:
    """Return the part of a crop that is inside the image."""
    inside = np.isfinite(crop)
    return np.ascontiguousarray(crop[inside.any(axis=1)][:, inside.any(axis=0)])


def _centre_of_light(aligner: Aligner) -> tuple[float, float]:
    """Return the centroid of what exceeds `_FAINTEST` of the peak of the average, and its noise, px from the middle."""
    template, middle = make_template(aligner.mean, "picture"), aligner.mean.shape[0] // 2
    noise = aligner.noise / math.sqrt(aligner.kept.sum()) / float(np.abs(aligner.mean).max())
    light = np.abs(template.fine) * (np.abs(template.fine) > max(_FAINTEST, _CLEAR * noise))
    x = float((light.sum(axis=0) * np.arange(light.shape[1])).sum() / light.sum())
    y = float((light.sum(axis=1) * np.arange(light.shape[0])).sum() / light.sum())
    return x / FINE - middle, y / FINE - middle


def _radius(aligner: Aligner) -> int:
    """Return the radius, px, at which the profile of the average meets its noise or the level of its surroundings."""
    mean, middle = aligner.mean.astype(np.float64), aligner.mean.shape[0] // 2
    ring = distance_from_middle(mean.shape).round().astype(int)
    energy = (np.bincount(ring.ravel(), (mean**2).ravel()) / np.bincount(ring.ravel()))[: middle + 1]
    around = float(np.median(energy[round((1 - BORDER) * middle) :]))
    noise = _ABOVE_NOISE * aligner.noise / math.sqrt(aligner.kept.sum())
    least = max((_FAINTEST * float(np.abs(mean).max())) ** 2, noise**2, _ABOVE_AROUND * around)
    core = int(energy.argmax())
    return next((int(r) for r in np.flatnonzero(energy < least) if r > core), middle)


def _check_count(count: int, total: int) -> None:
    if count < MIN_CROPS:
        raise InputError(
            f"only {count} of {total} images show the particle alone and in full, {MIN_CROPS} are needed; choose one "
            "that is farther from others and from the edge"
        )
