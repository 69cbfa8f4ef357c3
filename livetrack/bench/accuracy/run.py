"""The accuracy bench: every method on the same images, and what comes of the targets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from livetrack import __version__
from livetrack.bench.accuracy.bound import NUISANCES
from livetrack.bench.accuracy.conditions import Condition
from livetrack.bench.accuracy.grids import grids
from livetrack.bench.accuracy.measure import ConditionResult, measure
from livetrack.bench.accuracy.methods import PEERS, THREADS, Method, network_methods, peers
from livetrack.bench.accuracy.recording import read_frames, robustness
from livetrack.bench.accuracy.reference_values import reference_results
from livetrack.bench.accuracy.report import ConditionReport, Report
from livetrack.bench.accuracy.speed import against_trackpy, small_image_speed
from livetrack.bench.accuracy.targets import target_results
from livetrack.bench.accuracy.trained_particle import FAMILIES, trained_particle
from livetrack.bench.result import TargetResult
from livetrack.bench.runner import check_parts, machine
from livetrack.localize.network import NetworkLocalizer

__all__ = ["PARTS", "run_accuracy"]

PARTS = (*grids(), "training", "recording", "speed")
"""What there is to run, by name."""

_RECORDING = "--recording bulk_water.tif"
_SEARCHERS = ("centroid", "radial symmetry")  # peers that say by themselves how many particles there are
_NEW_PARTICLES = 2000  # at each SNR
_FRAMES, _SPEED_FRAMES, _SPEED_RUNS = 30, 24, 1000


def run_accuracy(
    models: Mapping[str, NetworkLocalizer],
    *,
    only: Collection[str] = PARTS,
    with_peers: bool = True,
    quick: bool = False,
    recording: Path | None = None,
    progress: Callable[[float, str], None] = lambda share, what: None,
) -> Report:
    """Measure `models`, by what they shall be called, on the images of their families.

    Parameters
    ----------
    models
        Those of the families "spot" and "bead" are compared with the other methods; those that users train are
        measured on particles of their own recipes.
    only
        Of `PARTS`.
    with_peers
        Run the other methods on the same images.
    quick
        An eighth of the images.
    recording
        For the parts "recording" and "speed"; without one, their targets are said not to be measured.
    progress
        Called with the share done and the name of what is next.

    Raises
    ------
    UsageError
        A part that is not known.
    InputError
        The recording cannot be read.
    """
    check_parts(only, PARTS)
    frames = read_frames(recording, _FRAMES) if recording else []
    conditions = [
        condition for grid, some in grids().items() if grid in only for condition in some if _for(condition, models)
    ]
    bar = _Bar(conditions, progress)
    results = []
    for condition in conditions:
        methods = _methods(condition, models, with_peers)
        results.append(measure(condition, methods, quick=quick, step=bar.step_of(condition, quick)))
    lines = list(reference_results(results))
    for name, localizer in models.items():
        if localizer.card.family not in FAMILIES:
            lines += target_results(results, name, localizer.card.family)
    share = 8 if quick else 1
    if "training" in only:
        progress(1.0, "particles of users' own")
        lines += _training(models, _NEW_PARTICLES // share)
    if "recording" in only:
        progress(1.0, "the recording made worse")
        lines += _recording(models, frames[: _FRAMES // share])
    if "speed" in only:
        progress(1.0, "speed")
        lines += _speed(models, frames[: _SPEED_FRAMES // share], _SPEED_RUNS // share)
    return Report(
        livetrack=__version__,
        machine=f"{machine()}, networks on {THREADS} threads",
        quick=quick,
        models={name: localizer.card.description for name, localizer in models.items()},
        methods=dict(PEERS) if with_peers else {},
        targets=lines,
        conditions=[_condition_report(result) for result in results],
    )


def _for(condition: Condition, models: Mapping[str, NetworkLocalizer]) -> bool:
    return any(localizer.card.family == condition.family for localizer in models.values())


def _methods(condition: Condition, models: Mapping[str, NetworkLocalizer], with_peers: bool) -> dict[str, Method]:
    """Return the methods for one condition: the models of its family, then their peers."""
    mine = {name: localizer for name, localizer in models.items() if localizer.card.family == condition.family}
    methods: dict[str, Method] = {}
    for name, localizer in mine.items():
        methods |= network_methods(localizer, name)
    if with_peers:
        others = peers(next(iter(mine.values())))
        methods |= {name: others[name] for name in (_SEARCHERS if condition.grid == "empty" else others)}
    return methods


def _training(models: Mapping[str, NetworkLocalizer], count: int) -> list[TargetResult]:
    lines = []
    for family, way in FAMILIES.items():
        mine = [trained_particle(each, name, count) for name, each in models.items() if each.card.family == family]
        target = "at most 1.3 x CRLB after at most 30 minutes"
        missing = _unmeasured(f"a new particle type by {way}", f"--model FILE, of the family {family}", target)
        lines += mine or [missing]
    return lines


def _recording(models: Mapping[str, NetworkLocalizer], frames: Sequence[npt.NDArray[Any]]) -> list[TargetResult]:
    if not frames:
        return [
            _unmeasured("the recording made worse, particles kept", _RECORDING, "at least 0.95"),
            _unmeasured("the recording made worse, differences", _RECORDING, "within 0.8-1.2"),
        ]
    return [line for name, localizer in _beads(models).items() for line in robustness(localizer, name, frames)]


def _speed(models: Mapping[str, NetworkLocalizer], frames: Sequence[npt.NDArray[Any]], runs: int) -> list[TargetResult]:
    compared = {name: localizer for name, localizer in models.items() if localizer.card.family not in FAMILIES}
    lines = [small_image_speed(localizer, name, runs) for name, localizer in compared.items()]
    if not frames:
        return [*lines, _unmeasured("speed on the recording against trackpy", _RECORDING, "at least 3.5 x faster")]
    return lines + [against_trackpy(localizer, name, list(frames)) for name, localizer in _beads(models).items()]


def _beads(models: Mapping[str, NetworkLocalizer]) -> dict[str, NetworkLocalizer]:
    """Return the models for what the recording shows."""
    return {name: localizer for name, localizer in models.items() if localizer.card.family == "bead"}


def _unmeasured(name: str, needs: str, target: str) -> TargetResult:
    return TargetResult(name=name, definition=f"needs {needs}", n=0, figures={}, target=target, met=None)


def _condition_report(result: ConditionResult) -> ConditionReport:
    condition = result.condition
    return ConditionReport(
        name=condition.name,
        grid=condition.grid,
        family=condition.family,
        definition=condition.definition,
        generator=condition.generator,
        nuisances=", ".join(NUISANCES),
        snr=condition.snr,
        figures=result.figures,
    )


class _Bar:
    """The share done, weighed by the pixels that were looked at."""

    def __init__(self, conditions: Sequence[Condition], progress: Callable[[float, str], None]) -> None:
        self._total = sum(condition.images * condition.side_px**2 for condition in conditions) or 1
        self._progress = progress
        self._done = 0.0

    def step_of(self, condition: Condition, quick: bool) -> Callable[[], None]:
        weight = condition.side_px**2 * (8 if quick else 1) / self._total

        def step() -> None:
            self._done += weight
            self._progress(min(self._done, 1.0), condition.name)

        self._progress(min(self._done, 1.0), condition.name)
        return step
