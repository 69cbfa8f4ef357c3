"""The figures of each method under one condition, all on the same images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from livetrack.bench.accuracy.bound import position_bound
from livetrack.bench.accuracy.conditions import Condition, scenes
from livetrack.bench.accuracy.methods import IDEAL, Method
from livetrack.bench.accuracy.scene import Particles
from livetrack.bench.accuracy.scores import ScoreBin, best_threshold, score_bins, true_rows
from livetrack.bench.accuracy.shapes import Floats
from livetrack.bench.matching import match, nearest_neighbour
from livetrack.particles import Rows

__all__ = ["ISOLATED_PX", "ConditionResult", "Figures", "measure_condition"]

ISOLATED_PX = 4.0
"""A particle is isolated if its neighbours are farther away than this."""

_PHASES = 10
_MIN_IN_PHASE = 20
_95_PERCENT_STD = 1.959964


class Figures(Struct, frozen=True):
    """Figures of one method under one condition; errors are those of the particles found, bias included.

    None if undefined: nothing was found, or the method gives no uncertainty.
    """

    method: str
    images: int
    particles: int
    recall: float | None
    """Fraction of the particles with a row within the gate of 3 px."""
    f1: float | None
    """2 TP / (2 TP + FP + FN)."""
    f1_isolated: float | None
    """The same for isolated particles; a false row counts if its nearest particle is isolated."""
    false_per_image: float
    rmse_px: float | None
    """Per axis."""
    bias_px: float | None
    """Mean error; the larger of both axes."""
    crlb_px: float | None
    """Root mean square of the bound for the same particles."""
    ratio: float | None
    """RMSE / CRLB."""
    ratio_error: float | None
    """Standard error of `ratio` from the finite number of particles."""
    spread: float | None
    """Robust standard deviation of error / x_std: 1.4826 x the median of its absolute value."""
    coverage: float | None
    """Fraction of the errors within 1.96 x_std."""
    phase_bias: float | None
    """Largest mean error of ten bins of sub-pixel phase, over the CRLB."""
    over_ideal: float | None = None
    """Missed particles and false rows, over those of the ideal observer or 1."""
    reliability: tuple[ScoreBin, ...] = ()
    """Of the rows from a score of 0.05 on; empty if it was not measured."""

    @property
    def wrong(self) -> float:
        """Missed particles and false rows."""
        return self.particles * (1 - (self.recall or 0)) + self.false_per_image * self.images


class ConditionResult(NamedTuple):
    """A condition and the figures of each method."""

    condition: Condition
    figures: list[Figures]

    def of(self, method: str) -> Figures | None:
        """Return the figures of one method, None if it was not run."""
        return next((figures for figures in self.figures if figures.method == method), None)


def measure_condition(
    condition: Condition,
    methods: Mapping[str, Method],
    *,
    ideal: Method | None = None,
    scored: Mapping[str, Method] = MappingProxyType({}),
    quick: bool = False,
    step: Callable[[], None] = lambda: None,
) -> ConditionResult:
    """Run each method on the same images; `step` is called after each image.

    The rows of the `ideal` observer count from the threshold that gives the best F1. Methods in `scored`, by names that
    `methods` has too, return weak rows as well, for the reliability of the scores.
    """
    tallies = {name: _Tally() for name in methods}
    weak_rows = {name: _ScoredRows() for name in scored}
    best, truths = _ScoredRows(), []
    with ThreadPoolExecutor(1) as pool:  # the ideal observer takes as long as all the others together
        for scene in scenes(condition, quick):
            observed = pool.submit(ideal, scene) if ideal else None
            bound = position_bound(scene, condition.half_width_px)
            for name, method in methods.items():
                tallies[name].add(scene.particles, method(scene), bound)
            for name, method in scored.items():
                weak_rows[name].add(scene.particles, method(scene))
            if observed:
                best.add(scene.particles, observed.result())
                truths.append((scene.particles, bound))
            step()
    if ideal:
        tallies[IDEAL] = _Tally()
        for (particles, bound), rows in zip(truths, best.above_best_threshold(), strict=True):
            tallies[IDEAL].add(particles, rows, bound)
    figures = {name: tally.figures(name) for name, tally in tallies.items()}
    for name, weak in weak_rows.items():
        figures[name] = replace(figures[name], reliability=score_bins(*weak.scores()))
    if ideal:
        least = max(figures[IDEAL].wrong, 1.0)
        figures = {name: replace(each, over_ideal=each.wrong / least) for name, each in figures.items()}
    return ConditionResult(condition, list(figures.values()))


class _ScoredRows:
    """Rows with scores, of all images of a condition, and which of them are particles."""

    def __init__(self) -> None:
        self._rows: list[Rows] = []
        self._is_true: list[npt.NDArray[np.bool_]] = []
        self._particles = 0

    def add(self, particles: Particles, rows: Rows) -> None:
        self._rows.append(rows)
        self._is_true.append(true_rows(rows, particles.x, particles.y))
        self._particles += particles.x.size

    def scores(self) -> tuple[Floats, npt.NDArray[np.bool_]]:
        scores = np.concatenate([rows["score"] for rows in self._rows]).astype(np.float64)
        return scores, np.concatenate(self._is_true)

    def above_best_threshold(self) -> Iterator[Rows]:
        threshold = best_threshold(*self.scores(), self._particles)
        yield from (rows[rows["score"] >= threshold] for rows in self._rows)


class _Tally:
    """Sums one method's rows against the truth, image by image."""

    def __init__(self) -> None:
        self._images = self._particles = self._found = self._rows = 0
        self._isolated = self._isolated_found = self._isolated_false = 0
        self._errors: list[Floats] = []
        """(M, 2 axes, 4): error, x_std, phase, variance of the bound."""

    def add(self, particles: Particles, rows: Rows, bound: Floats) -> None:
        _, x, y, _, _ = particles
        owner = match(rows, x, y)
        found = owner >= 0
        matched = rows[owner[found]]
        axes = [
            np.stack(
                [matched[axis] - truth[found], matched[f"{axis}_std"], (truth[found] + 0.5) % 1, bound[found, n]],
                axis=1,
            )
            for n, (axis, truth) in enumerate((("x", x), ("y", y)))
        ]
        self._errors.append(np.stack(axes, axis=1))
        self._images += 1
        self._particles += x.size
        self._rows += len(rows)
        self._found += int(found.sum())
        isolated = nearest_neighbour(x, y) > ISOLATED_PX
        false = np.setdiff1d(np.arange(len(rows)), owner)
        if x.size:
            nearest = np.hypot(rows["x"][false, None] - x, rows["y"][false, None] - y).argmin(axis=1)
            self._isolated_false += int(isolated[nearest].sum())
        self._isolated += int(isolated.sum())
        self._isolated_found += int((isolated & found).sum())

    def figures(self, method: str) -> Figures:
        error, std, phase, bound = np.moveaxis(np.concatenate(self._errors).astype(np.float64), 2, 0)
        false = self._rows - self._found
        any_found = error.size > 0
        rmse, crlb = _root_mean(error**2), _root_mean(bound)
        ratio = rmse / crlb if any_found else math.nan
        # from the spread of the squared errors, which includes heavy tails
        relative_error = (
            float(np.std(error**2) / np.mean(error**2) / math.sqrt(error.size)) / 2 if any_found else math.nan
        )
        has_std = np.isfinite(std)
        normalized = error[has_std] / std[has_std]
        return Figures(
            method=method,
            images=self._images,
            particles=self._particles,
            recall=self._found / self._particles if self._particles else None,
            f1=_f1(self._found, false, self._particles),
            f1_isolated=_f1(self._isolated_found, self._isolated_false, self._isolated),
            false_per_image=false / self._images,
            rmse_px=_finite(rmse),
            bias_px=_finite(float(np.abs(error.mean(axis=0)).max())) if any_found else None,
            crlb_px=_finite(crlb),
            ratio=_finite(ratio),
            ratio_error=_finite(ratio * relative_error),
            spread=1.4826 * float(np.median(np.abs(normalized))) if has_std.any() else None,
            coverage=float((np.abs(normalized) < _95_PERCENT_STD).mean()) if has_std.any() else None,
            phase_bias=_phase_bias(error, phase, crlb),
        )


def _phase_bias(error: Floats, phase: Floats, crlb: float) -> float | None:
    """Return the largest mean error of the bins, both axes together; 4,000 errors give it to 0.05."""
    index = (phase * _PHASES).astype(int).clip(0, _PHASES - 1)
    bins = [error[index == n] for n in range(_PHASES)]
    if not all(len(errors) >= _MIN_IN_PHASE for errors in bins):
        return None
    return max(abs(float(errors.mean())) for errors in bins) / crlb


def _f1(found: int, false: int, particles: int) -> float | None:
    total = 2 * found + false + (particles - found)
    return 2 * found / total if particles else None


def _root_mean(values: Floats) -> float:
    return math.sqrt(float(values.mean())) if values.size else math.nan


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
