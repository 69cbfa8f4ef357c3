"""The parts of the linking bench, and its targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from livetrack.bench.linking.link_accuracy import LinkAccuracy, link_table, measure_link_accuracy
from livetrack.bench.linking.methods import LIVETRACK, LIVETRACK_VELOCITY, method_names
from livetrack.bench.linking.optimum import PATTERNS, count_optimal
from livetrack.bench.linking.scenes import brownian, directed
from livetrack.bench.linking.speed import COUNTS, MOTIONS, RADIUS_STEPS, FrameTimes, Motion, measure_speed, speed_tables
from livetrack.bench.report import Report
from livetrack.bench.result import Figure, TargetResult, at_least, at_most
from livetrack.bench.runner import Progress, Task, machine, no_progress, run_tasks

__all__ = ["run_linking"]

_PACKAGES = ("numpy", "numba", "scipy", "trackpy", "laptrack")
_REPEATS, _PAIRS = 5, 1000  # scenes per case of "speed"; pairs of frames of "cost"
# Scenes of "links": missed is a fraction, also that of spurious points; the radius is in spacings, memory in frames.
_PARTICLES, _FRAMES, _MISSED, _RADIUS, _MEMORY = 500, 100, 0.05, 1.5, 2
_MIN_CORRECT = {0.3: 0.96, 0.6: 0.85}  # of directed motion, by displacement per frame in spacings


def run_linking(*, quick: bool = False, progress: Progress = no_progress) -> Report:
    """Compare the installed linkers.

    `quick` times one scene instead of five per case, with up to 1,000 particles, and takes an eighth of the pairs of
    frames for the total cost; the part "links" is the same.
    """
    counts, repeats, pairs = (COUNTS[:-1], 1, _PAIRS // 8) if quick else (COUNTS, _REPEATS, _PAIRS)
    speed: list[FrameTimes] = []
    links: list[LinkAccuracy] = []

    def time_frames(motion: Motion, count: int, step: Callable[[], None]) -> Iterator[TargetResult]:
        speed.append(measure_speed(motion, count, repeats=repeats, step=step))
        return _speed_results(speed[-1])

    def count_links() -> Iterator[TargetResult]:
        links.extend(_link_accuracies())
        return _link_results(links)

    cases = [(motion, count) for motion in MOTIONS for count in counts]
    tasks = [Task("speed", "time per frame", repeats, partial(time_frames, *case), repeats) for case in cases]
    tasks.append(Task("cost", "total cost", 1, partial(_cost_results, pairs // len(PATTERNS))))
    tasks.append(Task("links", "correct links", 1, count_links))
    targets = run_tasks(tasks, progress=progress)
    methods = method_names()
    return Report(
        bench="linking",
        machine=machine(*map(_version, _PACKAGES)),
        quick=quick,
        methods=methods,
        targets=targets,
        tables=[*speed_tables(speed, list(methods)), link_table(links)],
        measurements={"speed": speed, "links": links},
    )


def _link_accuracies() -> Iterator[LinkAccuracy]:
    for step in (0.3, 0.6):
        scene = directed(_PARTICLES, _FRAMES, step, missed=_MISSED, seed=1)
        yield measure_link_accuracy("directed", step, scene, _RADIUS, _MEMORY)
    for step in (0.2, 0.5):
        scene = brownian(_PARTICLES, _FRAMES, step, missed=_MISSED, spurious=_MISSED, seed=1)
        yield measure_link_accuracy("Brownian, 5 % spurious", step, scene, _RADIUS, _MEMORY)


def _speed_results(case: FrameTimes) -> Iterator[TargetResult]:
    motion, count = case.motion, case.count
    us = case.p50_us(LIVETRACK)
    if us is None or count < 100:
        return
    name = f"Brownian, {motion.description}, {count:,} particles"
    figures: dict[str, Figure] = {"us": us, "velocity_us": case.p50_us(LIVETRACK_VELOCITY)}
    if not motion.memory and count <= 1000:
        trackpy_us = case.p50_us("trackpy")
        speedup = None if trackpy_us is None else trackpy_us / us
        name += ", against trackpy"
        figures = {"speedup": speedup, "us": us, "trackpy_us": trackpy_us, "velocity_us": figures["velocity_us"]}
        target, met = "at least 40 x faster", None if speedup is None else speedup >= 40
    else:
        limit_us = float(count) if motion.memory else 3000.0
        target, met = f"at most {limit_us:,.0f} µs", at_most(us, limit_us)
    yield TargetResult(
        name=name,
        definition=f"search radius {RADIUS_STEPS:g} rms steps, all methods in turns on each scene, median over their "
        "frames",
        n=case.times[0].frames,
        figures=figures,
        target=target,
        met=met,
    )


def _cost_results(pairs: int) -> Iterator[TargetResult]:
    optimal = {pattern: count_optimal(pattern, pairs) for pattern in PATTERNS}
    yield TargetResult(
        name="optimal total cost",
        definition="cost of the links of random pairs of frames against SciPy's optimum of the augmented matrix",
        n=pairs * len(optimal),
        figures=dict(optimal),
        target="equal in every pair",
        met=all(count == pairs for count in optimal.values()),
    )


def _link_results(links: list[LinkAccuracy]) -> Iterator[TargetResult]:
    for case in links:
        if case.scene != "directed":
            continue
        limit, fraction = _MIN_CORRECT[case.step], case.fractions[LIVETRACK_VELOCITY]
        yield TargetResult(
            name=f"correct links, directed, {case.step:g} spacings per frame",
            definition=f"{_PARTICLES} particles, {_FRAMES} frames, {100 * _MISSED:g} % missed, search radius "
            f"{_RADIUS:g} spacings, memory {_MEMORY}; fraction of the particles seen in two successive frames that "
            "kept their id",
            n=case.pairs,
            figures={"velocity": fraction, "Brownian": case.fractions[LIVETRACK]},
            target=f"at least {limit:.2f}",
            met=at_least(fraction, limit),
        )


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} not installed"
