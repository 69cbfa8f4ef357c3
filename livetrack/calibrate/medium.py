"""A particle in a liquid: temperature, viscosity and radius, and what follows from them."""

from __future__ import annotations

from math import pi

from msgspec import Struct

__all__ = ["Medium"]

_BOLTZMANN = 1.380649e-5  # pN µm per K (1 J = 1e18 pN µm)


class Medium(Struct, frozen=True, kw_only=True):
    """A sphere in a liquid, far from any wall; forces in pN, lengths in µm. As in the settings `[calibration]`."""

    temperature_k: float = 295.15
    viscosity_pa_s: float = 0.00095
    particle_radius_um: float = 0.5

    @property
    def thermal_energy(self) -> float:
        """Boltzmann's constant times the temperature, pN µm."""
        return _BOLTZMANN * self.temperature_k

    @property
    def drag(self) -> float:
        """Force per velocity, pN s/µm: 6 π η r (Stokes 1851)."""
        return 6 * pi * self.viscosity_pa_s * self.particle_radius_um

    @property
    def diffusion_um2_s(self) -> float:
        """Diffusion constant of the free particle, µm²/s (Einstein, Annalen der Physik 322, 549 (1905))."""
        return self.thermal_energy / self.drag

    def corner_hz(self, stiffness: float) -> float:
        """Return the corner frequency, Hz, of a trap of this stiffness, pN/µm."""
        return stiffness / (2 * pi * self.drag)

    def stiffness(self, corner_hz: float) -> float:
        """Return the stiffness, pN/µm, of the trap with this corner frequency, Hz."""
        return 2 * pi * self.drag * corner_hz
