"""A condition's figures: every method on the same images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from livetrack.bench.accuracy.bound import position_bound
from livetrack.bench.accuracy.conditions import Condition, scenes
from livetrack.bench.accuracy.methods import Method
from livetrack.bench.accuracy.scene import Scene
from livetrack.bench.accuracy.shapes import Floats
from livetrack.bench.matching import match, nearest_other
from livetrack.particles import Rows

__all__ = ["ISOLATED_PX", "ConditionResult", "Figures", "measure"]

ISOLATED_PX = 4.0
"""A particle whose neighbours are further away than this is isolated."""

_PHASES = 10
_LEAST_IN_PHASE = 20
_NINETY_FIVE = 1.959964  # standard deviations to each side


class Figures(Struct, frozen=True):
    """What one method reaches in one condition; errors are those of the particles that it found, bias included.

    None where it cannot be said: nothing was found, or the method does not state its uncertainty.
    """

    method: str
    images: int
    particles: int
    recall: float | None
    """Share of the particles with a row within the gate of 3 px."""
    f1: float | None
    """2 TP / (2 TP + FP + FN)."""
    f1_isolated: float | None
    """The same for the particles without a neighbour within 4 px; a false row counts where its nearest one is such."""
    false_per_image: float
    rmse_px: float | None
    """Per axis."""
    bias_px: float | None
    """Mean error, the larger of both axes."""
    crlb_px: float | None
    """The bound's root mean square for the same particles."""
    ratio: float | None
    """RMSE / CRLB."""
    ratio_error: float | None
    """Its standard error by the number of particles."""
    spread: float | None
    """Robust standard deviation of error / x_std, 1.4826 x the median of its absolute value."""
    coverage: float | None
    """Share of the errors within 1.96 x_std."""
    phase_bias: float | None
    """Largest mean error of ten bins of sub-pixel phase / CRLB, either axis."""


class ConditionResult(NamedTuple):
    """A condition and what each method reached in it."""

    condition: Condition
    figures: list[Figures]

    def of(self, method: str) -> Figures | None:
        """Return the figures of one method, None where it was not run."""
        return next((each for each in self.figures if each.method == method), None)


def measure(
    condition: Condition, methods: Mapping[str, Method], *, quick: bool = False, step: Callable[[], None] = lambda: None
) -> ConditionResult:
    """Measure each method, all on the same images; `step` is called after each image."""
    tallies = {name: _Tally() for name in methods}
    for scene in scenes(condition, quick):
        bound = position_bound(scene, condition.reach_px)
        for name, method in methods.items():
            tallies[name].add(scene, method(scene), bound)
        step()
    return ConditionResult(condition, [tally.figures(name) for name, tally in tallies.items()])


class _Tally:
    """One method's rows against the truth, image by image."""

    def __init__(self) -> None:
        self._images = self._particles = self._found = self._rows = 0
        self._isolated = self._isolated_found = self._isolated_false = 0
        self._errors: list[Floats] = []
        """(M, 2 axes, 4): error, x_std, phase, variance of the bound."""

    def add(self, scene: Scene, rows: Rows, bound: Floats) -> None:
        _, x, y, _, _ = scene.particles
        owner = match(rows, x, y)
        seen = owner >= 0
        own = rows[owner[seen]]
        axes = [
            np.stack([own[axis] - truth[seen], own[f"{axis}_std"], (truth[seen] + 0.5) % 1, bound[seen, n]], axis=1)
            for n, (axis, truth) in enumerate((("x", x), ("y", y)))
        ]
        self._errors.append(np.stack(axes, axis=1))
        self._images += 1
        self._particles += x.size
        self._rows += len(rows)
        self._found += int(seen.sum())
        alone = nearest_other(x, y) > ISOLATED_PX
        false = np.setdiff1d(np.arange(len(rows)), owner)
        if x.size:
            nearest = np.hypot(rows["x"][false, None] - x, rows["y"][false, None] - y).argmin(axis=1)
            self._isolated_false += int(alone[nearest].sum())
        self._isolated += int(alone.sum())
        self._isolated_found += int((alone & seen).sum())

    def figures(self, method: str) -> Figures:
        error, std, phase, bound = np.moveaxis(np.concatenate(self._errors).astype(np.float64), 2, 0)
        false = self._rows - self._found
        some = error.size > 0
        rmse, crlb = _root_mean(error**2), _root_mean(bound)
        ratio = rmse / crlb if some else math.nan
        # the spread of the squared errors says how sure their mean is, heavy tails included
        doubt = float(np.std(error**2) / np.mean(error**2) / math.sqrt(error.size)) / 2 if some else math.nan
        stated = bool(np.isfinite(std).any())
        pull = error[np.isfinite(std)] / std[np.isfinite(std)]
        return Figures(
            method=method,
            images=self._images,
            particles=self._particles,
            recall=self._found / self._particles if self._particles else None,
            f1=_f1(self._found, false, self._particles),
            f1_isolated=_f1(self._isolated_found, self._isolated_false, self._isolated),
            false_per_image=false / self._images,
            rmse_px=_known(rmse),
            bias_px=_known(float(np.abs(error.mean(axis=0)).max())) if some else None,
            crlb_px=_known(crlb),
            ratio=_known(ratio),
            ratio_error=_known(ratio * doubt),
            spread=1.4826 * float(np.median(np.abs(pull))) if stated else None,
            coverage=float((np.abs(pull) < _NINETY_FIVE).mean()) if stated else None,
            phase_bias=_phase_bias(error, phase, crlb),
        )


def _phase_bias(error: Floats, phase: Floats, crlb: float) -> float | None:
    """Return the largest mean of the bins, of both axes together: a tenth of 4,000 errors makes it sure to 0.05."""
    which = (phase * _PHASES).astype(int).clip(0, _PHASES - 1)
    bins = [error[which == n] for n in range(_PHASES)]
    if not all(len(each) >= _LEAST_IN_PHASE for each in bins):
        return None
    return max(abs(float(each.mean())) for each in bins) / crlb


def _f1(found: int, false: int, particles: int) -> float | None:
    total = 2 * found + false + (particles - found)
    return 2 * found / total if particles else None


def _root_mean(values: Floats) -> float:
    return math.sqrt(float(values.mean())) if values.size else math.nan


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
