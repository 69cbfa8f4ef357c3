"""Trap stiffness and diffusion constant from positions, each with its uncertainty.

Needs NumPy only, so that any feedback program can use it. Lengths are in µm, times in s, forces in pN; one axis at a
time.
"""

from livetrack.calibrate.diffusion import DiffusionFit, diffusion_constant
from livetrack.calibrate.equipartition import stiffness_from_variance
from livetrack.calibrate.estimate import Estimate
from livetrack.calibrate.medium import Medium
from livetrack.calibrate.spectrum import SpectrumFit, stiffness_from_spectrum
from livetrack.calibrate.trap_monitor import TrapMonitor, TrapReading

__all__ = [
    "DiffusionFit",
    "Estimate",
    "Medium",
    "SpectrumFit",
    "TrapMonitor",
    "TrapReading",
    "diffusion_constant",
    "stiffness_from_spectrum",
    "stiffness_from_variance",
]  # fmt: skip
