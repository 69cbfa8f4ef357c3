"""The targets of finding: against the ideal observer, the bank of four blurs and the peers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from livetrack.bench.accuracy.conditions import EqualParticles
from livetrack.bench.accuracy.measure import ConditionResult, Figures
from livetrack.bench.accuracy.methods import BANK, FINDING_GRIDS, IDEAL, PEERS
from livetrack.bench.accuracy.recorded_scores import MAX_CALIBRATION_ERROR
from livetrack.bench.accuracy.scores import MIN_SCORE, calibration_error
from livetrack.bench.matching import GATE_PX
from livetrack.bench.result import Figure, TargetResult, at_least, at_most

__all__ = ["finding_results"]

_MAX_GAP, _MAX_MEDIAN_GAP = 0.01, 0.005  # of F1 and recall below the ideal observer
_FALSE_CONDITIONS = ((100, 4), (100, 7), (1000, 4), (1000, 7))  # particles, SNR
_FALSE_FACTOR, _FALSE_MORE = 2.0, 0.2
_AS_MANY = 0.01  # a peer is compared if it finds at least so nearly as many
_NO_FINDER = "Gaussian fit"  # starts at the model's own positions
_MIN_CRYSTAL_F1 = 0.95
_MIN_PAIR_RECALL = 0.95  # over the ideal observer's
_GATE = f"gate {GATE_PX:g} px"

Compared = list[tuple[ConditionResult, Figures, Figures]]
"""Condition, the figures of the method, those of the ideal observer."""


def finding_results(results: Sequence[ConditionResult], method: str, family: str) -> Iterator[TargetResult]:
    """Yield the targets of `family` that `results` allow to judge, for one method."""
    compared = [
        (result, figures, ideal)
        for result in results
        if result.condition.family == family and (figures := result.of(method)) and (ideal := result.of(IDEAL))
    ]
    by_grid = {
        grid: [each for each in compared if each[0].condition.grid == grid]
        for grid in dict.fromkeys(result.condition.grid for result, _, _ in compared)
    }
    yield from _isolated(by_grid.get("finding", []), method)
    yield from _above_bank(compared, method)
    for members in compared:
        yield from _false(*members, method)
    yield from _family(by_grid.get("bead", []), method)
    yield from _crystals(by_grid.get("touching", []), method)
    yield from _pairs(by_grid.get("touching", []), method)
    for grid, several in by_grid.items():
        yield from _reliability(grid, several, method)


def _isolated(compared: Compared, method: str) -> Iterator[TargetResult]:
    if not compared:
        return
    gaps = {result.condition.name: _f1(ideal) - _f1(figures) for result, figures, ideal in compared}
    worst = max(gaps, key=gaps.__getitem__)
    median = statistics.median(gaps.values())
    outside = [name for name, gap in gaps.items() if gap > _MAX_GAP]
    yield TargetResult(
        name=f"{method}: isolated spots against the ideal observer",
        definition=f"F1 of the ideal observer less that of the model, at its threshold; {_GATE}; every condition of "
        "the grid finding",
        n=sum(figures.particles for _, figures, _ in compared),
        figures={
            "max_gap": gaps[worst],
            "median_gap": median,
            "conditions": len(gaps),
            "conditions_outside": len(outside),
            "max_at": worst,
        },
        details={"outside": "; ".join(outside)},
        target=f"F1 within {_MAX_GAP:g} of the ideal observer's in every condition, median within {_MAX_MEDIAN_GAP:g}",
        met=gaps[worst] <= _MAX_GAP and median <= _MAX_MEDIAN_GAP,
    )


def _above_bank(compared: Compared, method: str) -> Iterator[TargetResult]:
    above = {
        result.condition.name: _f1(figures) - _f1(bank)
        for result, figures, _ in compared
        if (bank := result.of(BANK)) and result.condition.grid in FINDING_GRIDS
    }
    if not above:
        return
    worst = min(above, key=above.__getitem__)
    below = [name for name, difference in above.items() if difference < 0]
    yield TargetResult(
        name=f"{method}: never below the bank of four blurs",
        definition=f"F1 of the model less that of the bank; {_GATE}; every condition of the grids "
        f"{', '.join(FINDING_GRIDS)}",
        n=sum(figures.particles for result, figures, _ in compared if result.condition.name in above),
        figures={
            "min_difference": above[worst],
            "conditions": len(above),
            "conditions_below": len(below),
            "min_at": worst,
        },
        details={"below": "; ".join(below)},
        target="F1 at least the bank's in every condition",
        met=not below,
    )


def _false(result: ConditionResult, figures: Figures, ideal: Figures, method: str) -> Iterator[TargetResult]:
    condition = result.condition
    if not (
        isinstance(condition, EqualParticles)
        and condition.grid in ("detection", "density")
        and (condition.count, condition.snr) in _FALSE_CONDITIONS
    ):
        return
    rivals = [each for each in result.figures if each.method in PEERS and each.method != _NO_FINDER]
    as_good = [each for each in rivals if (each.recall or 0) >= (figures.recall or 0) - _AS_MANY]
    limit = _FALSE_FACTOR * ideal.false_per_image + _FALSE_MORE
    values: dict[str, Figure] = {
        "false_per_frame": figures.false_per_image,
        "ideal": ideal.false_per_image,
        "limit": limit,
        "recall": figures.recall,
        "ideal_recall": ideal.recall,
    }
    if rivals:
        best = min(rivals, key=lambda each: each.wrong)
        values |= {"wrong": figures.wrong, "fewest_wrong_of_peers": best.wrong, "fewest_wrong_by": best.method}
    if as_good:
        fewest = min(as_good, key=lambda each: each.false_per_image)
        values |= {"fewest_false_of_peers": fewest.false_per_image, "fewest_false_by": fewest.method}
    yield TargetResult(
        name=f"{method}: false rows, {_subject(result)}",
        definition=f"{condition.definition}; {_GATE}; wrong are missed particles and false rows of all images; false "
        f"rows are compared with those of peers whose recall is at most {_AS_MANY:g} lower",
        n=figures.images,
        figures=values,
        target=f"at most {_FALSE_FACTOR:g} x the ideal observer's + {_FALSE_MORE:g}; no peer has fewer wrong, or fewer "
        "false rows if it finds as many",
        met=figures.false_per_image <= min([limit, *(each.false_per_image for each in as_good)])
        and all(figures.wrong <= each.wrong for each in rivals),
    )


def _family(compared: Compared, method: str) -> Iterator[TargetResult]:
    for each in compared:
        result, figures, ideal = each
        gap = max(_f1(ideal) - _f1(figures), (ideal.recall or 0) - (figures.recall or 0))
        yield TargetResult(
            name=f"{method}: found, {_subject(result)}",
            **_found(*each, ("recall", "ideal_recall", "f1", "ideal_f1", "false_per_frame")),
            target=f"recall and F1 within {_MAX_GAP:g} of the ideal observer's",
            met=gap <= _MAX_GAP,
        )


def _crystals(compared: Compared, method: str) -> Iterator[TargetResult]:
    for each in compared:
        result, figures, _ = each
        if "crystals" in result.condition.name:
            yield TargetResult(
                name=f"{method}: {_subject(result)}",
                **_found(*each, ("f1", "ideal_f1", "recall", "false_per_frame")),
                target=f"F1 at least {_MIN_CRYSTAL_F1:g}",
                met=at_least(figures.f1, _MIN_CRYSTAL_F1),
            )


def _pairs(compared: Compared, method: str) -> Iterator[TargetResult]:
    for each in compared:
        result, figures, ideal = each
        if "pairs" in result.condition.name:
            share = (figures.recall or 0) / ideal.recall if ideal.recall else math.nan
            yield TargetResult(
                name=f"{method}: {_subject(result)}",
                **_found(*each, ("recall", "ideal_recall", "f1", "ideal_f1"), more="; one row for two misses one"),
                target=f"recall at least {_MIN_PAIR_RECALL:g} x the ideal observer's",
                met=share >= _MIN_PAIR_RECALL,
            )


def _found(
    result: ConditionResult, figures: Figures, ideal: Figures, names: Sequence[str], more: str = ""
) -> dict[str, Any]:
    """Return definition, number of particles and the named figures of a target about one condition."""
    known: dict[str, Figure] = {
        "recall": figures.recall,
        "ideal_recall": ideal.recall,
        "f1": figures.f1,
        "ideal_f1": ideal.f1,
        "false_per_frame": figures.false_per_image,
    }
    definition = f"{result.condition.definition}; {_GATE}{more}"
    return {"definition": definition, "n": figures.particles, "figures": {name: known[name] for name in names}}


def _subject(result: ConditionResult) -> str:
    """Return the name of a condition without its grid."""
    return result.condition.name.partition(": ")[2]


def _reliability(grid: str, compared: Compared, method: str) -> Iterator[TargetResult]:
    diagrams = {result.condition.name: figures.reliability for result, figures, _ in compared if figures.reliability}
    if not diagrams:
        return
    error = calibration_error(diagrams.values())
    single = {name: calibration_error([bins]) or 0.0 for name, bins in diagrams.items()}
    worst = max(single, key=single.__getitem__)
    yield TargetResult(
        name=f"{method}: reliability of the scores, grid {grid}",
        definition="expected calibration error: mean of |score - fraction true| over the rows in ten bins of score, "
        f"of all conditions together; rows from {MIN_SCORE:g} on; true is the best row within {GATE_PX:g} px of a "
        "particle",
        n=sum(each.rows for bins in diagrams.values() for each in bins),
        figures={"calibration_error": error, "max_of_a_condition": single[worst], "max_at": worst},
        target=f"at most {MAX_CALIBRATION_ERROR:g}",
        met=at_most(error, MAX_CALIBRATION_ERROR),
    )


def _f1(figures: Figures) -> float:
    return figures.f1 or 0.0
