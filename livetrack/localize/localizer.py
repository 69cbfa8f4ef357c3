"""What a localizer is, and how to get one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from livetrack.errors import ModelError
from livetrack.localize.classical import METHODS, ClassicalLocalizer, Contrast
from livetrack.localize.models import find_model
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.refine.radial import CameraNoise
from livetrack.particles import Rows

__all__ = ["Localizer", "load_localizer"]


class Localizer(Protocol):
    """Finds particles in images (H, W) of any integer or float type, at least 16x16 px.

    Its rows are the same for `image` and for `a * image + b`, a > 0, but for `intensity`, which follows a.
    Every method raises `InputError` for an image that is of another shape or type, or is not finite.
    """

    name: str
    """The model's name."""
    provider: str
    """What runs it: ONNX Runtime's execution provider, or "numba"."""
    threshold: float
    """Least score of a row, 0..1; may be changed between two images."""
    default_threshold: float
    """The model's own."""

    @property
    def threads(self) -> str:
        """How many threads it works on, in words."""

    def find(self, image: npt.NDArray[Any]) -> Rows:
        """Search the whole image; return (N,) rows, top to bottom, without ids."""

    def refine(self, image: npt.NDArray[Any], rows: Rows) -> Rows:
        """Measure particles again on crops about `rows`, (N,), whose finite x and y may be a few pixels off.

        Returns a copy with ids, velocities and flags kept (but EDGE, which is set anew) and all that is measured
        replaced; a particle that is not there has a low score.
        """

    def localize(self, image: npt.NDArray[Any]) -> Rows:
        """Find, then refine where that adds precision."""

    def warmup(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        """Compile and allocate all that images (height, width) of `dtype` will need."""


def load_localizer(
    model: str | Path = "spot",
    *,
    threshold: float | None = None,
    threads: int = 0,
    provider: str = "auto",
    profile_fit: bool = True,
    diameter_px: float | None = None,
    contrast: Contrast | None = None,
    camera: CameraNoise | None = None,
) -> Localizer:
    """Load a localizer.

    Parameters
    ----------
    model
        A shipped model's name, an ONNX file made by `livetrack train`, "centroid" or "radial_symmetry".
    threshold
        Least score of a row, 0..1; None takes the model's own.
    threads, provider
        That share the work, see `NetworkLocalizer`; the classical ones run on one thread of the processor.
    profile_fit
        For networks: fit each particle's profile after the search, for positions at the limit of the noise.
    diameter_px, contrast
        Of the particles, for the classical ones only, see `ClassicalLocalizer`; a network has learnt them.
    camera
        Its noise, for the profile fit; None has it found from each image.

    Raises
    ------
    ModelError
        The model or the provider is not there, the file cannot be used, or an option does not belong to it.
    """
    if str(model) in METHODS:
        options = {"threshold": threshold, "diameter_px": diameter_px, "contrast": contrast}
        given = {key: value for key, value in options.items() if value is not None}
        return ClassicalLocalizer(str(model), **given)  # type: ignore[arg-type]
    path = find_model(model)
    if diameter_px is not None or contrast is not None:
        raise ModelError(f"model {model}: diameter_px and contrast belong to {' and '.join(METHODS)} only")
    return NetworkLocalizer(
        path, threshold=threshold, threads=threads, provider=provider, profile_fit=profile_fit, camera=camera
    )
