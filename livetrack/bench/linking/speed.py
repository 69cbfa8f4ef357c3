"""Time per frame of each linker, all on the same scenes, one method after the other, scene by scene."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from msgspec import Struct

from livetrack.bench.linking.methods import METHODS, laptrack_movie, method_names
from livetrack.bench.linking.scenes import ObservedFrame, brownian
from livetrack.bench.report import Table
from livetrack.bench.result import format_figure

__all__ = ["COUNTS", "MOTIONS", "RADIUS_STEPS", "FrameTimes", "MethodTime", "Motion", "measure_speed", "speed_tables"]

COUNTS = (10, 100, 1000, 10_000)
RADIUS_STEPS = 2.5  # two in a thousand displacements are longer
_WARM_UP = 3  # frames until every particle has a track
_FRAMES = {10: 60, 100: 60, 1000: 40, 10_000: 15}
_LAPTRACK_FRAMES = 8
_MAX_COUNT = {"SciPy": 1000, "laptrack": 1000}  # with more particles a frame takes seconds


class Motion(Struct, frozen=True):
    """Brownian motion and imperfect localisation."""

    step: float
    """Rms displacement per frame, spacings."""
    missed: float = 0.0
    spurious: float = 0.0
    memory: int = 0

    @property
    def description(self) -> str:
        """The motion in words."""
        lossy = f", {100 * self.missed:g} % missed, {100 * self.spurious:g} % spurious, memory {self.memory}"
        return f"rms step {self.step:g} spacings{lossy if self.memory else ''}"


MOTIONS = (Motion(0.2), Motion(0.5, missed=0.02, spurious=0.02, memory=2))


class MethodTime(Struct, frozen=True):
    """Time per frame of one method; None if it raised."""

    method: str
    frames: int
    p50_us: float | None
    p99_us: float | None
    error: str = ""

    def __str__(self) -> str:
        if self.p50_us is None or self.p99_us is None:
            return f"raises {self.error}"
        return f"{format_figure(self.p50_us)} / {format_figure(self.p99_us)}"


class FrameTimes(Struct, frozen=True):
    """Times of all methods for one number of particles."""

    motion: Motion
    count: int
    times: list[MethodTime]

    def p50_us(self, method: str) -> float | None:
        """Return the median time per frame of a method, None if there is none."""
        return next((time.p50_us for time in self.times if time.method == method), None)


def measure_speed(motion: Motion, count: int, *, repeats: int, step: Callable[[], None]) -> FrameTimes:
    """Time all installed methods on `repeats` scenes; `step` is called after each scene."""
    times_us = {name: list[float]() for name in method_names() if count <= _MAX_COUNT.get(name, count)}
    errors: dict[str, str] = {}
    for seed in range(repeats):
        scene = brownian(
            count, _FRAMES[count] + _WARM_UP, motion.step, missed=motion.missed, spurious=motion.spurious, seed=seed
        )
        for name in METHODS:
            if name in times_us and name not in errors:
                times_us[name] += _link_scene(name, scene, motion, errors)
        if "laptrack" in times_us:
            times_us["laptrack"].append(_laptrack_us(scene[:_LAPTRACK_FRAMES], motion))
        step()
    return FrameTimes(motion, count, [_summary(name, us, errors.get(name, "")) for name, us in times_us.items()])


def speed_tables(speed: Sequence[FrameTimes], methods: Sequence[str]) -> Iterator[Table]:
    """Yield a table for each motion, a row per number of particles."""
    for motion in MOTIONS:
        rows = []
        for case in speed:
            if case.motion == motion:
                by_name = {time.method: str(time) for time in case.times}
                rows.append([f"{case.count:,}", *(by_name.get(name, "not tried") for name in methods)])
        yield Table(f"Time per frame, p50 / p99, µs: Brownian, {motion.description}", ("particles", *methods), rows)


def _link_scene(name: str, scene: list[ObservedFrame], motion: Motion, errors: dict[str, str]) -> list[float]:
    """Return the time of each frame after the warm-up, µs; put an exception's name into `errors`."""
    link = METHODS[name][1](RADIUS_STEPS * motion.step, motion.memory)
    times = []
    for number, frame in enumerate(scene):
        start_ns = time.perf_counter_ns()
        try:
            link(frame.points)
        except Exception as error:  # noqa: BLE001  a peer may raise anything
            errors[name] = type(error).__name__
            break
        if number >= _WARM_UP:
            times.append((time.perf_counter_ns() - start_ns) * 1e-3)
    return times


def _laptrack_us(scene: list[ObservedFrame], motion: Motion) -> float:
    movie = [frame.points for frame in scene]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        laptrack_movie(movie[:2], RADIUS_STEPS * motion.step, motion.memory)
        start_ns = time.perf_counter_ns()
        laptrack_movie(movie, RADIUS_STEPS * motion.step, motion.memory)
    return (time.perf_counter_ns() - start_ns) * 1e-3 / len(movie)


def _summary(method: str, us: list[float], error: str) -> MethodTime:
    if error or not us:
        return MethodTime(method, len(us), None, None, error)
    return MethodTime(method, len(us), float(np.median(us)), float(np.percentile(us, 99)))
