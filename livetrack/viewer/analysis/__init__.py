"""Quantities of the selected particle and their plots, computed with NumPy; no Qt."""

from livetrack.viewer.analysis.displacement import mean_squared_displacement
from livetrack.viewer.analysis.phase import PhaseCounts
from livetrack.viewer.analysis.physics import physics_text
from livetrack.viewer.analysis.plots import PLOTS, Plot
from livetrack.viewer.analysis.spectrum import binned_spectrum, power_spectrum
from livetrack.viewer.analysis.trace import Points, Trace, on_even_times

__all__ = [
    "PLOTS", "PhaseCounts", "Plot", "Points", "Trace", "binned_spectrum", "mean_squared_displacement", "on_even_times",
    "physics_text", "power_spectrum",
]  # fmt: skip
