"""The plots of the selected particle: their axes, and the functions that compute their curves.

To add a plot, write the function that computes its curves and add an entry to `PLOTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.viewer.analysis.displacement import mean_squared_displacement
from livetrack.viewer.analysis.spectrum import binned_spectrum, power_spectrum
from livetrack.viewer.analysis.trace import Points, on_even_times

__all__ = ["PLOTS", "Curve", "Plot"]

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Abscissae and ordinates."""

_TRACE_POINTS = 1500
"""More than a plot has pixels."""
_BINS = 41


class Plot(NamedTuple):
    """One plot; `{unit}` in its labels stands for µm, or px if the pixel size is unknown."""

    name: str
    y_label: str
    x_label: str
    styles: tuple[str, ...]
    """Of each curve: "x" and "y" use the colours of these coordinates, "points" marks each point, or "dashed"."""
    compute: Callable[[Points, float], list[Curve]]
    """Returns the curves from at least one position and the number of units per px."""
    log: bool = False
    """Both axes are logarithmic; values that are not positive are left out."""
    histogram: bool = False
    """The curves are bin edges, (N + 1,), and counts, (N,)."""
    width: int = 4
    """Relative to the other plots."""


def _trace(points: Points, scale: float) -> list[Curve]:
    """Return x and y about their means against time before the newest position."""
    stride = max(1, len(points) // _TRACE_POINTS)
    shown = points[-_TRACE_POINTS * stride :: stride]
    t_s = shown["t_s"] - points["t_s"][-1]
    return [(t_s, (shown[axis] - points[axis].mean()) * scale) for axis in "xy"]


def _spectrum(points: Points, scale: float) -> list[Curve]:
    """Return the power spectral densities of x and y."""
    x, y, step_s = on_even_times(points)
    spectra = (binned_spectrum(*power_spectrum(position, step_s)) for position in (x, y))
    return [(frequency, density * scale**2) for frequency, density in spectra]


def _displacement(points: Points, scale: float) -> list[Curve]:
    """Return the mean squared displacement, and the contribution of the uncertainty as a horizontal line."""
    lags, squares, noise = mean_squared_displacement(points)
    ends = lags[[0, -1]] if len(lags) else lags
    return [(lags, squares * scale**2), (ends, np.full(len(ends), noise * scale**2))]


def _histogram(points: Points, scale: float) -> list[Curve]:
    """Return the histograms of x and y about their means."""
    histograms = (np.histogram((points[axis] - points[axis].mean()) * scale, _BINS) for axis in "xy")
    return [(edges, counts.astype(np.float64)) for counts, edges in histograms]


PLOTS = (
    Plot("trace", "Δx, Δy, {unit}", "time, s", ("x", "y"), _trace, width=5),
    Plot("spectrum", "power, {unit}²/Hz", "frequency, Hz", ("x", "y"), _spectrum, log=True),
    Plot("displacement", "MSD, {unit}²", "lag, s", ("points", "dashed"), _displacement, log=True),
    Plot("histogram", "positions", "Δx, Δy, {unit}", ("x", "y"), _histogram, histogram=True),
)
