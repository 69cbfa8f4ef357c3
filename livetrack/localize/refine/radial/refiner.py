"""The radial fit as a refiner."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from livetrack.localize.refine.radial.fit import fit_profiles, precompute_tables
from livetrack.localize.refine.radial.noise_model import CameraNoise
from livetrack.localize.refine.radial.profile_prior import ProfilePrior
from livetrack.particles import Rows

__all__ = ["RadialRefiner"]


class RadialRefiner:
    """Refines round particles by `fit_profiles`.

    Parameters
    ----------
    radius_px
        Radius of the largest core that is fitted, px.
    profiles
        (M, S) radial profiles of such particles, for `ProfilePrior`.
    camera
        Its noise; None estimates it from each image.
    """

    def __init__(self, radius_px: float, profiles: list[list[float]], camera: CameraNoise | None = None) -> None:
        self._radius_px = radius_px
        self._prior = ProfilePrior(profiles)
        self._camera = camera

    def refine(
        self, image: npt.NDArray[Any], noise: float, rows: Rows, *,
        buffer: npt.NDArray[Any] | None = None, threads: int = 1,
    ) -> None:  # fmt: skip
        """Refine `rows` in place. See `Refiner.refine`."""
        fit_profiles(
            image, noise, rows, self._radius_px,
            buffer=buffer, prior=self._prior, camera=self._camera, threads=threads,
        )  # fmt: skip

    def warmup(self) -> None:
        """Compute the tables of common particle sizes."""
        precompute_tables(self._prior)
