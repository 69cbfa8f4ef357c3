"""Particles in bright field: a core of either contrast with rings, from sums of Bessel functions."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["add_beads"]

_REACH = 20.0  # in radii: where the profile ends; it is brought smoothly to zero over the last fifth
_STEP = 0.025  # of the profile's table, in radii; linear interpolation errs by less than 1e-4 of the peak
_GAUSS = 0.5 / math.sqrt(3.0)  # two-point Gauss-Legendre nodes of a pixel, px from its centre


def add_beads(
    image: npt.NDArray[np.float32],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    radius: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    amplitude: npt.NDArray[np.float64],
    elongation: npt.NDArray[np.float64] | None = None,
    angle: npt.NDArray[np.float64] | None = None,
) -> None:
    """Add bright-field particles to `image` in place.

    The profile is the sum over orders n = 1..K of `weights[:, n-1] * 4 n^2.5 (J_n(rho) / rho)^2` with
    `rho = r / radius`, the particle model of DeepTrack (Helgadottir, Argun and Volpe, Optica 6, 506 (2019)).
    Order 1 is a core (an Airy pattern), higher orders are rings; mixed signs give the bright and dark rings of a
    defocused bead. The sum is scaled so that its extreme is 1, averaged over each pixel's area, and multiplied
    by `amplitude`.

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    x, y
        (N,) centres, px; they may lie outside the image.
    radius
        (N,) length that scales the profile, px, > 0; order 1 falls to half at 1.6 radii.
    weights
        (N, K) of the orders 1..K, not all zero.
    amplitude
        (N,) height of the profile's extreme over the background, photoelectrons; negative for dark particles.
    elongation, angle
        (N,) length over width of an ellipse of the same area, and where its length points, rad from x towards y;
        None for round particles.

    Raises
    ------
    ValueError
        A particle has no weight that is not zero.
    """
    weights = np.asarray(weights, np.float64)
    profiles = weights @ _orders(weights.shape[1])
    extremes = np.take_along_axis(profiles, np.abs(profiles).argmax(axis=1)[:, None], axis=1)
    if not np.all(extremes):
        raise ValueError("weights: each particle needs one that is not zero")
    profiles *= np.asarray(amplitude, np.float64)[:, None] / extremes
    if elongation is None or angle is None:
        elongation, angle = np.ones(len(profiles)), np.zeros(len(profiles))
    x, y, radius, elongation, angle = (
        np.ascontiguousarray(part, np.float64) for part in (x, y, radius, elongation, angle)
    )
    _add_profiles(image, x, y, radius, np.sqrt(elongation), angle, profiles)


@cache
def _orders(count: int) -> npt.NDArray[np.float64]:
    """Return the profiles of the orders 1..count, (count, T), at rho = 0, _STEP, ... _REACH."""
    rho = np.linspace(0, _REACH, round(_REACH / _STEP) + 1, dtype=np.float64)
    order = np.arange(1, count + 1)[:, None]
    profile = np.empty((count, rho.size))
    profile[:, 1:] = 4 * order**2.5 * (_bessel(count, rho[1:]) / rho[1:]) ** 2
    profile[:, 0] = [1.0] + [0.0] * (count - 1)
    fade = np.clip((_REACH - rho) / (0.2 * _REACH), 0, 1)
    profile *= fade * fade * (3 - 2 * fade)
    return profile


def _bessel(count: int, rho: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return J_1..J_count at `rho` from Bessel's integral; the midpoint rule converges exponentially."""
    points = 64 + 2 * count
    angle = (np.arange(points) + 0.5) * (math.pi / points)
    phase = rho[:, None] * np.sin(angle)
    return np.stack([np.cos(n * angle - phase).mean(axis=1) for n in range(1, count + 1)])


@njit
def _add_profiles(image: Any, x: Any, y: Any, radius: Any, stretch: Any, angle: Any, profiles: Any) -> None:
    height, width = image.shape
    for n in range(x.size):
        profile = profiles[n]
        reach = _REACH * radius[n] * stretch[n]
        per_px = 1.0 / (_STEP * radius[n])
        along_x, along_y = per_px * math.cos(angle[n]) / stretch[n], per_px * math.sin(angle[n]) / stretch[n]
        across_x, across_y = -per_px * math.sin(angle[n]) * stretch[n], per_px * math.cos(angle[n]) * stretch[n]
        for i in range(max(0, math.floor(y[n] - reach)), min(height, math.ceil(y[n] + reach) + 1)):
            for j in range(max(0, math.floor(x[n] - reach)), min(width, math.ceil(x[n] + reach) + 1)):
                total = 0.0
                for v in (-_GAUSS, _GAUSS):
                    for u in (-_GAUSS, _GAUSS):
                        dx, dy = j + u - x[n], i + v - y[n]
                        along, across = along_x * dx + along_y * dy, across_x * dx + across_y * dy
                        place = math.sqrt(along * along + across * across)
                        k = int(place)
                        if k < profile.size - 1:
                            total += profile[k] + (place - k) * (profile[k + 1] - profile[k])
                image[i, j] += np.float32(0.25 * total)
