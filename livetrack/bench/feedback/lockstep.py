"""Variance against gain, in lock-step: what the whole loop does beside what theory says it does."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import structs

from livetrack.bench.feedback.client import LoopPlan
from livetrack.bench.feedback.session import PIXEL_UM, closed_loop, loop_settings
from livetrack.bench.result import TargetResult
from livetrack.calibrate import Medium
from livetrack.control import LoopModel

__all__ = ["CASES", "Case", "Point", "run_case", "stability_result", "variance_error", "variance_result"]

_FPS = 500.0
_BEAD = Medium()
_SETTLED = 60  # frames that are not counted, after the start and after each change of the gain
_TOLERANCE = 0.05
_EDGE = 0.1  # so far from the largest gain, the loop must still hold, or no longer
_AT_EDGE = 1000  # frames


class Case(NamedTuple):
    """A loop, and the gains to close it at."""

    name: str
    formula: str
    model: LoopModel
    """In px and seconds; the localisation error is measured."""
    gains: Sequence[float]

    @property
    def overrides(self) -> list[str]:
        """The settings of the session."""
        model = self.model
        simulated: dict[str, Any] = {
            "fps": _FPS, "exposure_ms": 1e3 * model.exposure_s, "lockstep": True, "await_orders": True,
            "diffusion_um2_s": model.diffusion * PIXEL_UM**2, "actuation_delay_frames": int(model.delay_frames),
            "trap_stiffness_pn_um": _BEAD.stiffness(model.corner_hz),
        }  # fmt: skip
        return loop_settings(**simulated)

    def plan(self, gains: Sequence[float], frames: int) -> LoopPlan:
        """Return what the client is to do."""
        action = self.model.action
        return LoopPlan(
            actuator={"push": "flow", "step": "stage", "trap": "trap"}[action],
            units_per_px=PIXEL_UM * _FPS if action == "push" else PIXEL_UM,
            relative=action == "step",
            gains=gains,
            frames=frames,
        )


class Point(NamedTuple):
    """One gain: variances along one axis, px², the mean of both axes."""

    gain: float
    frames: int
    measured: float
    expected: float
    standard_error: float
    """Of the ratio of the two, by chance alone."""

    @property
    def ratio(self) -> float:
        """Of what was measured to theory."""
        return self.measured / self.expected


def _case(name: str, formula: str, gains: Sequence[float], **model: Any) -> Case:
    loop = LoopModel(interval_s=1 / _FPS, diffusion=_BEAD.diffusion_um2_s / PIXEL_UM**2, **model)
    return Case(name, formula, loop, gains)


CASES = (
    _case("free bead, no delay", "A", (0.3, 0.6, 1.0, 1.5)),
    _case("free bead, one frame of delay", "A", (0.25, 0.4656, 0.7), delay_frames=1),
    _case("free bead moved by the stage, one frame of delay", "A", (0.4656,), delay_frames=1, action="step"),
    _case("free bead, exposed all the time", "B", (0.4, 0.8, 1.2), exposure_s=1 / _FPS),
    _case("trapped bead, 25 Hz, no delay", "C", (1.0, 3.0), corner_hz=25.0, action="trap"),
    _case("trapped bead, 25 Hz, one frame of delay", "C", (0.5, 1.0), corner_hz=25.0, delay_frames=1, action="trap"),
)
"""All that are measured, raw measurements in the loop."""


def run_case(case: Case, frames: int) -> list[Point]:
    """Close the loop at each gain for so many frames; return variances beside those of theory.

    Raises
    ------
    LivetrackError
        The client has failed.
    """
    run = closed_loop(case.overrides, case.plan(case.gains, frames + _SETTLED))
    return [_point(case.model, gain, record[_SETTLED:]) for gain, record in zip(case.gains, run.records, strict=False)]


def variance_result(case: Case, points: list[Point]) -> TargetResult:
    """Return the line of the table of targets."""
    worst = max((abs(point.ratio - 1) for point in points), default=inf)
    figures: dict[str, float | str | None] = {
        f"at {point.gain:g}": f"{point.ratio:.3f} ± {point.standard_error:.3f}" for point in points
    }
    return TargetResult(
        name=f"{case.name}: variance / formula {case.formula}",
        definition="measured variance of the raw positions in the loop over that of theory, by gain; lock-step at "
        f"{_FPS:g} frames/s, 1 µm bead in water, the localisation error that the rows state",
        n=sum(point.frames for point in points),
        figures=figures,
        target="within 5 %",
        met=worst < _TOLERANCE and len(points) == len(case.gains),
    )


def stability_result(case: Case) -> TargetResult:
    """Close the loop below and above the largest gain of theory: the first holds the bead, the second loses it."""
    edge = case.model.max_gain()
    below, above = (
        closed_loop(case.overrides, case.plan([share * edge], _AT_EDGE)) for share in (1 - _EDGE, 1 + _EDGE)
    )
    lost_after = len(above.records[0]) if above.escaped else None
    return TargetResult(
        name=f"{case.name}: where it becomes unstable",
        definition=f"a loop 10 % below the largest stable gain of theory holds the bead for {_AT_EDGE} frames, one "
        "10 % above it swings until the bead is 10 px from the middle",
        n=len(below.records[0]) + len(above.records[0]),
        figures={"largest gain": edge, "lost above it, after frames": lost_after, "lost below it": str(below.escaped)},
        target="only above",
        met=above.escaped and not below.escaped,
    )


def variance_error(model: LoopModel, gain: float, frames: int) -> float:
    """Return the standard error, relative, of a variance from so many frames of both axes of a loop in theory."""
    covariance = model.autocovariance(gain, min(frames, 2000))
    squares = covariance[0] ** 2 + 2 * (covariance[1:] ** 2).sum()
    return sqrt(2 * squares / (2 * frames)) / float(covariance[0])


def _point(model: LoopModel, gain: float, record: npt.NDArray[np.void]) -> Point:
    model = structs.replace(model, error=float(np.sqrt(np.mean(record["std"] ** 2))))
    measured = float((np.mean(record["x"] ** 2) + np.mean(record["y"] ** 2)) / 2)
    expected = model.variances(gain).measured
    return Point(gain, len(record), measured, expected, variance_error(model, gain, len(record)))
