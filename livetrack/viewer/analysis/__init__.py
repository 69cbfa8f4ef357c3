"""What the graphs show, computed with NumPy alone."""

from livetrack.viewer.analysis.displacement import mean_squared_displacement
from livetrack.viewer.analysis.phase import PhaseCounts
from livetrack.viewer.analysis.physics import physics_of
from livetrack.viewer.analysis.spectrum import binned_spectrum, power_spectrum
from livetrack.viewer.analysis.trace import Points, Trace, on_even_times

__all__ = [
    "PhaseCounts", "Points", "Trace", "binned_spectrum", "mean_squared_displacement", "on_even_times",
    "physics_of", "power_spectrum",
]  # fmt: skip
