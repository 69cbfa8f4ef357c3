"""Averages crops of one particle: finds it in each, aligns them, and measures size, symmetry and SNR."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError
from livetrack.localize.noise import noise_level
from livetrack.localize.refine.template import Pose, fit_template
from livetrack.optics.template import (
    BORDER,
    FINE,
    Template,
    add_templates,
    fine_samples,
    make_template,
    subtract_background,
)
from livetrack.training.particle.outline import find_outline
from livetrack.training.particle.symmetry import find_symmetry
from livetrack.training.sections import Symmetry

__all__ = ["MIN_CROPS", "AlignedParticle", "align_crops"]

Floats = npt.NDArray[np.float32]

MIN_CROPS = 12
"""Fewer crops of the particle alone are rejected."""

_ROUNDS = 4  # of fitting all crops and averaging them
_TURNED_ROUNDS = 8  # where orientations are unknown
_AREA_RANGE = 0.6, 1.6  # of the median: more is a particle with a neighbour, less is part of one
_MARGIN_PX = 2  # around the outline, before the particle's size is measured
_MAX_MISFIT = 3.0  # median absolute deviations above the median: another particle is in the crop
_MAX_DEVIATION = 4.0  # standard deviations of the noise: other values of a pixel are left out of its mean
_FAINTEST = 0.03  # fraction of the peak where the particle ends
_MIN_SIDE = 9
_WIDTH_LEVEL = 0.2  # fraction of the peak where the diameter is measured


@dataclass(frozen=True, slots=True, eq=False)
class AlignedParticle:
    """The average of aligned crops of one particle."""

    image: Floats
    """(S, S) grey levels over the background; an eighth of the side is background on each side."""
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

    The particle's outline is found in each crop, from the pixel at the tracked position: a track may follow one end of
    a large particle. Crops in which the outline is larger or smaller than usual are left out: a neighbour touches the
    particle. The others are aligned by fitting their average to each, several times; orientations too, unless the
    particle is round. Crops that the average fits badly are left out, and so are single pixels far from the median.

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
    outlines = [find_outline(crop, noise, *place) for crop, *place in zip(crops, x, y, strict=True)]
    found = np.array([outline.area for outline in outlines], np.float64)
    typical = float(np.median(found[found > 0])) if found.any() else 0.0
    alone = (found >= _AREA_RANGE[0] * typical) & (found <= _AREA_RANGE[1] * typical) & (found > 0)
    if not alone.any():
        raise InputError("nothing stands out from the noise at the particle's position; choose a brighter one")
    radius = float(np.percentile([outline.radius for outline, used in zip(outlines, alone, strict=True) if used], 75))
    half = math.ceil((radius + _MARGIN_PX) / (1 - 2 * BORDER)) + 1
    windows, centres = [], []
    for n in np.flatnonzero(alone):
        left, top = round(outlines[n].x) - half, round(outlines[n].y) - half
        window = crops[n, max(top, 0) : top + 2 * half + 1, max(left, 0) : left + 2 * half + 1]
        if window.shape == (2 * half + 1, 2 * half + 1) and np.isfinite(window).all():
            windows.append(window)
            centres.append((outlines[n].x - left, outlines[n].y - top))
    _check_count(len(windows), len(crops))
    return _average(np.stack(windows).astype(np.float32), centres, noise, len(crops))


def _inside(crop: Floats) -> Floats:
    """Return the part of a crop that is inside the image."""
    inside = np.isfinite(crop)
    return np.ascontiguousarray(crop[inside.any(axis=1)][:, inside.any(axis=0)])


def _average(windows: Floats, centres: list[tuple[float, float]], noise: float, total: int) -> AlignedParticle:
    """Align windows (N, S, S) on the particle alone, and average them."""
    signals = [subtract_background(window).astype(np.float32) for window in windows]
    aligner = _Aligner(signals, noise)
    mean, _, kept = aligner.average([Pose(x, y, 0.0, 1.0) for x, y in centres])
    for _ in range(_ROUNDS):
        poses = aligner.fit(mean, turns=False)
        mean, aligned, kept = aligner.average(poses)
    _check_count(int(kept.sum()), total)
    symmetry = find_symmetry(aligned[kept], noise)
    if symmetry != "round":
        energy = (aligned**2).sum(axis=(1, 2))
        mean = aligned[int(np.abs(energy - np.median(energy)).argmin())]
        for _ in range(_TURNED_ROUNDS):
            poses = aligner.fit(mean, turns=True)
            mean, aligned, kept = aligner.average(poses)
        _check_count(int(kept.sum()), total)
    height = float(np.median([pose.height for pose, used in zip(poses, kept, strict=True) if used]))
    image = _trim(mean, noise / math.sqrt(kept.sum()))
    diameter = 2 * math.sqrt((np.abs(image) > _WIDTH_LEVEL * np.abs(image).max()).sum() / math.pi)
    return AlignedParticle(image.astype(np.float32), int(kept.sum()), noise, height, diameter, symmetry)


class _Aligner:
    """Crops of one particle without background, each (S, S), S odd."""

    def __init__(self, signals: list[Floats], noise: float) -> None:
        self._signals = signals
        self._noise = noise
        self._fine = [fine_samples(signal.astype(np.float64)) for signal in signals]
        self._starts: list[tuple[float, float]] = []

    def fit(self, mean: Floats, *, turns: bool) -> list[Pose]:
        """Fit the average to each crop, its centre of light; raises `InputError` if it shows no particle."""
        try:
            template = make_template(mean)
        except ValueError:
            raise InputError(
                "nothing stands out from the noise at the particle's position; choose a brighter one"
            ) from None
        starts = self._starts
        return [
            fit_template(signal / np.float32(self._noise), template, x, y, turns=turns)
            for signal, (x, y) in zip(self._signals, starts, strict=True)
        ]

    def average(self, poses: list[Pose]) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
        """Return the average (S, S) of the crops moved and turned by `poses`, these crops, (N, S, S), and which count.

        The particle is in the middle.
        """
        self._starts = [(pose.x, pose.y) for pose in poses]
        aligned = np.stack(
            [
                _move(fine, pose, signal.shape)
                for fine, pose, signal in zip(self._fine, poses, self._signals, strict=True)
            ]
        )
        median = np.median(aligned, axis=0)
        misfit = np.mean((aligned - median) ** 2, axis=(1, 2))
        spread = 1.4826 * float(np.median(np.abs(misfit - np.median(misfit))))
        kept = misfit <= np.median(misfit) + _MAX_MISFIT * spread
        weight = kept[:, None, None] & (np.abs(aligned - median) <= _MAX_DEVIATION * self._noise)
        mean = (weight * aligned).sum(axis=0) / np.maximum(weight.sum(axis=0), 1)
        return mean.astype(np.float32), aligned, kept


def _move(fine: npt.NDArray[np.float64], pose: Pose, shape: tuple[int, ...]) -> Floats:
    """Return a crop, given in fine samples, with the particle in the middle and turned back."""
    image, one = np.zeros(shape, np.float32), np.ones(1)
    middle = Template(fine, FINE * pose.x, FINE * pose.y, 1.0)
    centre = np.array([shape[0] // 2], np.float64)
    add_templates(image, centre, centre, middle, one, np.array([-pose.angle]), one)
    return image


def _trim(mean: Floats, noise: float) -> Floats:
    """Return the middle of `mean` (S, S): the particle, up to where its profile meets the `noise`, and a border."""
    middle = mean.shape[0] // 2
    rows, columns = np.indices(mean.shape) - middle
    ring = np.rint(np.hypot(rows, columns)).astype(int)
    energy = np.bincount(ring.ravel(), (mean.astype(np.float64) ** 2).ravel()) / np.bincount(ring.ravel())
    least = max(_FAINTEST * float(np.abs(mean).max()), 2 * noise)
    outside = np.flatnonzero(energy[: middle + 1] < least**2)
    core = int(energy[: middle + 1].argmax())
    radius = next((int(r) for r in outside if r > core), middle)
    half = min(middle, max(math.ceil((radius + 1) / (1 - 2 * BORDER)), _MIN_SIDE // 2))
    return mean[middle - half : middle + half + 1, middle - half : middle + half + 1]


def _check_count(count: int, total: int) -> None:
    if count < MIN_CROPS:
        raise InputError(
            f"only {count} of {total} images show the particle alone and in full, {MIN_CROPS} are needed; choose one "
            "that is farther from others and from the edge"
        )
