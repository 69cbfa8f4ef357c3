"""Camera sensor: shot noise, read noise, gain, offset, saturation and rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Sensor"]


@dataclass(frozen=True, slots=True)
class Sensor:
    """Sensor of a scientific camera, with the noise model of Janesick, Photon Transfer (2007).

    Parameters
    ----------
    gain
        Grey levels per photoelectron.
    offset
        Grey level of a pixel without light.
    read_noise
        Standard deviation of the read noise, electrons.
    bit_depth
        1 to 16; pixels saturate at 2**bit_depth - 1. Images are uint8 up to 8 bits and uint16 above.
    """

    gain: float = 1.0
    offset: float = 100.0
    read_noise: float = 1.5
    bit_depth: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.bit_depth <= 16:
            raise ValueError(f"bit_depth is {self.bit_depth}; it must be from 1 to 16")

    def expose(
        self, photons: npt.NDArray[np.float32], rng: np.random.Generator
    ) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
        """Return one noisy exposure of `photons`, expected photoelectrons (H, W); negative values count as 0."""
        electrons = rng.poisson(np.maximum(photons, 0)).astype(np.float32)
        electrons += np.float32(self.read_noise) * rng.standard_normal(photons.shape, np.float32)
        grey: npt.NDArray[np.float32] = np.rint(electrons * self.gain + self.offset)
        grey = grey.clip(0, 2**self.bit_depth - 1)
        return grey.astype(np.uint8) if self.bit_depth <= 8 else grey.astype(np.uint16)
