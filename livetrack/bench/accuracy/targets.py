"""The targets that the conditions answer, a line each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from livetrack.bench.accuracy.bound import NUISANCES
from livetrack.bench.accuracy.conditions import Condition, Fields
from livetrack.bench.accuracy.grids import SPOT_SIGMAS
from livetrack.bench.accuracy.measure import ISOLATED_PX, ConditionResult, Figures
from livetrack.bench.accuracy.reference_values import reference_for
from livetrack.bench.matching import GATE_PX
from livetrack.bench.result import TargetResult

__all__ = ["target_results"]

_PRECISE = (
    f"RMSE per axis, bias included, of the particles matched within {GATE_PX:g} px; bound with {', '.join(NUISANCES)} "
    "unknown"
)
_SPOTS = ((4, 100, 1.10), (2, 4, 1.25))  # SNR from, to; RMSE / CRLB
_BEADS = 1.3
_FLOOR = 1.15
_UNEVEN = 1.10
_FOUND = {3.0: 0.90, 4.0: 0.97}  # F1 by SNR
_FALSE = 0.5
_CROWD, _CROWD_ISOLATED, _CROWD_ALL = 1000, 0.97, 0.88
_LEAST_FOUND = 200  # in a condition: fewer say nothing of a spread or a bias
_EVERY_CONDITION = (
    ("spread of error / x_std", "spread", 0.9, 1.1, "1.4826 x median of |error| / x_std, both axes"),
    ("coverage of 95 %", "coverage", 0.92, 0.98, "share of the errors within 1.96 x_std, both axes"),
    ("pixel locking", "phase_bias", 0.0, 0.3, "largest mean error of ten bins of sub-pixel phase, over the CRLB"),
)


def target_results(results: Sequence[ConditionResult], method: str, family: str) -> list[TargetResult]:
    """Return every target of `family` that `results` answer, for one method."""
    reached = [
        (each.condition, figures)
        for each in results
        if each.condition.family == family and (figures := each.of(method))
    ]
    return [
        *_spots(reached, method),
        *_deeptracks_images(results, method),
        *_uneven_light(reached, method),
        *_detection(reached, method),
        *_density(reached, method),
        *_every_condition(reached, method),
    ]


Reached = Sequence[tuple[Condition, Figures]]


def _spots(reached: Reached, method: str) -> Iterator[TargetResult]:
    for noise in ("additive", "Poisson"):
        for sigma in SPOT_SIGMAS:
            for low, high, most in _SPOTS:
                some = [
                    (condition, figures)
                    for condition, figures in reached
                    if isinstance(condition, Fields)
                    and (condition.grid, condition.size_px, condition.read > 0) == ("spot", sigma, noise == "additive")
                    and low <= condition.snr <= high
                ]
                if not some:
                    continue
                condition, worst = max(some, key=lambda pair: math.inf if pair[1].ratio is None else pair[1].ratio)
                yield TargetResult(
                    name=f"{method}: isolated, sigma {sigma:g} px, {noise} noise, SNR {low}-{high}",
                    definition=f"{condition.definition}; {_PRECISE}; the worst SNR",
                    n=sum(figures.particles for _, figures in some),
                    figures={
                        "ratio": worst.ratio,
                        "standard_error": worst.ratio_error,
                        "at_snr": condition.snr,
                        "recall": worst.recall,
                    },
                    target=f"at most {most:.2f} x CRLB",
                    met=_at_most(worst.ratio, most),
                )


def _deeptracks_images(results: Sequence[ConditionResult], method: str) -> Iterator[TargetResult]:
    ratios: dict[float, float] = {}
    for result in results:
        condition, figures, radial = result.condition, result.of(method), result.of("radial symmetry")
        if not (known := reference_for(condition)) or not figures:
            continue
        symmetry = radial.rmse_px if radial and radial.rmse_px else known.radial_symmetry
        yield TargetResult(
            name=f"{method}: {condition.name.removeprefix('bead: ')}",
            definition=f"{condition.definition}; {_PRECISE}",
            n=figures.particles,
            figures={
                "rmse_px": figures.rmse_px,
                "deeptrack_px": known.deeptrack,
                "radial_symmetry_px": symmetry,
                "crlb_px": figures.crlb_px,
                "ratio": figures.ratio,
                "recall": figures.recall,
            },
            target=f"below DeepTrack and radial symmetry, at most {_BEADS:g} x CRLB",
            met=_at_most(figures.ratio, _BEADS) and _at_most(figures.rmse_px, min(known.deeptrack, symmetry)),
        )
        if figures.ratio and condition.name.endswith("gradient 0"):
            ratios[condition.snr] = figures.ratio
    if 50 in ratios and 100 in ratios:
        rise = ratios[100] / ratios[50]
        yield TargetResult(
            name=f"{method}: no floor at SNR 100",
            definition=f"RMSE / CRLB on DeepTrack's images at SNR 100 over that at SNR 50; {_PRECISE}",
            n=sum(
                each.condition.images
                for each in results
                if reference_for(each.condition) and each.condition.snr in (50, 100)
            ),
            figures={"rise": rise, "ratio_50": ratios[50], "ratio_100": ratios[100]},
            target=f"at most {_FLOOR:g}",
            met=rise <= _FLOOR,
        )


def _uneven_light(reached: Reached, method: str) -> Iterator[TargetResult]:
    conditions = {condition.name: (condition, figures) for condition, figures in reached if condition.grid == "light"}
    for name, (condition, figures) in conditions.items():
        family, light, size = name.split(", ")
        if light == "even":
            continue
        even = conditions[f"{family}, even, {size}"][1]
        worse = figures.ratio / even.ratio if figures.ratio and even.ratio else None
        yield TargetResult(
            name=f"{method}: {light}",
            definition=f"{condition.definition}; RMSE / CRLB, which knows the photons that are left, over the same "
            f"under even light; {_PRECISE}",
            n=figures.particles,
            figures={"worse": worse, "ratio": figures.ratio, "ratio_even": even.ratio, "recall": figures.recall},
            target=f"at most {_UNEVEN:.2f} x the error under even light",
            met=_at_most(worse, _UNEVEN),
        )


def _detection(reached: Reached, method: str) -> Iterator[TargetResult]:
    for condition, figures in reached:
        if condition.grid == "detection" and condition.snr in _FOUND:
            yield TargetResult(
                name=f"{method}: {condition.name}",
                definition=f"{condition.definition}; gate {GATE_PX:g} px",
                n=figures.particles,
                figures={"f1": figures.f1, "recall": figures.recall, "false_per_frame": figures.false_per_image},
                target=f"F1 at least {_FOUND[condition.snr]:.2f}",
                met=_at_least(figures.f1, _FOUND[condition.snr]),
            )
        if condition.grid == "empty":
            yield TargetResult(
                name=f"{method}: {condition.name}",
                definition=f"{condition.definition}; rows per frame",
                n=figures.images,
                figures={"false_per_frame": figures.false_per_image},
                target=f"fewer than {_FALSE:g} per frame",
                met=figures.false_per_image < _FALSE,
            )


def _density(reached: Reached, method: str) -> Iterator[TargetResult]:
    for condition, figures in reached:
        if not (isinstance(condition, Fields) and condition.grid == "density" and condition.count == _CROWD):
            continue
        for what, value, least in (
            (f"no neighbour within {ISOLATED_PX:g} px", figures.f1_isolated, _CROWD_ISOLATED),
            ("all", figures.f1, _CROWD_ALL),
        ):
            yield TargetResult(
                name=f"{method}: {_CROWD:,} particles, SNR 7, {what}",
                definition=f"{condition.definition}; gate {GATE_PX:g} px; a false row belongs to its nearest particle",
                n=figures.particles,
                figures={"f1": value, "recall": figures.recall, "false_per_frame": figures.false_per_image},
                target=f"F1 at least {least:.2f}",
                met=_at_least(value, least),
            )


def _every_condition(reached: Reached, method: str) -> Iterator[TargetResult]:
    named = [(condition, figures) for condition, figures in reached if _in_the_table(condition)]
    conditions = [
        (condition, figures)
        for condition, figures in named
        if (figures.recall or 0) * figures.particles >= _LEAST_FOUND
    ]
    for what, attribute, low, high, definition in _EVERY_CONDITION if conditions else ():
        values = {condition.name: getattr(figures, attribute) for condition, figures in conditions}
        known = {name: value for name, value in values.items() if value is not None}
        out = [name for name, value in values.items() if value is None or not low <= value <= high]
        lowest, highest = (pick(known, key=known.__getitem__, default="none") for pick in (min, max))
        yield TargetResult(
            name=f"{method}: {what}, every condition",
            definition=f"{definition}; particles matched within {GATE_PX:g} px; the conditions that the other targets "
            f"name, where at least {_LEAST_FOUND} were found",
            n=sum(figures.particles for _, figures in conditions),
            figures={
                "lowest": known.get(lowest),
                "lowest_at": lowest,
                "highest": known.get(highest),
                "highest_at": highest,
                "conditions": len(conditions),
                "conditions_with_too_few_found": len(named) - len(conditions),
                "conditions_out": len(out),
                "out": "; ".join(out),
            },
            target=f"within {low:g}-{high:g}" if low else f"at most {high:g}",
            met=not out,
        )


def _in_the_table(condition: Condition) -> bool:
    """Return whether one of the other targets names the condition: the grids go on beyond."""
    return {
        "spot": 2 <= condition.snr <= 100,
        "bead": reference_for(condition) is not None,
        "light": True,
        "detection": condition.snr in _FOUND,
        "density": isinstance(condition, Fields) and condition.count == _CROWD,
    }.get(condition.grid, False)


def _at_most(value: float | None, most: float) -> bool:
    return value is not None and value <= most


def _at_least(value: float | None, least: float) -> bool:
    return value is not None and value >= least
