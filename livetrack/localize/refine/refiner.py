"""The contract of a refiner, and the refiner of each kind of particle."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from livetrack.localize.models import ModelCard
from livetrack.localize.refine.point_symmetry import PointSymmetryRefiner
from livetrack.localize.refine.radial import CameraNoise, RadialRefiner
from livetrack.localize.refine.template import TemplateRefiner
from livetrack.particles import Rows

__all__ = ["RADIAL_REACH", "Refiner", "make_refiner"]

RADIAL_REACH = 0.6
"""Radius of the largest core that the radial fit accepts, over the side of the model's crops."""

_SYMMETRY_REACH = 0.45  # radius of the point-symmetry fit's window, likewise


class Refiner(Protocol):
    """Brings positions that are a fraction of a pixel off to the limit that the noise sets."""

    def refine(
        self,
        image: npt.NDArray[Any],
        noise: float,
        rows: Rows,
        *,
        buffer: npt.NDArray[Any] | None,
        threads: int,
        misfit: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """Refine `rows` in place: x, y, x_std, y_std, xy_cov, and, if the refiner measures it, intensity.

        Parameters
        ----------
        image
            (H, W) grey levels, uint8, uint16 or float32 (see `as_kernel_input`).
        noise
            Standard deviation of the background noise, grey levels, > 0 if there are rows.
        rows
            (N,) as the network returns them; those that cannot be improved stay as they are.
        buffer
            (H, W) float32, overwritten unless the image is float32 itself; None allocates it.
        threads
            Number of threads, at least 1; the rows do not depend on it.
        misfit
            (N,), written: the reduced chi-square of each particle's core; NaN where none was fitted, or if the refiner
            does not know it.
        """

    def warmup(self) -> None:
        """Prepare what a first call on noise does not: tables, rarely used kernels."""


def make_refiner(card: ModelCard, camera: CameraNoise | None = None) -> Refiner:
    """Return the refiner for a model's particles.

    The radial fit for round ones (3 to 10 µs a particle), the point-symmetry fit for those that look the same after
    half a turn (0.3 ms), the fit of the recipe's template for the others (0.5 ms). `camera` is the noise by which the
    radial fit weights pixels; None estimates it from the images.
    """
    if card.symmetry == "round":
        return RadialRefiner(RADIAL_REACH * card.crop_px, card.profiles, camera, card.longest)
    if card.symmetry == "half turn":
        return PointSymmetryRefiner(_SYMMETRY_REACH * card.crop_px)
    return TemplateRefiner.from_recipe(card.recipe["particles"])
