"""Bright-field beads: a bright or dark core with rings, as a sum of Bessel functions."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.optics.drawing import Doubles, Photons, as_doubles, clip_to_image

__all__ = ["add_beads"]

_REACH = 20.0  # radii: end of the profile, which fades smoothly to zero over the last fifth
_STEP = 0.025  # radii: spacing of the profile's table; linear interpolation errs by less than 1e-4 of the peak
_GAUSS = 0.5 / math.sqrt(3.0)  # px from the pixel's centre: nodes of two-point Gauss-Legendre quadrature


def add_beads(
    image: Photons,
    x: Doubles,
    y: Doubles,
    radius: Doubles,
    weights: Doubles,
    amplitude: Doubles,
    elongation: Doubles | None = None,
    angle: Doubles | None = None,
) -> None:
    """Add bright-field beads to `image` in radial.

    The profile is the sum over orders n = 1..K of `weights[:, n-1] * 4 n^2.5 (J_n(rho) / rho)^2` with
    `rho = r / radius`, the particle model of DeepTrack (Helgadottir, Argun and Volpe, Optica 6, 506 (2019)).
    Order 1 is a core (an Airy pattern), higher orders are rings; mixed signs give the bright and dark rings of a
    defocused bead. The sum is scaled to an extreme of 1, averaged over each pixel, and multiplied by `amplitude`.

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    x, y
        (N,) centres, px; they may lie outside the image.
    radius
        (N,) length scale of the profile, px, > 0; order 1 falls to half at 1.6 radii.
    weights
        (N, K) weights of the orders 1..K, not all zero.
    amplitude
        (N,) peak intensity over the background, photoelectrons; negative for dark beads.
    elongation, angle
        (N,) length over width of an ellipse of the same area, and direction of its long axis, rad from x towards y;
        None for round beads.

    Raises
    ------
    ValueError
        All weights of a bead are zero.
    """
    weights = np.asarray(weights, np.float64)
    profiles = weights @ _orders(weights.shape[1])
    extremes = np.take_along_axis(profiles, np.abs(profiles).argmax(axis=1)[:, None], axis=1)
    if not np.all(extremes):
        raise ValueError("weights: each bead needs at least one that is not zero")
    profiles *= np.asarray(amplitude, np.float64)[:, None] / extremes
    if elongation is None or angle is None:
        elongation, angle = np.ones(len(profiles)), np.zeros(len(profiles))
    _add_profiles(image, profiles, *as_doubles(x, y, radius, np.sqrt(elongation), angle))


@cache
def _orders(count: int) -> Doubles:
    """Return (count, T) profiles of the orders 1..count at rho = 0, _STEP, ... _REACH."""
    rho = np.linspace(0, _REACH, round(_REACH / _STEP) + 1, dtype=np.float64)
    order = np.arange(1, count + 1)[:, None]
    profile = np.empty((count, rho.size))
    profile[:, 1:] = 4 * order**2.5 * (_bessel(count, rho[1:]) / rho[1:]) ** 2
    profile[:, 0] = [1.0] + [0.0] * (count - 1)
    fade = np.clip((_REACH - rho) / (0.2 * _REACH), 0, 1)
    profile *= fade * fade * (3 - 2 * fade)
    return profile


def _bessel(count: int, rho: Doubles) -> Doubles:
    """Return J_1..J_count at `rho` from Bessel's integral; the midpoint rule converges exponentially."""
    points = 64 + 2 * count
    angle = (np.arange(points) + 0.5) * (math.pi / points)
    phase = rho[:, None] * np.sin(angle)
    return np.stack([np.cos(n * angle - phase).mean(axis=1) for n in range(1, count + 1)])


@njit
def _add_profiles(image: Any, profiles: Any, x: Any, y: Any, radius: Any, stretch: Any, angle: Any) -> None:
    height, width = image.shape
    for n in range(x.size):
        profile = profiles[n]
        reach = _REACH * radius[n] * stretch[n]
        per_px = 1.0 / (_STEP * radius[n])
        along_x, along_y = per_px * math.cos(angle[n]) / stretch[n], per_px * math.sin(angle[n]) / stretch[n]
        across_x, across_y = -per_px * math.sin(angle[n]) * stretch[n], per_px * math.cos(angle[n]) * stretch[n]
        top, bottom = clip_to_image(y[n], reach, height)
        left, right = clip_to_image(x[n], reach, width)
        for i in range(top, bottom):
            for j in range(left, right):
                total = 0.0
                for v in (-_GAUSS, _GAUSS):
                    for u in (-_GAUSS, _GAUSS):
                        dx, dy = j + u - x[n], i + v - y[n]
                        along, across = along_x * dx + along_y * dy, across_x * dx + across_y * dy
                        radial = math.sqrt(along * along + across * across)
                        k = int(radial)
                        if k < profile.size - 1:
                            total += profile[k] + (radial - k) * (profile[k + 1] - profile[k])
                image[i, j] += np.float32(0.25 * total)
