"""Variance against gain in lock-step, and the limit of stability, compared with theory."""

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

__all__ = ["CASES", "Case", "Point", "run_case", "stability_results", "variance_error", "variance_results"]

_FPS = 500.0
_BEAD = Medium()
_SETTLE_FRAMES = 60  # left out at the start and after each change of the gain
_TOLERANCE = 0.05
_LIMIT_MARGIN = 0.1  # relative distance from the largest stable gain at which the loop must hold or fail
_LIMIT_FRAMES = 1000


class Case(NamedTuple):
    """A loop, and the gains at which it is closed."""

    name: str
    formula: str
    model: LoopModel
    """In px and seconds; the localisation error is measured."""
    gains: Sequence[float]

    @property
    def overrides(self) -> list[str]:
        """The settings of the session."""
        model = self.model
        return loop_settings(
            fps=_FPS, exposure_ms=1e3 * model.exposure_s, lockstep=True, await_orders=True,
            diffusion_um2_s=model.diffusion * PIXEL_UM**2, actuation_delay_frames=int(model.delay_frames),
            trap_stiffness_pn_um=_BEAD.stiffness(model.corner_hz),
        )  # fmt: skip

    def plan(self, gains: Sequence[float], frames: int) -> LoopPlan:
        """Return the instructions for the client."""
        action = self.model.action
        return LoopPlan(
            actuator={"push": "flow", "step": "stage", "trap": "trap"}[action],
            units_per_px=PIXEL_UM * _FPS if action == "push" else PIXEL_UM,
            relative=action == "step",
            gains=gains,
            frames=frames,
        )


class Point(NamedTuple):
    """One gain: variances along one axis, px², averaged over both axes."""

    gain: float
    frames: int
    measured: float
    expected: float
    standard_error: float
    """Of `ratio`, from the finite number of frames."""

    @property
    def ratio(self) -> float:
        """Measured over expected variance."""
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
"""All cases; the controller gets the raw measurements."""


def run_case(case: Case, frames: int) -> list[Point]:
    """Close the loop at each gain for that many frames.

    Raises
    ------
    LivetrackError
        The client failed.
    """
    records = closed_loop(case.overrides, case.plan(case.gains, frames + _SETTLE_FRAMES)).records
    return [
        _point(case.model, gain, record[_SETTLE_FRAMES:]) for gain, record in zip(case.gains, records, strict=False)
    ]


def variance_results(case: Case, frames: int) -> list[TargetResult]:
    """Compare the variance with theory at each gain."""
    points = run_case(case, frames)
    worst = max((abs(point.ratio - 1) for point in points), default=inf)
    return [
        TargetResult(
            name=f"{case.name}: variance / formula {case.formula}",
            definition="measured variance of the raw positions in the loop over that of theory, by gain; lock-step at "
            f"{_FPS:g} frames/s, 1 µm bead in water, localisation error as given by x_std",
            n=sum(point.frames for point in points),
            figures={f"at {point.gain:g}": f"{point.ratio:.3f} ± {point.standard_error:.3f}" for point in points},
            target="within 5 %",
            met=worst < _TOLERANCE and len(points) == len(case.gains),
        )
    ]


def stability_results(case: Case) -> list[TargetResult]:
    """Close the loop just below and just above the largest stable gain of theory: only the second loses the bead."""
    limit = case.model.max_gain()
    gains = (1 - _LIMIT_MARGIN) * limit, (1 + _LIMIT_MARGIN) * limit
    below, above = (closed_loop(case.overrides, case.plan([gain], _LIMIT_FRAMES)) for gain in gains)
    lost_after = len(above.records[0]) if above.escaped else None
    return [
        TargetResult(
            name=f"{case.name}: limit of stability",
            definition=f"10 % below the largest stable gain of theory the loop holds the bead for {_LIMIT_FRAMES} "
            "frames; 10 % above it, it oscillates until the bead is 10 px from the centre",
            n=len(below.records[0]) + len(above.records[0]),
            figures={
                "largest gain": limit,
                "lost above it, after frames": lost_after,
                "lost below it": "yes" if below.escaped else "no",
            },
            target="only above",
            met=above.escaped and not below.escaped,
        )
    ]


def variance_error(model: LoopModel, gain: float, frames: int) -> float:
    """Return the relative standard error, in theory, of a variance estimated from both axes of `frames` frames."""
    covariance = model.autocovariance(gain, min(frames, 2000))
    squares = covariance[0] ** 2 + 2 * (covariance[1:] ** 2).sum()
    return sqrt(2 * squares / (2 * frames)) / float(covariance[0])


def _point(model: LoopModel, gain: float, record: npt.NDArray[np.void]) -> Point:
    model = structs.replace(model, error=float(np.sqrt(np.mean(record["std"] ** 2))))
    measured = float((np.mean(record["x"] ** 2) + np.mean(record["y"] ** 2)) / 2)
    expected = model.variances(gain).measured
    return Point(gain, len(record), measured, expected, variance_error(model, gain, len(record)))
