"""What particles look like, of the bench's own making: nothing is shared with `livetrack.optics`.

A shape gives the grey level of a particle of height 1 at pixels whose centres lie `dx`, `dy` from its own, px.
`size` scales it; the three arrays broadcast against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.special import erf, j0, j1

__all__ = ["Floats", "Shape", "airy", "bessel", "gaussian"]

Floats: TypeAlias = npt.NDArray[np.float64]

Shape: TypeAlias = Callable[[Floats, Floats, Floats], Floats]

_AIRY = 2 * np.pi * 0.21  # v / (r / size): the Gaussian nearest to an Airy pattern has sigma = 0.21 wavelengths / NA
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)


def gaussian(dx: Floats, dy: Floats, size: Floats) -> Floats:
    """Return the integral over each pixel of a Gaussian of sigma `size`, px; 1 at a pixel that it is centred on."""
    height: Floats = _share(dx, size) * _share(dy, size) / _share(np.zeros(1), size) ** 2
    return height


def airy(dx: Floats, dy: Floats, size: Floats) -> Floats:
    """Return an Airy pattern, (2 J_1(v) / v)^2, as wide as a Gaussian of sigma `size`, px.

    Each pixel is the mean of 4x4 points, by Gauss and Legendre's rule; 1 at a pixel that it is centred on.
    """
    pattern: Floats = _airy_sum(dx, dy, size) / _airy_sum(np.zeros(1), np.zeros(1), size)
    return pattern


@cache
def bessel(order: Literal[1, 2]) -> Shape:
    """Return DeepTrack's particle, 4 n^2.5 (J_n(rho) / rho)^2 with n = `order` and rho = r / size, point by point.

    Helgadottir, Argun, Volpe, Optica 6, 506 (2019). Order 1 is 1 at the centre; order 2, the other one, is a ring.
    """
    profile = _bessel_profile(order)

    def image(dx: Floats, dy: Floats, size: Floats) -> Floats:
        pattern: Floats = profile(np.hypot(dx, dy) / size)
        return pattern

    return image


@cache
def _bessel_profile(order: int) -> CubicSpline:
    """Return the profile by rho as a spline, exact to 1e-8 and several times quicker than the functions."""
    rho = np.arange(1, 10_000) * 0.01
    wave = j1(rho) if order == 1 else 2 * j1(rho) / rho - j0(rho)
    profile = 4 * order**2.5 * (wave / rho) ** 2
    centre = 1.0 if order == 1 else 0.0
    return CubicSpline(np.append(0.0, rho), np.append(centre, profile), bc_type=((1, 0.0), "not-a-knot"))


def _share(d: Floats, sigma: Floats) -> Floats:
    scale = 1 / (np.sqrt(2) * sigma)
    share: Floats = (erf((d + 0.5) * scale) - erf((d - 0.5) * scale)) / 2
    return share


def _airy_sum(dx: Floats, dy: Floats, size: Floats) -> Floats:
    total: Floats = np.zeros(1)
    for u, of_u in zip(_NODES / 2, _WEIGHTS / 2, strict=True):
        for v, of_v in zip(_NODES / 2, _WEIGHTS / 2, strict=True):
            rho = np.maximum(_AIRY * np.hypot(dx + u, dy + v) / size, 1e-4)
            total = total + of_u * of_v * (2 * j1(rho) / rho) ** 2
    return total
