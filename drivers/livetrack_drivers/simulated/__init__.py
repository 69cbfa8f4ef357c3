"""A simulated microscope: moving particles, light, a camera's noise and a camera's faults, all from one seed."""

from livetrack_drivers.simulated.camera import SimulatedCamera
from livetrack_drivers.simulated.settings import SimulatedSettings

__all__ = ["SimulatedCamera", "SimulatedSettings"]
