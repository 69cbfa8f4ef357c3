"""The parts of the accuracy bench."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from livetrack.bench.accuracy.blur_bank import blur_bank
from livetrack.bench.accuracy.conditions import Condition, image_count
from livetrack.bench.accuracy.displacements import displacement_errors
from livetrack.bench.accuracy.finding_targets import finding_results
from livetrack.bench.accuracy.grids import grids
from livetrack.bench.accuracy.measure import ConditionResult, measure_condition
from livetrack.bench.accuracy.methods import (
    BANK,
    FINDING_GRIDS,
    LIMITS,
    PEERS,
    THREADS,
    Method,
    finders,
    ideal_method,
    network_methods,
    peers,
    with_weak_rows,
)
from livetrack.bench.accuracy.recorded_scores import MAX_CALIBRATION_ERROR, recorded_scores
from livetrack.bench.accuracy.recording import read_frames, robustness
from livetrack.bench.accuracy.reference_values import reference_results
from livetrack.bench.accuracy.speed import small_image_speed, speed_against_trackpy
from livetrack.bench.accuracy.tables import condition_report, grid_tables
from livetrack.bench.accuracy.targets import target_results
from livetrack.bench.accuracy.trained_particle import FAMILIES, trained_particle
from livetrack.bench.report import Report
from livetrack.bench.result import TargetResult, not_measured
from livetrack.bench.runner import Progress, Task, check_parts, machine, no_progress, run_tasks
from livetrack.localize.network import NetworkLocalizer

__all__ = ["PARTS", "run_accuracy"]

_ROBUSTNESS = {
    "the degraded recording, particles kept": "at least 0.95",
    "the degraded recording, differences": "within 0.8-1.2",
}
_DISPLACEMENTS = {
    "the recording, MSD intercept": "at most 0.009 px²",
    "the recording, squared error": "at most 0 px²",
}
_SCORES = {"the recording, reliability of the scores": f"at most {MAX_CALIBRATION_ERROR:g}"}

Models = Mapping[str, NetworkLocalizer]
Frames = Sequence[npt.NDArray[Any]]

PARTS = (*grids(), "training", "recording", "speed")

_RECORDING = "--recording bulk_water.tif"
_SEARCHERS = ("centroid", "radial symmetry")  # peers that determine the number of particles themselves
_TRAINED_PARTICLES = 2000  # at each SNR
_FRAMES, _SUCCESSIVE_FRAMES, _SPEED_FRAMES, _SPEED_RUNS = 30, 60, 24, 1000
_PART_WEIGHT = 2e7  # duration of a part without conditions, in pixels of the others
_QUICK = 8


def run_accuracy(
    models: Models,
    *,
    only: Collection[str] = PARTS,
    with_peers: bool = True,
    quick: bool = False,
    recording: Path | None = None,
    progress: Progress = no_progress,
) -> Report:
    """Measure `models`, by name, on the images of their families, and users' models on particles of their recipes.

    `only` names parts; `with_peers` runs the other methods too; `quick` takes an eighth of the images. Without a
    `recording`, the targets that need it are reported as not measured.

    Raises
    ------
    UsageError
        Unknown part.
    InputError
        The recording cannot be read.
    """
    check_parts(only, PARTS)
    frames = read_frames(recording, _FRAMES) if recording else []
    successive = read_frames(recording, _SUCCESSIVE_FRAMES, successive=True) if recording else []
    divisor = _QUICK if quick else 1
    results: list[ConditionResult] = []

    def measure(condition: Condition, step: Callable[[], None]) -> list[TargetResult]:
        methods, ideal = _methods(condition, models, with_peers), ideal_method(condition)
        scored = {name: with_weak_rows(localizer) for name, localizer in _suited(condition, models)} if ideal else {}
        results.append(measure_condition(condition, methods, ideal=ideal, scored=scored, quick=quick, step=step))
        return []

    tasks = []
    for grid, conditions in grids().items():
        for condition in conditions:
            if any(localizer.card.family == condition.family for localizer in models.values()):
                images = image_count(condition, quick)
                weight = images * condition.side_px**2
                tasks.append(Task(grid, condition.name, weight, partial(measure, condition), images))
    robust_frames, speed_frames = frames[: _FRAMES // divisor], frames[: _SPEED_FRAMES // divisor]
    training = partial(_training, models, _TRAINED_PARTICLES // divisor)
    speed = partial(_speed, models, speed_frames, _SPEED_RUNS // divisor)
    degraded = partial(_recording, models, robust_frames, robustness, _ROBUSTNESS)
    displacements = partial(_recording, models, successive, displacement_errors, _DISPLACEMENTS)
    scores = partial(_recording, models, successive, recorded_scores, _SCORES)
    part_weight = _PART_WEIGHT / divisor
    tasks.append(Task("training", "users' particles", part_weight, training))
    tasks.append(Task("recording", "the degraded recording", part_weight, degraded))
    tasks.append(Task("recording", "displacements", part_weight, displacements))
    tasks.append(Task("recording", "scores", part_weight, scores))
    tasks.append(Task("speed", "speed", part_weight, speed))
    targets = run_tasks(tasks, only=only, progress=progress)
    compared = [
        result
        for name, localizer in models.items()
        if localizer.card.family not in FAMILIES
        for judge in (target_results, finding_results)
        for result in judge(results, name, localizer.card.family)
    ]
    descriptions = {name: localizer.card.description for name, localizer in models.items()}
    reports = [condition_report(result) for result in results]
    return Report(
        bench="accuracy",
        machine=machine(f"networks on {THREADS} threads"),
        quick=quick,
        methods=descriptions | LIMITS | (PEERS if with_peers else {}),
        targets=[*reference_results(results), *compared, *targets],
        tables=list(grid_tables(reports)),
        measurements={"conditions": reports},
    )


def _suited(condition: Condition, models: Models) -> list[tuple[str, NetworkLocalizer]]:
    """Return the models of the condition's family."""
    return [(name, localizer) for name, localizer in models.items() if localizer.card.family == condition.family]


