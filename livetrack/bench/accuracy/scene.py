"""An image whose truth is known, and what the methods may be told of it."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.bench.accuracy.shapes import Floats, Shape

__all__ = ["Hints", "Particles", "Places", "Scene", "windows"]


Places: TypeAlias = npt.NDArray[np.int64]


class Hints(NamedTuple):
    """What somebody who knows the sample would set; never where the particles are. Networks are told nothing."""

    diameter_px: int
    """Odd: the window of the classical methods."""
    sigma_px: float
    """Of the Gaussian that is nearest to the particle, to start a fit from."""
    bright: bool
    particles: int
    shot: float
    read: float
    """The noise's variance is `shot` * grey level + `read`."""
    centred: bool = False
    """There is one particle, near the middle: nothing needs to be searched."""


class Particles(NamedTuple):
    """The truth: `x`, `y`, `height` and `size`, each (N,), px and grey levels, of one shape."""

    shape: Shape
    x: Floats
    y: Floats
    height: Floats
    size: Floats


class Scene(NamedTuple):
    """One image and all that is true of it; arrays are (H, W)."""

    image: npt.NDArray[Any]
    variance: Floats
    """Of each pixel's noise, grey levels squared; infinite where the pixel says nothing, as where it is clipped."""
    light: Floats
    """What the particles are multiplied by."""
    particles: Particles
    hints: Hints


def windows(x: Floats, y: Floats, reach: int) -> tuple[Places, Places]:
    """Return the columns and rows, each (N, 2 `reach` + 1), of the windows about `x` and `y`; some may be outside."""
    steps = np.arange(-reach, reach + 1)
    columns = np.rint(x).astype(np.int64)[:, None] + steps
    rows = np.rint(y).astype(np.int64)[:, None] + steps
    return columns, rows
