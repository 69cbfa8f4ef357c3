"""Simulated microscope: moving particles, illumination, camera noise and camera faults, all from one seed."""

from livetrack_drivers.simulated.camera import SimulatedCamera
from livetrack_drivers.simulated.settings import SimulatedSettings

__all__ = ["SimulatedCamera", "SimulatedSettings"]
