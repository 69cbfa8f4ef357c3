"""The targets of precision, uncertainty and detection, from the results of the conditions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from livetrack.bench.accuracy.bound import NUISANCES
from livetrack.bench.accuracy.conditions import Condition, EqualParticles
from livetrack.bench.accuracy.grids import SPOT_SIGMAS
from livetrack.bench.accuracy.measure import ISOLATED_PX, ConditionResult, Figures
from livetrack.bench.accuracy.reference_values import reference_for
from livetrack.bench.matching import GATE_PX
from livetrack.bench.result import TargetResult, at_least, at_most

__all__ = ["target_results"]

_PRECISE = (
    f"RMSE per axis, bias included, of the particles matched within {GATE_PX:g} px; bound with {', '.join(NUISANCES)} "
    "unknown"
)
_MAX_SPOT_RATIOS = ((4, 100, 1.10), (2, 4, 1.25))  # SNR from, to; RMSE / CRLB
_MAX_BEAD_RATIO = 1.3
_MAX_RISE = 1.15
_MAX_UNEVEN = 1.10
_MIN_F1 = {3.0: 0.90, 4.0: 0.97}  # by SNR
_MAX_FALSE = 0.5
_DENSE, _DENSE_SNR, _MIN_F1_ISOLATED, _MIN_F1_ALL = 1000, 7, 0.97, 0.88
_MIN_FOUND = 200  # under a condition, for a meaningful spread or bias
_EVERY_CONDITION = (
    ("spread of error / x_std", "spread", 0.9, 1.1, "1.4826 x median of |error| / x_std, both axes"),
    ("coverage of 95 %", "coverage", 0.92, 0.98, "fraction of the errors within 1.96 x_std, both axes"),
    ("pixel locking", "phase_bias", 0.0, 0.3, "largest mean error of ten bins of sub-pixel phase, over the CRLB"),
)


def target_results(results: Sequence[ConditionResult], method: str, family: str) -> list[TargetResult]:
    """Return the targets of `family` that `results` allow to judge, for one method."""
    measured = [
        (result.condition, figures)
        for result in results
        if result.condition.family == family and (figures := result.of(method))
    ]
    return [
        *_spots(measured, method),
        *_deeptrack_images(results, method),
        *_uneven_illumination(measured, method),
        *_detection(measured, method),
        *_density(measured, method),
        *_every_condition(measured, method),
    ]


Measured = Sequence[tuple[Condition, Figures]]


def _spots(measured: Measured, method: str) -> Iterator[TargetResult]:
    for noise in ("additive", "Poisson"):
        for sigma in SPOT_SIGMAS:
            for low, high, limit in _MAX_SPOT_RATIOS:
                members = [
                    (condition, figures)
                    for condition, figures in measured
                    if isinstance(condition, EqualParticles)
                    and (condition.grid, condition.size_px, condition.read > 0) == ("spot", sigma, noise == "additive")
                    and low <= condition.snr <= high
                ]
                if not members:
                    continue
                condition, worst = max(members, key=lambda pair: math.inf if pair[1].ratio is None else pair[1].ratio)
                yield TargetResult(
                    name=f"{method}: isolated, sigma {sigma:g} px, {noise} noise, SNR {low}-{high}",
                    definition=f"{condition.definition}; {_PRECISE}; the worst SNR",
                    n=sum(figures.particles for _, figures in members),
                    figures={
                        "ratio": worst.ratio,
                        "standard_error": worst.ratio_error,
                        "at_snr": condition.snr,
                        "recall": worst.recall,
                    },
                    target=f"at most {limit:.2f} x CRLB",
                    met=at_most(worst.ratio, limit),
                )


def _deeptrack_images(results: Sequence[ConditionResult], method: str) -> Iterator[TargetResult]:
    ratios: dict[float, float] = {}
    for result in results:
        condition, figures, radial = result.condition, result.of(method), result.of("radial symmetry")
        if not (reference := reference_for(condition)) or not figures:
            continue
        symmetry = radial.rmse_px if radial and radial.rmse_px else reference.radial_symmetry
        yield TargetResult(
            name=f"{method}: {condition.name.removeprefix('bead: ')}",
            definition=f"{condition.definition}; {_PRECISE}",
            n=figures.particles,
            figures={
                "rmse_px": figures.rmse_px,
                "deeptrack_px": reference.deeptrack,
                "radial_symmetry_px": symmetry,
                "crlb_px": figures.crlb_px,
                "ratio": figures.ratio,
                "recall": figures.recall,
            },
            target=f"below DeepTrack and radial symmetry, at most {_MAX_BEAD_RATIO:g} x CRLB",
            met=at_most(figures.ratio, _MAX_BEAD_RATIO)
            and at_most(figures.rmse_px, min(reference.deeptrack, symmetry)),
        )
        if figures.ratio and condition.name.endswith("gradient 0"):
            ratios[condition.snr] = figures.ratio
    if 50 in ratios and 100 in ratios:
        rise = ratios[100] / ratios[50]
        yield TargetResult(
            name=f"{method}: no floor at SNR 100",
            definition=f"RMSE / CRLB on DeepTrack's images at SNR 100 over that at SNR 50; {_PRECISE}",
            n=sum(
                result.condition.images
                for result in results
                if reference_for(result.condition) and result.condition.snr in (50, 100)
            ),
            figures={"rise": rise, "ratio_50": ratios[50], "ratio_100": ratios[100]},
            target=f"at most {_MAX_RISE:g}",
            met=rise <= _MAX_RISE,
        )


def _uneven_illumination(measured: Measured, method: str) -> Iterator[TargetResult]:
    conditions = {condition.name: (condition, figures) for condition, figures in measured if condition.grid == "light"}
    for name, (condition, figures) in conditions.items():
        family, light, size = name.split(", ")
        if light == "even":
            continue
        even = conditions[f"{family}, even, {size}"][1]
        rise = figures.ratio / even.ratio if figures.ratio and even.ratio else None
        yield TargetResult(
            name=f"{method}: {light}",
            definition=f"{condition.definition}; RMSE / CRLB, which takes the fewer photons into account, over the "
            f"same under even illumination; {_PRECISE}",
            n=figures.particles,
            figures={"rise": rise, "ratio": figures.ratio, "ratio_even": even.ratio, "recall": figures.recall},
            target=f"at most {_MAX_UNEVEN:.2f} x the error under even illumination",
            met=at_most(rise, _MAX_UNEVEN),
        )


def _detection(measured: Measured, method: str) -> Iterator[TargetResult]:
    for condition, figures in measured:
        if condition.grid == "detection" and condition.snr in _MIN_F1:
            yield TargetResult(
                name=f"{method}: {condition.name}",
                definition=f"{condition.definition}; gate {GATE_PX:g} px",
                n=figures.particles,
                figures={"f1": figures.f1, "recall": figures.recall, "false_per_frame": figures.false_per_image},
                target=f"F1 at least {_MIN_F1[condition.snr]:.2f}",
                met=at_least(figures.f1, _MIN_F1[condition.snr]),
            )
        if condition.grid == "empty":
            yield TargetResult(
                name=f"{method}: {condition.name}",
                definition=f"{condition.definition}; rows per frame",
                n=figures.images,
                figures={"false_per_frame": figures.false_per_image},
                target=f"fewer than {_MAX_FALSE:g} per frame",
                met=figures.false_per_image < _MAX_FALSE,
            )


def _density(measured: Measured, method: str) -> Iterator[TargetResult]:
    for condition, figures in measured:
        if not _is_dense(condition):
            continue
        for subset, value, limit in (
            (f"no neighbour within {ISOLATED_PX:g} px", figures.f1_isolated, _MIN_F1_ISOLATED),
            ("all", figures.f1, _MIN_F1_ALL),
        ):
            yield TargetResult(
                name=f"{method}: {_DENSE:,} particles, SNR {_DENSE_SNR}, {subset}",
                definition=f"{condition.definition}; gate {GATE_PX:g} px; a false row belongs to its nearest particle",
                n=figures.particles,
                figures={"f1": value, "recall": figures.recall, "false_per_frame": figures.false_per_image},
                target=f"F1 at least {limit:.2f}",
                met=at_least(value, limit),
            )


def _every_condition(measured: Measured, method: str) -> Iterator[TargetResult]:
    with_target = [(condition, figures) for condition, figures in measured if _has_target(condition)]
    conditions = [
        (condition, figures)
        for condition, figures in with_target
        if (figures.recall or 0) * figures.particles >= _MIN_FOUND
    ]
    for name, attribute, low, high, definition in _EVERY_CONDITION if conditions else ():
        values = {condition.name: getattr(figures, attribute) for condition, figures in conditions}
        defined = {label: value for label, value in values.items() if value is not None}
        outside = [label for label, value in values.items() if value is None or not low <= value <= high]
        lowest, highest = (pick(defined, key=defined.__getitem__, default="none") for pick in (min, max))
        yield TargetResult(
            name=f"{method}: {name}, every condition",
            definition=f"{definition}; particles matched within {GATE_PX:g} px; the conditions of the other "
            f"targets, where at least {_MIN_FOUND} were found",
            n=sum(figures.particles for _, figures in conditions),
            figures={
                "min": defined.get(lowest),
                "min_at": lowest,
                "max": defined.get(highest),
                "max_at": highest,
                "conditions": len(conditions),
                "conditions_with_too_few_found": len(with_target) - len(conditions),
                "conditions_outside": len(outside),
            },
            details={"outside": "; ".join(outside)},
            target=f"within {low:g}-{high:g}" if low else f"at most {high:g}",
            met=not outside,
        )


def _has_target(condition: Condition) -> bool:
    """Return whether one of the other targets includes the condition; the grids extend further."""
    return {
        "spot": 2 <= condition.snr <= 100,
        "bead": reference_for(condition) is not None,
        "light": True,
        "detection": condition.snr in _MIN_F1,
        "density": _is_dense(condition),
    }.get(condition.grid, False)


def _is_dense(condition: Condition) -> bool:
    return (
        isinstance(condition, EqualParticles)
        and condition.grid == "density"
        and (condition.count, condition.snr) == (_DENSE, _DENSE_SNR)
    )
