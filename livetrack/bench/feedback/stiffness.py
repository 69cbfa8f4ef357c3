"""Trap stiffness by equipartition and by power spectrum, on simulated traps of known stiffness."""

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
    """Return (runs, frames) positions of a trapped bead along one axis, µm; a free bead if the corner is 0.

    A camera at 1 kHz: positions are averaged over the exposure and have a localisation error.
    """
    rng = np.random.default_rng(seed)
    rate, diffusion = 2 * pi * corner_hz, _BEAD.diffusion_um2_s
    dark, light = (ou_transition(rate, diffusion, time_s) for time_s in (_INTERVAL_S - exposure_s, exposure_s))
    origin = np.zeros(1)
    x = rng.standard_normal((runs, 1)) * sqrt(diffusion / rate) if rate else np.zeros((runs, 1))
    positions = np.empty((frames, runs))
    for n in range(frames):
        deviates = rng.standard_normal((4, runs, 1))
        x, _ = dark.move(x, origin, origin, deviates[:2])
        x, mean = light.move(x, origin, origin, deviates[2:])
        positions[n] = mean[:, 0]
    return positions.T + error_um * rng.standard_normal((runs, frames))


def stiffness_results(corner_hz: float, runs: int = 100) -> list[TargetResult]:
    """Return the result of each estimator, from `runs` traps observed for 60 s at 1 kHz."""
    positions = simulate_trajectories(corner_hz, runs, _FRAMES, exposure_s=_INTERVAL_S, error_um=_ERROR_UM)
    measurement = _INTERVAL_S, _INTERVAL_S, _ERROR_UM, _BEAD
    estimates = {
        "equipartition": [stiffness_from_variance(x, *measurement) for x in positions],
        "power spectrum": [stiffness_from_spectrum(x, *measurement).stiffness for x in positions],
    }
    stiffness = _BEAD.stiffness(corner_hz)
    return [_result(f"{name}, corner {corner_hz:g} Hz", found, stiffness) for name, found in estimates.items()]


def _result(name: str, estimates: list[Estimate], truth: float) -> TargetResult:
    values = np.array([estimate.value for estimate in estimates])
    bias = float(values.mean() / truth - 1)
    covered = sum(low < truth < high for low, high in (estimate.interval for estimate in estimates)) / len(estimates)
    return TargetResult(
        name=f"trap stiffness: {name}",
        definition="1 µm bead in water, 60 s at 1 kHz, full exposure, localisation error 3 nm, 95 % intervals",
        n=len(estimates),
        figures={
            "bias, %": 100 * bias,
            "spread, %": 100 * float(values.std() / truth),
            "uncertainty, %": 100 * float(np.mean([estimate.std for estimate in estimates]) / truth),
            "coverage, %": 100 * covered,
        },
        target="mean within 3 %, coverage 90-99 %",
        met=abs(bias) < 0.03 and 0.9 <= covered <= 0.99,
    )
