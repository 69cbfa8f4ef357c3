"""The whole bench, and what comes of the targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from msgspec import Struct

from livetrack import __version__
from livetrack.bench.linking.link_accuracy import LinkAccuracy, measure_link_accuracy
from livetrack.bench.linking.methods import LIVETRACK, LIVETRACK_VELOCITY, method_names
from livetrack.bench.linking.optimum import PATTERNS, count_optimal
from livetrack.bench.linking.scenes import brownian, directed
from livetrack.bench.linking.speed import COUNTS, MOTIONS, RADIUS_STEPS, FrameTimes, measure_speed
from livetrack.bench.result import TargetResult
from livetrack.bench.runner import machine

__all__ = ["LinkingReport", "run_linking"]

_CASES = 1000
_PARTICLES, _FRAMES, _MISSED, _RADIUS, _MEMORY = 500, 100, 0.05, 1.5, 2


class LinkingReport(Struct, frozen=True):
    """All that was measured in one run."""

    livetrack: str
    machine: str
    versions: dict[str, str]
    quick: bool
    methods: dict[str, str]
    targets: list[TargetResult]
    speed: list[FrameTimes]
    links: list[LinkAccuracy]


def run_linking(
    *, quick: bool = False, progress: Callable[[float, str], None] = lambda share, what: None
) -> LinkingReport:
    """Measure the linkers that are installed.

    Parameters
    ----------
    quick
        One scene of each kind instead of five, and up to 1,000 particles: a look, no verdict.
    progress
        Called with the share done and the name of what is next.
    """
    counts, repeats, cases = (COUNTS[:-1], 1, _CASES // 8) if quick else (COUNTS, 5, _CASES)
    done, total = 0, len(MOTIONS) * len(counts) * repeats + 2

    def step() -> None:
        nonlocal done
        done += 1
        progress(done / total, "time for a frame")

    progress(0.0, "time for a frame")
    speed = [measure_speed(motion, count, repeats=repeats, step=step) for motion in MOTIONS for count in counts]
    progress(done / total, "correct links")
    links = [*_all_links()]
    progress(1 - 1 / total, "the least cost")
    optimal = {kind: count_optimal(kind, cases // len(PATTERNS)) for kind in PATTERNS}
    return LinkingReport(
        livetrack=__version__,
        machine=machine(),
        versions=_versions("numpy", "numba", "scipy", "trackpy", "laptrack"),
        quick=quick,
        methods=method_names(),
        targets=[*_speed_lines(speed), _optimal_line(optimal, cases // len(PATTERNS)), *_link_lines(links)],
        speed=speed,
        links=links,
    )


def _all_links() -> Iterator[LinkAccuracy]:
    for step in (0.3, 0.6):
        scene = directed(_PARTICLES, _FRAMES, step, missed=_MISSED, seed=1)
        yield measure_link_accuracy("directed", step, scene, _RADIUS, _MEMORY)
    for step in (0.2, 0.5):
        scene = brownian(_PARTICLES, _FRAMES, step, missed=_MISSED, spurious=_MISSED, seed=1)
        yield measure_link_accuracy("Brownian, 5 % spurious", step, scene, _RADIUS, _MEMORY)


_TURNS = f"search radius {RADIUS_STEPS:g} rms steps, all methods in turns on each scene, median over their frames"


def _speed_lines(speed: list[FrameTimes]) -> Iterator[TargetResult]:
    for case in speed:
        motion, count = case.motion, case.count
        ours, settings = case.p50_us(LIVETRACK), case.p50_us(LIVETRACK_VELOCITY)
        frames = case.times[0].frames
        if ours is None or count < 100:
            continue
        if not motion.memory and count <= 1000:
            theirs = case.p50_us("trackpy")
            faster = None if theirs is None else theirs / ours
            yield TargetResult(
                name=f"Brownian, step {motion.step:g}, {count:,} particles, against trackpy",
                definition=_TURNS, n=frames,
                figures={"faster": faster, "us": ours, "trackpy_us": theirs, "velocity_us": settings},
                target="at least 40 x faster", met=None if faster is None else faster >= 40,
            )  # fmt: skip
            continue
        most = float(count) if motion.memory else 3000.0
        lossy = ", 2 % missed, 2 % spurious, memory 2" if motion.memory else ""
        yield TargetResult(
            name=f"Brownian, step {motion.step:g}{lossy}, {count:,} particles",
            definition=_TURNS, n=frames, figures={"us": ours, "velocity_us": settings},
            target=f"at most {most:,.0f} µs", met=ours <= most,
        )  # fmt: skip


def _optimal_line(optimal: dict[str, int], cases: int) -> TargetResult:
    return TargetResult(
        name="the least cost",
        definition="cost of the links of random pairs of frames against SciPy's optimum of the augmented matrix",
        n=cases * len(optimal),
        figures=dict(optimal),
        target="equal in every case",
        met=all(good == cases for good in optimal.values()),
    )


def _link_lines(links: list[LinkAccuracy]) -> Iterator[TargetResult]:
    least = {("directed", 0.3): 0.96, ("directed", 0.6): 0.85}
    for each in links:
        if (target := least.get((each.scene, each.step))) is None:
            continue
        share = each.fractions[LIVETRACK_VELOCITY]
        yield TargetResult(
            name=f"correct links, directed, {each.step:g} spacings a frame",
            definition=f"{_PARTICLES} particles, {_FRAMES} frames, {_MISSED:.0%} missed, search radius {_RADIUS:g} "
            f"spacings, memory {_MEMORY}; of particles seen in two frames in succession, the share that kept their id",
            n=each.pairs,
            figures={"velocity": share, "Brownian": each.fractions[LIVETRACK]},
            target=f"at least {target:.2f}",
            met=share is not None and share >= target,
        )


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