def _methods(condition: Condition, models: Models, with_peers: bool) -> dict[str, Method]:
    """Return the models of the condition's family, and what they are compared with."""
    suited = _suited(condition, models)
    methods: dict[str, Method] = {}
    for name, localizer in suited:
        methods |= network_methods(localizer, name, alone=condition.grid not in ("finding", "touching"))
    if condition.grid in FINDING_GRIDS:
        methods[BANK] = blur_bank
    if with_peers:
        available = peers(suited[0][1])
        methods |= {name: available[name] for name in (_SEARCHERS if condition.grid == "empty" else available)}
        if condition.grid in FINDING_GRIDS:
            methods |= finders()
    return methods


def _training(models: Models, count: int) -> Iterator[TargetResult]:
    for family, source in FAMILIES.items():
        suited = {name: localizer for name, localizer in models.items() if localizer.card.family == family}
        for name, localizer in suited.items():
            yield trained_particle(localizer, name, count)
        if not suited:
            target = "at most 1.3 x CRLB after at most 30 minutes"
            needs = f"--model FILE, of the family {family}"
            yield not_measured(f"a new particle type by {source}", target, needs=needs)


def _recording(
    models: Models, frames: Frames, measure: Callable[..., Iterable[TargetResult]], targets: dict[str, str]
) -> Iterator[TargetResult]:
    """Yield what `measure` finds of each bead model on frames of the recording, or that its `targets` were not."""
    if frames:
        for name, localizer in _bead_models(models).items():
            yield from measure(localizer, name, frames)
    else:
        for name, target in targets.items():
            yield not_measured(name, target, needs=_RECORDING)


def _speed(models: Models, frames: Frames, runs: int) -> Iterator[TargetResult]:
    for name, localizer in models.items():
        if localizer.card.family not in FAMILIES:
            yield small_image_speed(localizer, name, runs)
    if frames:
        for name, localizer in _bead_models(models).items():
            yield speed_against_trackpy(localizer, name, list(frames))
    else:
        yield not_measured("speed on the recording against trackpy", "at least 3.5 x faster", needs=_RECORDING)


def _bead_models(models: Models) -> dict[str, NetworkLocalizer]:
    """Return the models for the particles of the recording."""
    return {name: localizer for name, localizer in models.items() if localizer.card.family == "bead"}
