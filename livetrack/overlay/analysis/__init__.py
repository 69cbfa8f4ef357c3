"""What the graphs show, computed with NumPy alone."""

from livetrack.overlay.analysis.displacement import mean_squared_displacement
from livetrack.overlay.analysis.phase import PhaseCounts
from livetrack.overlay.analysis.physics import physics_of
from livetrack.overlay.analysis.spectrum import binned_spectrum, power_spectrum
from livetrack.overlay.analysis.trace import Points, Trace, on_even_times

__all__ = [
    "PhaseCounts", "Points", "Trace", "binned_spectrum", "mean_squared_displacement", "on_even_times",
    "physics_of", "power_spectrum",
]  # fmt: skip
