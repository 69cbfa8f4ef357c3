"""Trap stiffness by both estimators, on simulated traps whose stiffness is known."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import numpy.typing as npt

from livetrack.bench.result import TargetResult
from livetrack.brownian import ou_transition
from livetrack.calibrate import Estimate, Medium, stiffness_from_spectrum, stiffness_from_variance

__all__ = ["CORNERS_HZ", "simulate_trajectories", "stiffness_results"]

CORNERS_HZ = (10, 50, 200)

_BEAD = Medium()
_INTERVAL_S, _ERROR_UM = 1e-3, 0.003
_FRAMES = 60_000


def simulate_trajectories(
    corner_hz: float, runs: int, frames: int, *, exposure_s: float, error_um: float, seed: int = 1
) -> npt.NDArray[np.float64]:
    """Return (runs, frames) positions along one axis of a bead in a trap, or a free one where the corner is 0, µm.

    One each ms, as a camera sees them: averaged over the exposure, and with a localisation error.
    """
    rng = np.random.default_rng(seed)
    rate, diffusion = 2 * pi * corner_hz, _BEAD.diffusion_um2_s
    dark, light = (ou_transition(rate, diffusion, time_s) for time_s in (_INTERVAL_S - exposure_s, exposure_s))
    origin = np.zeros(1)
    x = rng.standard_normal((runs, 1)) * sqrt(diffusion / rate) if rate else np.zeros((runs, 1))
    seen = np.empty((frames, runs))
    for n in range(frames):
        deviates = rng.standard_normal((4, runs, 1))
        x, _ = dark.move(x, origin, origin, deviates[:2])
        x, mean = light.move(x, origin, origin, deviates[2:])
        seen[n] = mean[:, 0]
    return seen.T + error_um * rng.standard_normal((runs, frames))


def stiffness_results(corner_hz: float, runs: int = 100) -> list[TargetResult]:
    """Return a line of the table of targets for each estimator, from `runs` traps of 60 s at 1 kHz."""
    positions = simulate_trajectories(corner_hz, runs, _FRAMES, exposure_s=_INTERVAL_S, error_um=_ERROR_UM)

    def by_variance(x: npt.NDArray[np.float64]) -> Estimate:
        return stiffness_from_variance(x, _INTERVAL_S, _INTERVAL_S, _ERROR_UM, _BEAD)

    def by_spectrum(x: npt.NDArray[np.float64]) -> Estimate:
        return stiffness_from_spectrum(x, _INTERVAL_S, _INTERVAL_S, _ERROR_UM, _BEAD).stiffness

    return [
        _line(f"{name}, corner {corner_hz:g} Hz", [estimator(x) for x in positions], _BEAD.stiffness(corner_hz))
        for name, estimator in (("equipartition", by_variance), ("power spectrum", by_spectrum))
    ]


def _line(name: str, estimates: list[Estimate], truth: float) -> TargetResult:
    values = np.array([each.value for each in estimates])
    covered = sum(each.interval[0] < truth < each.interval[1] for each in estimates)
    bias = float(values.mean() / truth - 1)
    share = covered / len(estimates)
    return TargetResult(
        name=f"trap stiffness: {name}",
        definition="1 µm bead in water, 60 s at 1 kHz, exposed all the time, localisation error 3 nm, 95 % intervals",
        n=len(estimates),
        figures={
            "bias, %": 100 * bias,
            "spread, %": 100 * float(values.std() / truth),
            "uncertainty stated, %": 100 * float(np.mean([each.std for each in estimates]) / truth),
            "covered, %": 100 * share,
        },
        target="mean within 3 %, covered in 90 to 99 of 100",
        met=abs(bias) < 0.03 and 0.9 <= share <= 0.99,
    )
