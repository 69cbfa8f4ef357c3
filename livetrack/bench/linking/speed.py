"""Time for a frame: every method on the same scenes, one method after the other, scene by scene."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
from msgspec import Struct

from livetrack.bench.linking.methods import METHODS, laptrack_movie, method_names
from livetrack.bench.linking.scenes import ObservedFrame, brownian

__all__ = ["COUNTS", "MOTIONS", "RADIUS_STEPS", "FrameTimes", "MethodTime", "Motion", "measure_speed"]

COUNTS = (10, 100, 1000, 10_000)
RADIUS_STEPS = 2.5  # two in a thousand go farther
_WARM = 3  # frames until all have trajectories
_FRAMES = {10: 60, 100: 60, 1000: 40, 10_000: 15}
_LAPTRACK_FRAMES = 8
_MOST = {"SciPy": 1000, "laptrack": 1000}  # particles: beyond, a frame takes seconds


class Motion(Struct, frozen=True):
    """What the particles do."""

    step: float
    """Rms length of a displacement, spacings."""
    missed: float = 0.0
    spurious: float = 0.0
    memory: int = 0


MOTIONS = (Motion(0.2), Motion(0.5, missed=0.02, spurious=0.02, memory=2))


class MethodTime(Struct, frozen=True):
    """Of one method; None where it gave up."""

    method: str
    frames: int
    p50_us: float | None
    p99_us: float | None
    why: str = ""


class FrameTimes(Struct, frozen=True):
    """All methods at one number of particles."""

    motion: Motion
    count: int
    times: list[MethodTime]

    def p50_us(self, method: str) -> float | None:
        """Return the median time of a frame."""
        return next((each.p50_us for each in self.times if each.method == method), None)


def measure_speed(motion: Motion, count: int, *, repeats: int, step: Callable[[], None]) -> FrameTimes:
    """Return the times of all methods that are here, over `repeats` scenes; `step` is called after each."""
    methods = {name: list[float]() for name in method_names() if count <= _MOST.get(name, count)}
    gave_up: dict[str, str] = {}
    for seed in range(repeats):
        scene = brownian(
            count, _FRAMES[count] + _WARM, motion.step, missed=motion.missed, spurious=motion.spurious, seed=seed
        )
        _take_turns(scene, motion, methods, gave_up)
        if "laptrack" in methods:
            methods["laptrack"].append(_laptrack_us(scene[:_LAPTRACK_FRAMES], motion))
        step()
    return FrameTimes(motion, count, [_times(name, us, gave_up.get(name, "")) for name, us in methods.items()])


def _take_turns(
    scene: list[ObservedFrame], motion: Motion, methods: dict[str, list[float]], gave_up: dict[str, str]
) -> None:
    """Add the time of each frame, in µs, to `methods`; note which `gave_up`, and why."""
    for name, (_, make) in METHODS.items():
        if name not in methods or name in gave_up:
            continue
        link = make(RADIUS_STEPS * motion.step, motion.memory)
        for number, frame in enumerate(scene):
            started = time.perf_counter_ns()
            try:
                link(frame.points)
            except Exception as error:  # noqa: BLE001  whatever a peer may raise
                gave_up[name] = type(error).__name__
                break
            if number >= _WARM:
                methods[name].append((time.perf_counter_ns() - started) * 1e-3)


def _laptrack_us(scene: list[ObservedFrame], motion: Motion) -> float:
    movie = [frame.points for frame in scene]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        laptrack_movie(movie[:2], RADIUS_STEPS * motion.step, motion.memory)
        started = time.perf_counter_ns()
        laptrack_movie(movie, RADIUS_STEPS * motion.step, motion.memory)
    return (time.perf_counter_ns() - started) * 1e-3 / len(movie)


def _times(method: str, us: list[float], why: str) -> MethodTime:
    if why or not us:
        return MethodTime(method, len(us), None, None, why)
    return MethodTime(method, len(us), float(np.median(us)), float(np.percentile(us, 99)))
