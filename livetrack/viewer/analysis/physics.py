"""What a trajectory tells of its particle: a trap's stiffness where there is one, else the diffusion constant."""

from __future__ import annotations

from math import hypot

import numpy as np
import numpy.typing as npt

from livetrack.calibrate import Medium, SpectrumFit, diffusion_constant, stiffness_from_spectrum
from livetrack.errors import InputError
from livetrack.viewer.analysis.trace import Points, on_even_times

__all__ = ["physics_of"]

LEAST = 128
"""Positions below which nothing is said."""
MOST = 3000
"""Positions that a trap is looked for in, the newest: a fit of more would hold up the window."""
TURNS = 10
"""Times that the corner's period must go into the trajectory: a free particle seems trapped for less."""
SURE = 0.3
"""Largest relative uncertainty of what is told."""


def physics_of(points: Points, pixel_size_um: float | None, exposure_s: float, medium: Medium) -> str:
    """Return it in a few words, with its standard uncertainty; empty where the pixel size or enough is missing.

    Both axes are used: each has its own stiffness, the diffusion constant is the mean of both.
    """
    if not pixel_size_um or len(points) < LEAST:
        return ""
    x, y, step_s = on_even_times(points)
    if not step_s or not np.ptp(points["frame"]):
        return ""
    fits = [_trap(each[-MOST:] * pixel_size_um, step_s, min(exposure_s, step_s), medium) for each in (x, y)]
    if fits[0] and fits[1]:
        along_x, along_y = (fit.stiffness for fit in fits if fit)
        return f"trap {along_x.value:.3g} ± {along_x.std:.1g}, {along_y.value:.3g} ± {along_y.std:.1g} pN/µm"
    frame_s = float(np.ptp(points["t_s"]) / np.ptp(points["frame"]))
    try:
        along_x, along_y = (
            diffusion_constant(_by_frame(points, axis) * pixel_size_um, frame_s, min(exposure_s, frame_s)).diffusion
            for axis in "xy"
        )
    except InputError:
        return ""
    value, std = (along_x.value + along_y.value) / 2, hypot(along_x.std, along_y.std) / 2
    return f"D {value:.3g} ± {std:.1g} µm²/s" if 0 < std < SURE * value else ""


def _trap(position_um: npt.NDArray[np.float64], step_s: float, exposure_s: float, medium: Medium) -> SpectrumFit | None:
    try:
        fit = stiffness_from_spectrum(position_um, step_s, exposure_s, medium=medium)
    except InputError:
        return None
    low_hz, _ = fit.corner_hz.interval
    seen_long = low_hz * len(position_um) * step_s > TURNS
    return fit if seen_long and fit.stiffness.std < SURE * fit.stiffness.value else None


def _by_frame(points: Points, axis: str) -> npt.NDArray[np.float64]:
    """Return one position for each frame, NaN for those that were missed; of very sparse ones, the newest."""
    frames = points["frame"] - points["frame"][-1]
    near = frames > -4 * len(points)
    positions = np.full(1 - int(frames[near][0]), np.nan)
    positions[frames[near] - frames[near][0]] = points[axis][near]
    return positions
