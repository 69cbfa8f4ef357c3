"""An image with known truth, and the hints that methods get about it."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.bench.accuracy.shapes import Floats, Shape

__all__ = ["Hints", "Indices", "Particles", "Scene", "crop_indices"]


Indices: TypeAlias = npt.NDArray[np.int64]


class Hints(NamedTuple):
    """Settings that a user who knows the sample would make, never positions. Networks get none."""

    diameter_px: int
    """Odd: the window of the classical methods."""
    sigma_px: float
    """Start value of a fit: sigma of the Gaussian nearest to the particle."""
    bright: bool
    particles: int
    shot: float
    read: float
    """The noise variance is `shot` * grey level + `read`."""
    centred: bool = False
    """A single particle near the centre: no search is needed."""


class Particles(NamedTuple):
    """The truth: `x`, `y`, `intensity` and `size`, each (N,), in px and grey levels, of one shape."""

    shape: Shape
    x: Floats
    y: Floats
    intensity: Floats
    size: Floats


class Scene(NamedTuple):
    """One image and its truth; arrays are (H, W)."""

    image: npt.NDArray[Any]
    variance: Floats
    """Noise variance, grey levels squared; infinite at pixels without information, such as clipped ones."""
    illumination: Floats
    """Factor on the particles' intensity."""
    particles: Particles
    hints: Hints
    background: Floats | float = 0.0
    """Expected image without the particles, for the ideal observer."""


def crop_indices(x: Floats, y: Floats, half_width: int) -> tuple[Indices, Indices]:
    """Return the columns and rows, each (N, 2 `half_width` + 1), of crops around `x`, `y`; may exceed the image."""
    steps = np.arange(-half_width, half_width + 1)
    columns = np.rint(x).astype(np.int64)[:, None] + steps
    rows = np.rint(y).astype(np.int64)[:, None] + steps
    return columns, rows
