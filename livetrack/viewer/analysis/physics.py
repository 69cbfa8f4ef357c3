"""Trap stiffness of the selected particle, or its diffusion constant if it is free."""

from __future__ import annotations

from math import hypot

import numpy as np
import numpy.typing as npt

from livetrack.calibrate import Medium, SpectrumFit, diffusion_constant, stiffness_from_spectrum
from livetrack.errors import InputError
from livetrack.viewer.analysis.trace import Points, on_even_times

__all__ = ["physics_text"]

MIN_POSITIONS = 128
MAX_TRAP_POSITIONS = 3000
"""The newest positions, used for the trap; a fit to more would delay the window."""
MIN_PERIODS = 10
"""Periods of the corner frequency that a track must cover; over less, a free particle appears trapped."""
MAX_RELATIVE_STD = 0.3
"""Results with a larger relative uncertainty are not shown."""


def physics_text(points: Points, pixel_size_um: float | None, exposure_s: float, medium: Medium) -> str:
    """Return the stiffness along x and y, or the diffusion constant, each ± its standard uncertainty.

    The diffusion constant is the mean of both axes. The text is empty without a pixel size or enough positions.
    """
    if not pixel_size_um or len(points) < MIN_POSITIONS:
        return ""
    x, y, step_s = on_even_times(points)
    if not step_s or not np.ptp(points["frame"]):
        return ""
    fits = [
        _trap(position[-MAX_TRAP_POSITIONS:] * pixel_size_um, step_s, min(exposure_s, step_s), medium)
        for position in (x, y)
    ]
    if fits[0] and fits[1]:
        along_x, along_y = (fit.stiffness for fit in fits if fit)
        return f"trap stiffness {along_x.value:.3g} ± {along_x.std:.1g}, {along_y.value:.3g} ± {along_y.std:.1g} pN/µm"
    frame_s = float(np.ptp(points["t_s"]) / np.ptp(points["frame"]))
    try:
        along_x, along_y = (
            diffusion_constant(_by_frame(points, axis) * pixel_size_um, frame_s, min(exposure_s, frame_s)).diffusion
            for axis in "xy"
        )
    except InputError:
        return ""
    value, std = (along_x.value + along_y.value) / 2, hypot(along_x.std, along_y.std) / 2
    return f"D {value:.3g} ± {std:.1g} µm²/s" if 0 < std < MAX_RELATIVE_STD * value else ""


def _trap(position_um: npt.NDArray[np.float64], step_s: float, exposure_s: float, medium: Medium) -> SpectrumFit | None:
    try:
        fit = stiffness_from_spectrum(position_um, step_s, exposure_s, medium=medium)
    except InputError:
        return None
    low_hz, _ = fit.corner_hz.interval
    long_enough = low_hz * len(position_um) * step_s > MIN_PERIODS
    return fit if long_enough and fit.stiffness.std < MAX_RELATIVE_STD * fit.stiffness.value else None


def _by_frame(points: Points, axis: str) -> npt.NDArray[np.float64]:
    """Return the position in each frame, NaN where it was missed; of a very sparse track, the newest part."""
    frames = points["frame"] - points["frame"][-1]
    recent = frames > -4 * len(points)
    positions = np.full(1 - int(frames[recent][0]), np.nan)
    positions[frames[recent] - frames[recent][0]] = points[axis][recent]
    return positions
