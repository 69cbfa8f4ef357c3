"""Particle shapes, independent of `livetrack.optics`.

A shape returns the grey levels of a particle of intensity 1 at pixels whose centres are `dx`, `dy` px from its centre.
`size` scales it; the three arrays broadcast.
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
    """Return a Gaussian of sigma `size`, px, integrated over each pixel; 1 at a pixel on which it is centred."""
    intensity: Floats = _integral(dx, size) * _integral(dy, size) / _integral(np.zeros(1), size) ** 2
    return intensity


def airy(dx: Floats, dy: Floats, size: Floats) -> Floats:
    """Return an Airy pattern, (2 J_1(v) / v)^2, as wide as a Gaussian of sigma `size`, px.

    Integrated over each pixel by 4x4-point Gauss-Legendre quadrature; 1 at a pixel on which it is centred.
    """
    pattern: Floats = _airy_sum(dx, dy, size) / _airy_sum(np.zeros(1), np.zeros(1), size)
    return pattern


@cache
def bessel(order: Literal[1, 2]) -> Shape:
    """Return DeepTrack's particle, 4 n^2.5 (J_n(rho) / rho)^2 with n = `order` and rho = r / size, at pixel centres.

    Helgadottir, Argun, Volpe, Optica 6, 506 (2019). Order 1 is 1 at the centre; order 2 is a ring.
    """
    profile = _bessel_profile(order)

    def image(dx: Floats, dy: Floats, size: Floats) -> Floats:
        pattern: Floats = profile(np.hypot(dx, dy) / size)
        return pattern

    return image


@cache
def _bessel_profile(order: int) -> CubicSpline:
    """Return the profile against rho as a spline, accurate to 1e-8 and faster than the Bessel functions."""
    rho = np.arange(1, 10_000) * 0.01
    wave = j1(rho) if order == 1 else 2 * j1(rho) / rho - j0(rho)
    profile = 4 * order**2.5 * (wave / rho) ** 2
    centre = 1.0 if order == 1 else 0.0
    return CubicSpline(np.append(0.0, rho), np.append(centre, profile), bc_type=((1, 0.0), "not-a-knot"))


def _integral(d: Floats, sigma: Floats) -> Floats:
    scale = 1 / (np.sqrt(2) * sigma)
    integral: Floats = (erf((d + 0.5) * scale) - erf((d - 0.5) * scale)) / 2
    return integral


def _airy_sum(dx: Floats, dy: Floats, size: Floats) -> Floats:
    total: Floats = np.zeros(1)
    for u, weight_u in zip(_NODES / 2, _WEIGHTS / 2, strict=True):
        for v, weight_v in zip(_NODES / 2, _WEIGHTS / 2, strict=True):
            rho = np.maximum(_AIRY * np.hypot(dx + u, dy + v) / size, 1e-4)
            total = total + weight_u * weight_v * (2 * j1(rho) / rho) ** 2
    return total
